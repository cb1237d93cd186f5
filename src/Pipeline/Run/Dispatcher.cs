using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>What a cell holds while it runs.</summary>
/// <param name="Threads">Threads.</param>
/// <param name="Gpu">Id of its GPU; null for none, or for the one device of the run.</param>
/// <param name="HostBytes">Memory of the machine.</param>
/// <param name="GpuBytes">Memory of its GPU; null while unknown: nothing else may be there.</param>
internal readonly record struct Place(int Threads, string? Gpu, long HostBytes, long? GpuBytes);

/// <summary>How urgent cells are.</summary>
/// <param name="Chain">Expected seconds of the longest chain that begins with a cell.</param>
/// <param name="Soon">Cells that somebody waits for.</param>
internal sealed record Urgency(IReadOnlyDictionary<CellId, double> Chain, IReadOnlySet<CellId> Soon);

/// <summary>
/// Decides which cells start now, and on what: the most urgent first, each GPU for one stage at a time (or as many as
/// are allowed and fit), never more memory than there is. Keeps no state and knows no clock.
/// </summary>
/// <param name="plan">Of the cells.</param>
/// <param name="budget">What there is.</param>
/// <param name="needOf">What a cell needs; asked only where there is a budget.</param>
internal sealed class Dispatcher(Plan plan, Budget budget, Func<Cell, Need> needOf)
{
    // Of a stage that nothing is known of: the runtime and some data.
    private const long UnknownHost = 1L << 30;

    // A run on a device that its name says has one slot, whose memory is not known.
    private readonly IReadOnlyList<GpuDevice?> _gpus = budget.Gpus.Count > 0 ? [.. budget.Gpus] : [(GpuDevice?)null];

    /// <summary>Cells to start, with what they get.</summary>
    /// <param name="ready">All that may start.</param>
    /// <param name="running">All that runs.</param>
    /// <param name="urgency">Which go first.</param>
    public IReadOnlyList<(KeyedCell Cell, Place Place)> Choose(
        IReadOnlyList<KeyedCell> ready,
        IEnumerable<(KeyedCell Cell, Place Place)> running,
        Urgency urgency
    )
    {
        var busy = running.ToList();
        var started = new List<(KeyedCell Cell, Place Place)>();
        var waited = false; // whether a cell that somebody waits for has to wait for threads: others leave them
        foreach (
            var next in ready
                .OrderByDescending(r => urgency.Soon.Contains(r.Cell.Id))
                .ThenByDescending(r => urgency.Chain[r.Cell.Id])
        )
        {
            var soon = urgency.Soon.Contains(next.Cell.Id);
            if (waited && !soon)
                break;
            if (PlaceFor(next, busy, soon, ready.Count - started.Count - 1) is { } place)
            {
                started.Add((next, place));
                busy.Add((next, place));
            }
            else
            {
                waited |= soon && next.Cell.Stage.Info.Threads > 1;
            }
        }
        return started;
    }

    /// <summary>Why a cell can never start here; null where it can.</summary>
    public string? Refusal(Cell cell)
    {
        if (budget.HostBytes is null && budget.Gpus.All(g => g.Bytes is null))
            return null;
        var need = needOf(cell);
        if (need.HostBytes > budget.HostBytes)
            return $"needs {Bytes(need.HostBytes.Value)} of memory, and the run may use "
                + Bytes(budget.HostBytes.Value);
        if (!IsOnGpu(cell) || need.GpuBytes is not { } wanted || budget.Gpus.Count == 0)
            return null;
        return budget.Gpus.Any(g => g.Bytes is null || wanted <= g.Bytes)
            ? null
            : $"needs {Bytes(wanted)} on a GPU, and the largest has {Bytes(budget.Gpus.Max(g => g.Bytes!.Value))}";
    }

    /// <summary>For people: 18.2 GB.</summary>
    public static string Bytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB");

    // Null where it has to wait: for threads, for memory, for a GPU, or for the same work under another name.
    private Place? PlaceFor(
        KeyedCell keyed,
        IReadOnlyList<(KeyedCell Cell, Place Place)> busy,
        bool soon,
        int others
    )
    {
        if (busy.Any(b => b.Cell.Key == keyed.Key))
            return null;
        var budgeted = budget.HostBytes is not null || budget.Gpus.Any(g => g.Bytes is not null);
        var need = budgeted ? needOf(keyed.Cell) : default;
        var host = need.HostBytes ?? UnknownHost;
        // One alone may always run: what can never fit was refused before.
        if (busy.Count > 0 && busy.Sum(b => b.Place.HostBytes) + host > budget.HostBytes)
            return null;
        if (!IsOnGpu(keyed.Cell))
            return Threads(keyed, busy, soon, others) is > 0 and var threads ? new Place(threads, null, host, 0) : null;
        var gpus = _gpus.Where(g => Fits(g, need.GpuBytes, busy)).ToList();
        if (gpus.Count == 0)
            return null;
        // The emptiest, and of those the smallest that is enough: large ones are left to those that need them.
        var gpu = gpus.OrderBy(g => On(g, busy).Count()).ThenBy(g => g?.Bytes ?? long.MaxValue).First();
        // A stage on a GPU waits for it most of the time: it does not wait for a thread.
        return new Place(Math.Max(1, Threads(keyed, busy, soon, others)), gpu?.Id, host, need.GpuBytes);
    }

    // Two cells with a thread each get more done than one with two (docs/performance.md), so threads are joined only
    // where nothing else can use them, or where somebody waits for the cell.
    private int Threads(
        KeyedCell keyed,
        IReadOnlyList<(KeyedCell Cell, Place Place)> busy,
        bool soon,
        int others
    )
    {
        var free = Math.Max(0, budget.Jobs - busy.Sum(b => b.Place.Threads));
        var info = keyed.Cell.Stage.Info;
        var wanted = Math.Min(info.Threads, budget.Jobs);
        // On a GPU it would only keep them from stages of the processor.
        var most = IsOnGpu(keyed.Cell) ? wanted : Math.Min(Math.Max(info.Threads, info.SpareThreads), budget.Jobs);
        var left = Math.Min(most, Math.Max(free - others, Math.Min(free, 1)));
        if (soon)
            return busy.Count == 0 || free >= wanted ? Math.Max(wanted, left) : 0;
        return left;
    }

    private bool Fits(GpuDevice? gpu, long? need, IReadOnlyList<(KeyedCell Cell, Place Place)> busy)
    {
        var there = On(gpu, busy).ToList();
        if (gpu?.Bytes < need)
            return false;
        if (there.Count == 0)
            return true;
        return there.Count < budget.StagesPerGpu
            && gpu?.Bytes is { } bytes
            && need is { } wanted
            && there.All(t => t.Place.GpuBytes is not null)
            && there.Sum(t => t.Place.GpuBytes!.Value) + wanted <= bytes;
    }

    private IEnumerable<(KeyedCell Cell, Place Place)> On(
        GpuDevice? gpu,
        IEnumerable<(KeyedCell Cell, Place Place)> busy
    ) => busy.Where(b => IsOnGpu(b.Cell.Cell) && b.Place.Gpu == gpu?.Id);

    private bool IsOnGpu(Cell cell) =>
        cell.Stage.Info.Resource == Resource.Accelerator && plan.Device != DeviceNames.Cpu;
}
