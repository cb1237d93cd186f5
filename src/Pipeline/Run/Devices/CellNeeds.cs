using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>What all cells that run at once may hold together.</summary>
internal sealed record Budget
{
    /// <summary>Threads that may be busy.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Memory of the machine [bytes]; null for no limit.</summary>
    public long? HostBytes { get; init; }

    /// <summary>GPUs; none where the run has one device that its name says.</summary>
    public IReadOnlyList<GpuDevice> Gpus { get; init; } = [];

    /// <summary>Stages on one GPU at a time, as far as its memory goes.</summary>
    public int StagesPerGpu { get; init; } = 1;
}

/// <summary>Memory a cell needs [bytes]; null while unknown.</summary>
/// <param name="HostBytes">Of the machine.</param>
/// <param name="GpuBytes">Of a GPU.</param>
internal readonly record struct Need(long? HostBytes, long? GpuBytes);

/// <summary>What cells need: measured where the same work has run before, else planned.</summary>
/// <param name="plan">Of the cells.</param>
/// <param name="store">Holds measured peaks.</param>
/// <param name="planned">Estimate for the device that a cell computes on [bytes]; null where there is none.</param>
internal sealed class CellNeeds(Plan plan, ResultStore store, Func<Cell, long?> planned)
{
    // A process on a GPU: runtime, driver and libraries, and the weights on their way.
    private const long BesideGpu = 4L << 30;
    private const double Margin = 1.05; // of a measured peak
    private readonly ConcurrentDictionary<CellId, Need> _known = new();

    /// <summary>The need of a cell; looked up once.</summary>
    public Need Of(Cell cell) => _known.GetOrAdd(cell.Id, _ => Measured(cell) ?? Planned(cell));

    // Only work with the same parameters on the same ground says how much memory it takes.
    private Need? Measured(Cell cell)
    {
        if (
            store.LastKey(cell.Id) is not { } key
            || store.ReadManifest(key) is not { PeakBytes: > 0 } last
            || last.Stage != cell.Stage.Info.Name
            || !JsonNode.DeepEquals(last.Parameters, cell.ParametersJson)
        )
            return null;
        if (cell.Stage.Info.Resource != Resource.Accelerator)
            return new Need((long)(last.PeakBytes * Margin), null);
        if ((last.Device, last.DType) != (plan.Device, plan.DType))
            return null;
        return new Need(
            (long)(last.PeakBytes * Margin),
            IsOnGpu ? (last.GpuPeakBytes is { } peak ? (long)(peak * Margin) : planned(cell)) : null
        );
    }

    private Need Planned(Cell cell) =>
        cell.Stage.Info.Resource != Resource.Accelerator ? default
        : IsOnGpu ? new Need(BesideGpu, planned(cell))
        : new Need(planned(cell), null);

    private bool IsOnGpu => plan.Device != DeviceNames.Cpu;
}
