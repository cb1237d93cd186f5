using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// What a run looks like at this moment: how much is done, who works on what. Thread-safe; both displays read it.
/// </summary>
/// <param name="clock">For what has passed.</param>
/// <param name="on">What the run is of and where it runs, one line.</param>
/// <param name="memory">Resident bytes of what each running cell has to itself; null where nobody knows.</param>
internal sealed class RunBoard(
    TimeProvider clock,
    string on = "",
    Func<IReadOnlyDictionary<CellId, long>>? memory = null
)
{
    private readonly Lock _gate = new();
    private readonly List<Line> _running = [];
    private readonly long _start = clock.GetTimestamp();
    private int _total,
        _done;
    private double? _secondsLeft;

    /// <summary>One running cell.</summary>
    /// <param name="Cell">Its name.</param>
    /// <param name="Share">Done, 0 to 1, or null while unknown.</param>
    /// <param name="What">What it says it is doing.</param>
    /// <param name="Elapsed">Since it started.</param>
    public readonly record struct Line(CellId Cell, double? Share, string? What, long Elapsed);

    /// <summary>A consistent picture.</summary>
    public sealed record Picture(
        int Done,
        int Total,
        TimeSpan Elapsed,
        TimeSpan? Left,
        IReadOnlyList<(CellId Cell, double? Share, string? What, TimeSpan Elapsed)> Running
    )
    {
        /// <summary>What the run is of and where it runs.</summary>
        public string On { get; init; } = "";

        /// <summary>Resident bytes by cell.</summary>
        public IReadOnlyDictionary<CellId, long> Memory { get; init; } = new Dictionary<CellId, long>();
    }

    public void Planned(int total)
    {
        lock (_gate)
            _total = total;
    }

    public void Started(CellId cell)
    {
        lock (_gate)
            _running.Add(new Line(cell, null, null, clock.GetTimestamp()));
    }

    public void Progressed(CellId cell, double done, double total, string? what)
    {
        lock (_gate)
        {
            var i = _running.FindIndex(l => l.Cell.Equals(cell));
            if (i >= 0)
                _running[i] = _running[i] with
                {
                    Share = total > 0 ? Math.Clamp(done / total, 0, 1) : null,
                    What = what ?? _running[i].What,
                };
        }
    }

    public void Finished(CellId cell)
    {
        lock (_gate)
        {
            _running.RemoveAll(l => l.Cell.Equals(cell));
            _done++;
        }
    }

    /// <summary>The engine's estimate of the time left, from earlier durations and the progress of what runs.</summary>
    public void Estimated(TimeSpan? left)
    {
        lock (_gate)
            _secondsLeft = left?.TotalSeconds;
    }

    public Picture Look()
    {
        var bytes = memory?.Invoke() ?? new Dictionary<CellId, long>();
        lock (_gate)
            return new Picture(
                _done,
                _total,
                clock.GetElapsedTime(_start),
                _secondsLeft is { } s ? TimeSpan.FromSeconds(s) : null,
                [.. _running.Select(l => (l.Cell, l.Share, l.What, clock.GetElapsedTime(l.Elapsed)))]
            )
            {
                On = on,
                Memory = bytes,
            };
    }
}
