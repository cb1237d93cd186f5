using System.Globalization;

namespace EditUnlearn.Pipeline;

/// <summary>Who works on a store: any number of runs side by side, or one that cleans up, never both.</summary>
/// <remarks>
/// A lock of the system that goes with the process, however it ends: there is never one to break by hand.
/// </remarks>
public static class StoreUse
{
    private const string Prefix = "run.";

    /// <summary>
    /// For the length of a run: nothing of the store is removed meanwhile. Waits while somebody cleans up, which takes
    /// seconds.
    /// </summary>
    public static async Task<IDisposable> ShareAsync(ResultStore store, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(store);
        while (true)
        {
            cancelled.ThrowIfCancellationRequested();
            if (TryOpen(store, FileAccess.Read, FileShare.Read) is { } file)
                return new Shared(store, file);
            await Task.Delay(50, cancelled).ConfigureAwait(false);
        }
    }

    /// <summary>For a run that may take results away: waits until no other run is under way.</summary>
    /// <param name="store">The store.</param>
    /// <param name="waiting">Told once who uses it.</param>
    /// <param name="cancelled">Ends the wait.</param>
    public static async Task<IDisposable> AloneAsync(
        ResultStore store,
        Action<string> waiting,
        CancellationToken cancelled
    )
    {
        ArgumentNullException.ThrowIfNull(waiting);
        for (var told = false; ; told = true)
        {
            if (TryExclusive(store) is { } alone)
                return alone;
            if (!told)
                waiting(Runs(store) is { Count: > 0 } runs ? string.Join(", ", runs) : "another process");
            await Task.Delay(100, cancelled).ConfigureAwait(false);
        }
    }

    /// <summary>To remove results; null while a run is under way.</summary>
    public static IDisposable? TryExclusive(ResultStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        return TryOpen(store, FileAccess.ReadWrite, FileShare.None);
    }

    /// <summary>The runs that are under way, for a message: <c>process 123 on host since 10:02:11 UTC</c>.</summary>
    public static IReadOnlyList<string> Runs(ResultStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        return
        [
            .. Directory
                .EnumerateFiles(Locks(store), Prefix + "*")
                .Where(IsAlive)
                .Select(ReadOrEmpty)
                .Where(t => t.Length > 0)
                .Order(StringComparer.Ordinal),
        ];
    }

    private static string Locks(ResultStore store) => Path.Combine(store.Folder, "locks");

    private static FileStream? TryOpen(ResultStore store, FileAccess access, FileShare share)
    {
        var path = Path.Combine(Locks(store), "store");
        try
        {
            if (!File.Exists(path))
                File.WriteAllBytes(path, []);
            return new FileStream(path, FileMode.Open, access, share, 1);
        }
        catch (IOException)
        {
            return null;
        }
    }

    // The note of a killed run stays behind; its process does not.
    private static bool IsAlive(string note)
    {
        try
        {
            return int.TryParse(
                    Path.GetFileName(note)[Prefix.Length..].Split('.')[0],
                    NumberStyles.None,
                    CultureInfo.InvariantCulture,
                    out var id
                ) && !System.Diagnostics.Process.GetProcessById(id).HasExited;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    private static string ReadOrEmpty(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private sealed class Shared : IDisposable
    {
        private static int _count;
        private readonly FileStream _file;
        private readonly string _note;

        public Shared(ResultStore store, FileStream file)
        {
            _file = file;
            _note = Path.Combine(
                Locks(store),
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Prefix}{Environment.ProcessId}.{Interlocked.Increment(ref _count)}"
                )
            );
            File.WriteAllText(
                _note,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"process {Environment.ProcessId} on {Environment.MachineName} since {DateTime.UtcNow:HH:mm:ss} UTC"
                )
            );
        }

        public void Dispose()
        {
            File.Delete(_note);
            _file.Dispose();
        }
    }
}
