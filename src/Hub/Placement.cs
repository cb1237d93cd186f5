using System.Runtime.InteropServices;

namespace EditUnlearn.Hub;

/// <summary>A file of the cache where the study looks for it.</summary>
internal static partial class Placement
{
    /// <summary>
    /// Puts a file's content under another name: a second name of the same bytes for a large file, a copy for a small
    /// one, which people edit.
    /// </summary>
    /// <param name="source">May be a link.</param>
    /// <param name="target">Must not exist.</param>
    /// <param name="link">Whether a second name will do.</param>
    public static void Put(string source, string target, bool link)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var real = new FileInfo(source).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? source;
        if (link && OperatingSystem.IsLinux() && CreateLink(real, target) == 0)
            return;
        var temporary = $"{target}.{Environment.ProcessId}.tmp";
        File.Copy(real, temporary, overwrite: true);
        File.Move(temporary, target, overwrite: false);
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateLink(string existing, string name);
}
