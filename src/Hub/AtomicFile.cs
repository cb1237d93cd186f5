using System.Runtime.InteropServices;

namespace EditUnlearn.Hub;

/// <summary>Files that are whole or not there.</summary>
internal static partial class AtomicFile
{
    /// <summary>Writes beside the target, flushes, renames.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = $"{path}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}.tmp";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Puts a file's content under another name: a second name of the same bytes for a large file, a copy for a small one, which people edit.</summary>
    /// <param name="source">May be a link.</param>
    /// <param name="target">Must not exist.</param>
    /// <param name="link">Whether a second name will do.</param>
    public static void Place(string source, string target, bool link)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var real = new FileInfo(source).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? source;
        if (link && OperatingSystem.IsLinux() && CreateLink(real, target) == 0) return;
        var temporary = $"{target}.{Environment.ProcessId}.tmp";
        File.Copy(real, temporary, overwrite: true);
        File.Move(temporary, target, overwrite: false);
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateLink(string existing, string name);
}
