using System.Runtime.InteropServices;

namespace EditUnlearn.Pipeline;

/// <summary>What the file system says of a file beside its content.</summary>
/// <param name="Bytes">Length.</param>
/// <param name="Number">Of the file on its disk: a file in its place is another one.</param>
/// <param name="Modified">When its content changed [ns since 1970].</param>
/// <param name="Changed">When its content or its entry changed [ns since 1970]; nobody can set it.</param>
internal sealed record FileState(long Bytes, ulong Number, long Modified, long Changed)
{
    private const int AtCurrentFolder = -100;
    private const uint Basic = 0x7FF;

    /// <summary>Of a file; null where the system does not say all of it.</summary>
    public static FileState? Of(string path)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        try
        {
            return statx(AtCurrentFolder, path, 0, Basic, out var s) == 0
                ? new FileState((long)s.Size, s.Inode, s.Modified.Nanoseconds, s.Changed.Nanoseconds)
                : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null; // a C library from before 2018
        }
    }

    /// <summary>Whether nothing was touched for so long.</summary>
    public bool IsOlderThan(TimeSpan age) =>
        (DateTime.UtcNow - DateTime.UnixEpoch - age).TotalNanoseconds > Math.Max(Modified, Changed);

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int statx(
        int folder,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string path,
        int flags,
        uint mask,
        out Description description
    );

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Time
    {
        private readonly long _seconds;
        private readonly uint _nanoseconds;
        private readonly int _reserved;

        public long Nanoseconds => _seconds * 1_000_000_000 + _nanoseconds;
    }

    // struct statx of Linux, alike on all processors.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private readonly struct Description
    {
        [FieldOffset(32)]
        public readonly ulong Inode;

        [FieldOffset(40)]
        public readonly ulong Size;

        [FieldOffset(96)]
        public readonly Time Changed;

        [FieldOffset(112)]
        public readonly Time Modified;
    }
}
