using System.Runtime.InteropServices;
using System.Security.Cryptography;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>File operations that a crash cannot leave half done.</summary>
internal static partial class Files
{
    /// <summary>SHA-256 of a file's bytes, in hex; the file is flushed to disk when asked.</summary>
    public static string Hash(string path, bool flush = false)
    {
        using var file = new FileStream(
            path,
            FileMode.Open,
            flush ? FileAccess.ReadWrite : FileAccess.Read,
            FileShare.Read,
            1 << 17,
            FileOptions.SequentialScan
        );
        var hash = CodeIdentity.Hex(SHA256.HashData(file));
        if (flush)
            DiskFlush.File(file);
        return hash;
    }

    /// <summary>Makes the renames in a folder durable.</summary>
    public static void FlushFolder(string path)
    {
        if (!OperatingSystem.IsLinux())
            return;
        var handle = open(path, 0);
        if (handle < 0)
            return;
        try
        {
            DiskFlush.Handle(handle, path);
        }
        finally
        {
            _ = close(handle);
        }
    }

    /// <summary>Gives a file a second name; a copy where the file system has no hard links.</summary>
    /// <returns>False where the name is taken: somebody was quicker.</returns>
    public static bool Link(string existing, string name)
    {
        if (OperatingSystem.IsLinux() && link(existing, name) == 0)
            return true;
        if (File.Exists(name))
            return false;
        try
        {
            File.Copy(existing, name, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(name))
        {
            return false;
        }
    }

    /// <summary>Puts a symbolic link in the place of another, in one step where the system can.</summary>
    public static void ReplaceLink(string fresh, string name)
    {
        // File.Move looks through a link at what it points to; rename(2) takes the link itself.
        if (OperatingSystem.IsLinux() && rename(fresh, name) == 0)
            return;
        if (new FileInfo(name).LinkTarget is not null)
            Directory.Delete(name);
        Directory.Move(fresh, name);
    }

    /// <summary>Takes away the right to write, for everyone.</summary>
    public static void Protect(string path)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        else
            File.SetAttributes(path, FileAttributes.ReadOnly);
    }

    /// <summary>Deletes a folder if it is there.</summary>
    public static void DeleteFolder(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string existing, string name);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    private static partial int close(int handle);
}
