namespace EditUnlearn.Pipeline;

/// <summary>How a run is to go.</summary>
public sealed record RunOptions
{
    /// <summary>Threads that may be busy at once.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Memory of the machine that cells may need together [bytes]; null for no limit.</summary>
    public long? HostBytes { get; init; }

    /// <summary>GPUs; none where the run has one device that its name says.</summary>
    public IReadOnlyList<GpuDevice> Gpus { get; init; } = [];

    /// <summary>Stages on one GPU at a time, as far as its memory goes.</summary>
    public int StagesPerGpu { get; init; } = 1;

    /// <summary>Estimated memory of a cell on the run's device [bytes]; null where there is no estimate.</summary>
    public Func<Cell, long?> Planned { get; init; } = _ => null;

    /// <summary>What to change where the memory is not enough for a cell; null where nothing is known.</summary>
    public Func<Cell, string?> Relief { get; init; } = _ => null;

    internal Budget Budget =>
        new()
        {
            Jobs = Jobs,
            HostBytes = HostBytes,
            Gpus = Gpus,
            StagesPerGpu = StagesPerGpu,
        };

    /// <summary>Run these whatever the store holds.</summary>
    public IReadOnlySet<CellId> Force { get; init; } = new HashSet<CellId>();

    /// <summary>
    /// Take the bytes of a forced cell where they differ from those of its key: the earlier result is put aside. The
    /// run waits until it has the store for itself.
    /// </summary>
    public bool AcceptNew { get; init; }

    /// <summary>Go on with what does not depend on a failure.</summary>
    public bool KeepGoing { get; init; }

    /// <summary>Of runtime and libraries, for manifests.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();
}

/// <summary>What became of a cell.</summary>
public enum Outcome
{
    /// <summary>Its result was there.</summary>
    UpToDate,

    /// <summary>An earlier result of the same key was put back in force: nothing ran.</summary>
    Restored,

    /// <summary>It ran.</summary>
    Executed,

    /// <summary>It ran and failed.</summary>
    Failed,

    /// <summary>Not run: something it reads failed, or the run was stopped.</summary>
    NotRun,
}

/// <summary>What became of a cell, and how.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="Outcome">What became of it.</param>
/// <param name="Seconds">Wall time of its run; 0 if none.</param>
/// <param name="Reasons">Why it ran.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="Publication">What became of the result; null where nothing ran to its end.</param>
public sealed record CellOutcome(
    CellId Cell,
    Outcome Outcome,
    double Seconds,
    IReadOnlyList<string> Reasons,
    Exception? Error = null,
    Publication? Publication = null
)
{
    /// <summary>Whether an earlier result of the same key holds other bytes.</summary>
    public bool Nondeterministic => Publication is Pipeline.Publication.FirstStays or Pipeline.Publication.Replaced;
}

/// <summary>What became of a run.</summary>
/// <param name="Cells">In order of completion.</param>
/// <param name="PlannerMilliseconds">From the plan to the first cell that must run, or to the end.</param>
public sealed record RunResult(IReadOnlyList<CellOutcome> Cells, double PlannerMilliseconds)
{
    /// <summary>Keys in force of the cells that have a result, in plan order.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    /// <summary>Number of cells with an outcome.</summary>
    public int Count(Outcome outcome) => Cells.Count(c => c.Outcome == outcome);
}

/// <summary>Told what happens, on the scheduler's thread or, for progress, on any.</summary>
public interface IRunObserver
{
    /// <summary>The number of cells that may have to run.</summary>
    void Planned(int cells);

    /// <summary>A cell starts.</summary>
    void Started(CellId cell, IReadOnlyList<string> reasons);

    /// <summary>A running cell tells something.</summary>
    void Told(CellId cell, StageMessage message);

    /// <summary>A cell is settled.</summary>
    void Finished(CellOutcome outcome);

    /// <summary>The estimate of the time left; null while unknown.</summary>
    void Estimated(TimeSpan? left);

    /// <summary>Somebody else works on the same key.</summary>
    void Waiting(CellId cell, string holder);
}
