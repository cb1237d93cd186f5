using System.Globalization;

namespace EditUnlearn.Pipeline;

/// <summary>What a job asks Slurm for.</summary>
/// <param name="Cpus">Processors.</param>
/// <param name="Bytes">Memory of the machine.</param>
/// <param name="Time">Limit; null leaves it to the partition.</param>
/// <param name="Gres">Generic resources; null for none.</param>
internal sealed record JobResources(int Cpus, long Bytes, TimeSpan? Time, string? Gres)
{
    private const long Gibibyte = 1L << 30,
        Step = 256L << 20; // requests are rounded up to it
    private const long Wrapper = Gibibyte / 2; // the process that plans, looks and reports
    private const long UnknownStage = 2 * Gibibyte,
        UnknownModel = 8 * Gibibyte;
    private const double Margin = 1.25; // of planned and measured memory
    private const int TimeFactor = 4; // of an earlier duration: nodes differ
    private static readonly TimeSpan LeastTime = TimeSpan.FromMinutes(30);

    /// <summary>From what the planner knows.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="need">Its memory.</param>
    /// <param name="seconds">How long it will take; null while unknown.</param>
    /// <param name="gres">For accelerator stages.</param>
    public static JobResources Of(Cell cell, Need need, double? seconds, string? gres)
    {
        var onDevice = cell.Stage.Info.Resource == Resource.Accelerator;
        var stage = need.HostBytes is { } bytes
            ? Math.Max(Gibibyte, (long)(bytes * Margin))
            : onDevice ? UnknownModel : UnknownStage;
        return new JobResources(
            Math.Max(1, cell.Stage.Info.Threads),
            (stage + Wrapper + Step - 1) / Step * Step,
            seconds is { } s ? Longer(LeastTime, TimeSpan.FromSeconds(Math.Ceiling(s * TimeFactor))) : null,
            onDevice ? gres : null
        );
    }

    /// <summary>Arguments of <c>sbatch</c>.</summary>
    public IEnumerable<string> Arguments()
    {
        yield return "--nodes=1";
        yield return "--ntasks=1";
        yield return string.Create(CultureInfo.InvariantCulture, $"--cpus-per-task={Cpus}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--mem={Bytes >> 20}M");
        if (Time is { } limit)
            yield return string.Create(CultureInfo.InvariantCulture, $"--time={Math.Ceiling(limit.TotalMinutes):0}");
        if (Gres is not null)
            yield return $"--gres={Gres}";
    }

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
