using System.Text;

namespace EditUnlearn.Foundation;

/// <summary>
/// Files that are whole or not there: written beside the target, flushed, renamed. An earlier file stays until then.
/// </summary>
public static class AtomicFile
{
    /// <summary>Writes bytes; the folder is made if need be.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var temporary = Beside(path);
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                file.Write(content);
                DiskFlush.File(file);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (UserFile.IsTrouble(e))
        {
            Discard(temporary);
            throw;
        }
    }

    /// <summary>Writes text as UTF-8.</summary>
    public static void Write(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Lets somebody write who wants a path.</summary>
    /// <param name="path">Where the file shall be.</param>
    /// <param name="write">Gets the path to write to.</param>
    public static void Write(string path, Action<string> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var temporary = Beside(path);
        try
        {
            write(temporary);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    // What is left of a file that could not be written; that it cannot be removed either is the smaller trouble.
    private static void Discard(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (UserFile.IsTrouble(e))
        {
            // The first failure is the one to tell.
        }
    }

    // A name of its own: process numbers repeat between hosts that share a folder.
    private static string Beside(string path) => $"{path}.{Guid.NewGuid():N}.tmp";
}
