using System.Globalization;

namespace EditUnlearn.Benchmarks.Checkpoints;

/// <summary>This process's memory as Linux counts it, in bytes.</summary>
/// <param name="Peak">VmHWM: the most that was resident at once since the last reset, mapped file pages
/// included.</param>
/// <param name="Anonymous">RssAnon: what only this process holds; the system cannot take it back.</param>
/// <param name="File">RssFile: pages of mapped files, which the system may drop at any time.</param>
internal sealed record ProcessMemory(long Peak, long Anonymous, long File)
{
    public long Resident => Anonymous + File;

    public static ProcessMemory Now()
    {
        var lines = System.IO.File.ReadAllLines("/proc/self/status");
        long Of(string field) =>
            1024
            * long.Parse(
                lines
                    .First(l => l.StartsWith(field + ":", StringComparison.Ordinal))
                    .Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
                CultureInfo.InvariantCulture
            );
        return new ProcessMemory(Of("VmHWM"), Of("RssAnon"), Of("RssFile"));
    }

    /// <summary>Lets the peak begin anew at what is resident now.</summary>
    public static void ResetPeak() => System.IO.File.WriteAllText("/proc/self/clear_refs", "5");

    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"peak {Peak / 1e9:0.00} GB, now {Resident / 1e9:0.00} GB of which {Anonymous / 1e9:0.00} anonymous"
        );
}
