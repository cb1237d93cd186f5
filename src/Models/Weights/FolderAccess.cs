using System.Runtime.InteropServices;

namespace EditUnlearn.Models.Weights;

/// <summary>Whether somebody may write where a result shall go, asked before hours of work.</summary>
public static class FolderAccess
{
    private const int Write = 2;
    private const int Search = 1;

    /// <summary>Whether something can be made in a folder, or in the nearest one above it that exists.</summary>
    /// <param name="folder">Need not exist.</param>
    public static bool CanWrite(string folder)
    {
        var at = Path.GetFullPath(folder);
        while (!Directory.Exists(at) && Path.GetDirectoryName(at) is { } parent)
            at = parent;
        return !OperatingSystem.IsLinux() || access(at, Write | Search) == 0;
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int access([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int mode);
}
