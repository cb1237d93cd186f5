using System.Runtime.InteropServices;

namespace EditUnlearn.Pipeline;

/// <summary>
/// A job's processes, held together: where a cluster does not track them by cgroups, nothing else would end them.
/// </summary>
internal static class ProcessGroup
{
    private const int SetParentDeathSignal = 1; // PR_SET_PDEATHSIG
    private const int Terminate = 15,
        KillNow = 9;

    /// <summary>
    /// Makes this process the first of a group of its own, to be told to stop when the daemon that started it dies.
    /// Workers come into the same group.
    /// </summary>
    /// <returns>Whether the daemon is still there.</returns>
    public static bool Own()
    {
        if (!OperatingSystem.IsLinux())
            return true;
        var parent = getppid();
        _ = setpgid(0, 0); // refused to the leader of a session, which has its own group already
        _ = prctl(SetParentDeathSignal, Terminate, 0, 0, 0);
        return getppid() == parent && parent != 1;
    }

    /// <summary>Ends the group, this process included.</summary>
    public static void Kill()
    {
        if (OperatingSystem.IsLinux())
            _ = kill(0, KillNow);
        Environment.Exit(128 + Terminate);
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int getppid();

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int setpgid(int process, int group);

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int kill(int process, int signal);
}
