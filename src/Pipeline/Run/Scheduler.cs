using System.Diagnostics;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>Runs what is stale: in order of dependence, several cells side by side, the longest chains first.</summary>
/// <remarks>
/// Keys are worked out when the inputs are there, so an unchanged output stops a rerun, and an old key is found again:
/// both are one lookup.
/// </remarks>
public sealed class Scheduler(
    Plan plan,
    ResultStore store,
    KeyResolver keys,
    IStageRunner runner,
    IRunObserver observer
)
{
    private readonly Dictionary<CellId, IReadOnlyDictionary<string, string>> _outputs = [];
    private readonly Dictionary<CellId, string> _keys = [];
    private readonly List<CellOutcome> _settled = [];

    /// <summary>Runs the given cells; what they read outside the list must be there.</summary>
    /// <param name="cells">In plan order.</param>
    /// <param name="options">How.</param>
    /// <param name="cancelled">Stops the run.</param>
    public async Task<RunResult> RunAsync(IReadOnlyList<Cell> cells, RunOptions options, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(cells);
        ArgumentNullException.ThrowIfNull(options);
        using var use = await UseAsync(cells, options, cancelled).ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        double? planner = null;
        // Nobody wants to learn after a night of work that a file was never there.
        var absent = cells.SelectMany(keys.Missing).DistinctBy(f => f.Path).ToList();
        if (absent.Count > 0 && !options.KeepGoing)
            throw Failures.NotThere(absent);
        Outside(cells);
        var needs = new CellNeeds(plan, store, options.Planned);
        var work = new Work(
            cells,
            new CellRunner((plan, store, keys), runner, observer, id => (_keys[id], _outputs[id]), needs),
            new Dispatcher(plan, options.Budget, needs.Of)
        );
        var forecast = new Forecast(plan.Device, store);
        // A run that has nothing to do does not ask.
        var urgency = new Lazy<Urgency>(() => new Urgency(forecast.ChainSeconds(cells), Soon(cells)));
        var stopped = false;

        observer.Planned(cells.Count);
        Sift(work, options);
        while (work.Ready.Count > 0 || work.Running.Count > 0)
        {
            planner ??= clock.Elapsed.TotalMilliseconds;
            stopped |= cancelled.IsCancellationRequested;
            if (!stopped)
                Start(work, urgency.Value, options, cancelled);
            if (work.Running.Count == 0)
                break;
            var settled = _settled.Select(s => s.Cell).ToHashSet();
            var left = cells.Where(c => !settled.Contains(c.Id)).ToList();
            work.Runs.Look(running => observer.Estimated(forecast.Left(left, running, options.Jobs)));
            var tick = Task.Delay(1000, CancellationToken.None);
            if (await Task.WhenAny(work.Running.Keys.Append<Task>(tick)).ConfigureAwait(false) == tick)
                continue;
            foreach (var done in work.Running.Keys.Where(t => t.IsCompleted).ToList())
            {
                work.Running.Remove(done);
                var (outcome, key) = await done.ConfigureAwait(false);
                if (outcome.Outcome is Outcome.Executed or Outcome.Restored)
                    InForce(outcome.Cell, key, store.Find(key)!);
                Settle(work, outcome);
                if (outcome.Outcome == Outcome.Failed && !options.KeepGoing)
                    stopped = true;
                AdoptTwins(work, key, options);
            }
            Sift(work, options);
        }
        foreach (var cell in work.Ready.Select(r => r.Cell).Concat(work.Waiting))
            Settle(work, new CellOutcome(cell.Id, Outcome.NotRun, 0, ["the run was stopped"]));
        return new RunResult(_settled, planner ?? clock.Elapsed.TotalMilliseconds)
        {
            Keys = [.. cells.Select(c => _keys.GetValueOrDefault(c.Id)).OfType<string>()],
        };
    }

    private Task<IDisposable> UseAsync(IReadOnlyList<Cell> cells, RunOptions options, CancellationToken cancelled) =>
        options.AcceptNew && cells.Count > 0
            ? StoreUse.AloneAsync(store, holder => observer.Waiting(cells[0].Id, holder), cancelled)
            : StoreUse.ShareAsync(store, cancelled);

    private static void Start(Work work, Urgency urgency, RunOptions options, CancellationToken cancelled)
    {
        foreach (var (cell, place) in work.Dispatcher.Choose(work.Ready, work.Running.Values, urgency))
        {
            work.Ready.Remove(cell);
            work.Running.Add(work.Runs.RunAsync(cell, place, options, cancelled), (cell, place));
        }
    }

    // Cells that are the same work under another name waited for it.
    private void AdoptTwins(Work work, string key, RunOptions options)
    {
        var twins = work.Ready.Where(r => r.Key == key && !options.Force.Contains(r.Cell.Id)).ToList();
        if (twins.Count == 0 || store.Find(key) is not { } made)
            return;
        foreach (var twin in twins)
        {
            work.Ready.Remove(twin);
            Settle(work, Adopt(twin, made));
        }
    }

    // What somebody wants to see soon, with all that it reads.
    private static HashSet<CellId> Soon(IReadOnlyList<Cell> cells)
    {
        var found = new HashSet<CellId>();
        foreach (var cell in cells.Reverse())
            if (cell.IsSoon || found.Contains(cell.Id))
                found.UnionWith(cell.Inputs.OfType<CellOutputInput>().Select(i => i.Cell).Append(cell.Id));
        return found;
    }

    // The cells of one run that are not settled, by what is known of them, and those that have no result.
    private sealed class Work(IReadOnlyList<Cell> cells, CellRunner runs, Dispatcher dispatcher)
    {
        public CellRunner Runs { get; } = runs;

        public Dispatcher Dispatcher { get; } = dispatcher;

        public List<Cell> Waiting { get; } = [.. cells];

        public List<KeyedCell> Ready { get; } = [];

        public Dictionary<Task<(CellOutcome Outcome, string Key)>, (KeyedCell Cell, Place Place)> Running { get; } = [];

        public HashSet<CellId> Lost { get; } = [];
    }

    private void Settle(Work work, CellOutcome outcome)
    {
        _settled.Add(outcome);
        if (outcome.Outcome is Outcome.Failed or Outcome.NotRun)
            work.Lost.Add(outcome.Cell);
        observer.Finished(outcome);
    }

    // Until nothing more becomes known: what is there, what must run, what cannot.
    private void Sift(Work work, RunOptions options)
    {
        // Those that go on waiting are written down anew: taking single ones out of a long list takes its square.
        var waiting = work.Waiting.ToList();
        work.Waiting.Clear();
        foreach (var cell in waiting)
        {
            var sources = cell.Inputs.OfType<CellOutputInput>().Select(s => s.Cell).ToList();
            if (sources.Any(work.Lost.Contains))
            {
                var reason = $"{sources.First(work.Lost.Contains)} has no result";
                Settle(work, new CellOutcome(cell.Id, Outcome.NotRun, 0, [reason]));
            }
            else if (sources.All(_outputs.ContainsKey))
            {
                if (keys.Missing(cell) is { Count: > 0 } missing)
                {
                    Settle(work, Failed(cell, Failures.NotThere(missing)));
                    continue;
                }
                var keyed = keys.Of(cell, id => _outputs[id]);
                if (!options.Force.Contains(cell.Id) && store.Find(keyed.Key) is { } found)
                    Settle(work, Adopt(keyed, found));
                else if (work.Dispatcher.Refusal(cell) is { } refusal)
                    Settle(work, Failed(cell, Failures.TooLarge(refusal, options.Relief(cell))));
                else
                    work.Ready.Add(keyed);
            }
            else
            {
                work.Waiting.Add(cell);
            }
        }
    }

    private static CellOutcome Failed(Cell cell, Exception e) => new(cell.Id, Outcome.Failed, 0, [], e);

    // What the chosen cells read but are not to run themselves.
    private void Outside(IReadOnlyList<Cell> cells)
    {
        var chosen = cells.Select(c => c.Id).ToHashSet();
        foreach (var cell in plan.Cells)
        {
            if (
                chosen.Contains(cell.Id)
                || !cell.Inputs.OfType<CellOutputInput>().All(i => _outputs.ContainsKey(i.Cell))
                || keys.Missing(cell).Count > 0
            )
                continue;
            var keyed = keys.Of(cell, id => _outputs[id]);
            if (store.Find(keyed.Key) is not { } found)
                continue;
            _outputs[cell.Id] = found;
            _keys[cell.Id] = keyed.Key;
        }
        var missing = cells
            .SelectMany(c => c.Inputs)
            .OfType<CellOutputInput>()
            .Select(i => i.Cell)
            .Distinct()
            .Where(i => !chosen.Contains(i) && !_outputs.ContainsKey(i))
            .ToList();
        // Cells that read a chosen one cannot be known yet; they are no input of it either, so whatever is missing here
        // is stale.
        if (missing.Count > 0)
            throw new InputException([
                .. missing.Select(m => new InputProblem(
                    m.Text,
                    0,
                    0,
                    "is stale, and --only leaves it out",
                    "run without --only"
                )),
            ]);
    }

    private CellOutcome Adopt(KeyedCell keyed, IReadOnlyDictionary<string, string> found)
    {
        var id = keyed.Cell.Id;
        var outcome = store.LastKey(id) == keyed.Key ? Outcome.UpToDate : Outcome.Restored;
        InForce(id, keyed.Key, found);
        return new CellOutcome(id, outcome, 0, []);
    }

    // Only the scheduler's own loop writes these, so readers there need no lock.
    private void InForce(CellId id, string key, IReadOnlyDictionary<string, string> outputs)
    {
        _outputs[id] = outputs;
        _keys[id] = key;
        store.Show(id, key);
    }
}
