using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace EditUnlearn.Pipeline;

/// <summary>Resident memory of this process.</summary>
internal static partial class ProcessMemory
{
    // Below it, memory of an earlier stage is cheaper to keep for the next one than to give back.
    private const long Large = 5L << 29;

    /// <summary>Starts a new peak where the system allows it.</summary>
    /// <remarks>
    /// A worker keeps what an earlier stage has freed. Where that is much it is given back first: otherwise every later
    /// stage of the worker seems to need as much, and the planner believes it.
    /// </remarks>
    public static void ResetPeak()
    {
        if (Resident("VmRSS:") > Large)
            Release();
        try
        {
            if (OperatingSystem.IsLinux())
                File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not allowed here: the peak then covers the process from its start.
        }
    }

    /// <summary>The highest since the last reset.</summary>
    public static long PeakBytes() =>
        OperatingSystem.IsLinux() ? Resident("VmHWM:") : Process.GetCurrentProcess().PeakWorkingSet64;

    /// <summary>Gives memory that nothing uses back to the system.</summary>
    public static void Release()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = Trim(0);
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // Another C library than glibc: it keeps what it keeps.
        }
    }

    // Of this process in bytes; 0 where the system does not say.
    private static long Resident(string field)
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        foreach (var line in File.ReadLines("/proc/self/status"))
            if (line.StartsWith(field, StringComparison.Ordinal))
                return long.Parse(line.AsSpan(field.Length).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture)
                    * 1024;
        return 0;
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);
}
