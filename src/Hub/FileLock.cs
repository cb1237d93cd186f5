namespace EditUnlearn.Hub;

/// <summary>
/// One process, and within it one task, at a time works on a file. The system drops the lock with the process, however
/// it ends.
/// </summary>
internal static class FileLock
{
    /// <summary>Waits for the lock.</summary>
    /// <param name="path">Of the lock file; stays behind.</param>
    /// <param name="waiting">Called once when somebody else holds it.</param>
    /// <param name="cancelled">Ends the wait.</param>
    public static async Task<IDisposable> TakeAsync(string path, Action waiting, CancellationToken cancelled)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        for (var announced = false; ; announced = true)
        {
            cancelled.ThrowIfCancellationRequested();
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException) when (File.Exists(path))
            {
                if (!announced)
                    waiting();
                await Task.Delay(50, cancelled).ConfigureAwait(false);
            }
        }
    }
}
