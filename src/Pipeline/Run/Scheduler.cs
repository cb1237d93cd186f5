using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>How a run is to go.</summary>
public sealed record RunOptions
{
    /// <summary>Threads that may be busy at once.</summary>
    public int Jobs { get; init; } = 1;

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
    private readonly Dictionary<CellId, (long Start, double Share)> _running = [];
    private readonly List<CellOutcome> _settled = [];
    private readonly Lock _gate = new();
    private (string? Commit, bool? Dirty)? _git;

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
        var work = new Work(cells);
        var forecast = new Forecast(plan.Device, store);
        // A run that has nothing to do asks for neither.
        var urgency = new Lazy<(IReadOnlyDictionary<CellId, double> Chain, HashSet<CellId> Soon)>(() =>
            (forecast.ChainSeconds(cells), Soon(cells))
        );
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
            lock (_gate)
                observer.Estimated(forecast.Left(cells.Where(c => !settled.Contains(c.Id)), _running, options.Jobs));
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

    // Starts what may start, the most urgent first.
    private void Start(
        Work work,
        (IReadOnlyDictionary<CellId, double> Chain, HashSet<CellId> Soon) urgency,
        RunOptions options,
        CancellationToken cancelled
    )
    {
        var waited = false; // whether a cell that somebody waits for has to wait for threads: others leave them
        foreach (
            var next in work
                .Ready.OrderByDescending(r => urgency.Soon.Contains(r.Cell.Id))
                .ThenByDescending(r => urgency.Chain[r.Cell.Id])
                .ToList()
        )
        {
            var isSoon = urgency.Soon.Contains(next.Cell.Id);
            if (waited && !isSoon)
                break;
            if (ThreadsFor(next, work, isSoon, options.Jobs) is > 0 and var threads)
            {
                work.Ready.Remove(next);
                work.Running.Add(RunCellAsync(next, threads, options, cancelled), (next, threads));
            }
            else
            {
                waited |= isSoon && next.Cell.Stage.Info.Threads > 1;
            }
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
    private sealed class Work(IReadOnlyList<Cell> cells)
    {
        public List<Cell> Waiting { get; } = [.. cells];

        public List<KeyedCell> Ready { get; } = [];

        public Dictionary<Task<(CellOutcome Outcome, string Key)>, (KeyedCell Keyed, int Threads)> Running { get; } =
            [];

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
                    Settle(work, new CellOutcome(cell.Id, Outcome.Failed, 0, [], Failures.NotThere(missing)));
                    continue;
                }
                var keyed = keys.Of(cell, id => _outputs[id]);
                if (!options.Force.Contains(cell.Id) && store.Find(keyed.Key) is { } found)
                    Settle(work, Adopt(keyed, found));
                else
                    work.Ready.Add(keyed);
            }
            else
            {
                work.Waiting.Add(cell);
            }
        }
    }

    // How many threads a cell may start with beside those that run; 0 where it has to wait: for threads, for the
    // accelerator, which one at a time has, or for the same work under another name. Two cells with a thread each get
    // more done than one with two (docs/performance.md), so threads are joined only where nothing else can use them, or
    // where somebody waits for the cell.
    private int ThreadsFor(KeyedCell keyed, Work work, bool soon, int jobs)
    {
        var (info, running) = (keyed.Cell.Stage.Info, work.Running.Values);
        if (running.Any(r => r.Keyed.Key == keyed.Key))
            return 0;
        if (
            info.Resource == Resource.Accelerator
            && plan.Device != DeviceNames.Cpu
            && running.Any(r => r.Keyed.Cell.Stage.Info.Resource == Resource.Accelerator)
        )
            return 0;
        var free = Math.Max(0, jobs - running.Sum(r => r.Threads));
        var wanted = Math.Min(info.Threads, jobs);
        if (soon)
            return running.Count == 0 || free >= wanted ? wanted : 0;
        var others = work.Ready.Count(r => !ReferenceEquals(r, keyed));
        return Math.Min(wanted, Math.Max(free - others, Math.Min(free, 1)));
    }

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

    private async Task<(CellOutcome Outcome, string Key)> RunCellAsync(
        KeyedCell keyed,
        int threads,
        RunOptions options,
        CancellationToken cancelled
    )
    {
        var (cell, id) = (keyed.Cell, keyed.Cell.Id);
        var started = DateTime.UtcNow;
        var clock = Stopwatch.StartNew();
        IReadOnlyList<string> reasons = options.Force.Contains(id) ? ["forced"] : Status.Reasons(plan, store, keyed);
        try
        {
            var scratch = store.ScratchFolder(keyed.Key);
            var staging = Path.Combine(store.Folder, "scratch", $"{keyed.Key}.{Environment.ProcessId}.out");
            // Before the first await: reads what the loop writes.
            var job = Job(keyed, staging, scratch) with
            {
                Threads = threads,
            };
            using var held = await store
                .LockAsync(keyed.Key, holder => observer.Waiting(id, holder), cancelled)
                .ConfigureAwait(false);
            // Another run may have made it while this one waited for the lock.
            if (!options.Force.Contains(id) && store.Find(keyed.Key) is not null)
                return (new CellOutcome(id, Outcome.Restored, 0, ["made by another run meanwhile"]), keyed.Key);
            lock (_gate)
                _running[id] = (Stopwatch.GetTimestamp(), 0);
            observer.Started(id, reasons);
            await using var log = new StreamWriter(store.LogFile(id), append: false) { AutoFlush = true };
            ClearAttempts(keyed.Key);
            await log.WriteLineAsync($"# {id} {started:yyyy-MM-ddTHH:mm:ssZ} key {keyed.Key}").ConfigureAwait(false);
            foreach (var reason in reasons)
                await log.WriteLineAsync($"# {reason}").ConfigureAwait(false);
            var result = await runner.RunAsync(job, m => Tell(id, log, m), cancelled).ConfigureAwait(false);
            clock.Stop();
            var manifest = Manifest((keyed, threads), started, clock.Elapsed.TotalSeconds, result, options);
            var became = store.Publish(staging, manifest, options.AcceptNew && options.Force.Contains(id));
            Files.DeleteFolder(scratch);
            return (
                new CellOutcome(id, Outcome.Executed, clock.Elapsed.TotalSeconds, reasons, Publication: became),
                keyed.Key
            );
        }
        catch (OperationCanceledException)
        {
            return (
                new CellOutcome(id, Outcome.NotRun, clock.Elapsed.TotalSeconds, ["the run was stopped"]),
                keyed.Key
            );
        }
        catch (Exception e) when (IsFailure(e))
        {
            return (new CellOutcome(id, Outcome.Failed, clock.Elapsed.TotalSeconds, reasons, e), keyed.Key);
        }
        finally
        {
            lock (_gate)
                _running.Remove(id);
        }
    }

    private static bool IsFailure(Exception e) =>
        e
            is StageFailedException
                or InputException
                or DamagedFileException
                or IOException
                or ResourceUnavailableException;

    // Left behind by attempts that were killed; the lock says that none of them is alive.
    private void ClearAttempts(string key)
    {
        foreach (var old in Directory.EnumerateDirectories(Path.Combine(store.Folder, "scratch"), $"{key}.*.out"))
            Files.DeleteFolder(old);
    }

    private void Tell(CellId id, StreamWriter log, StageMessage message)
    {
        lock (_gate)
        {
            if (message.Kind == StageMessageKind.Progress)
                _running[id] = (_running[id].Start, message.Total > 0 ? message.Done / message.Total : 0);
            else
                log.WriteLine(message.Kind == StageMessageKind.Warning ? "warning: " + message.Text : message.Text);
        }
        observer.Told(id, message);
    }

    private StageJob Job(KeyedCell keyed, string staging, string scratch)
    {
        var inputs = new List<JobInput>();
        foreach (var input in keyed.Cell.Inputs)
            if (input is CellOutputInput c)
            {
                var key = _keys[c.Cell];
                store.CheckSizes(key);
                // The key says what was read; --accept-new of another cell with the same key can have changed it.
                if (store.Find(key)?.GetValueOrDefault(c.Output) != _outputs[c.Cell][c.Output])
                    throw new StageFailedException(
                        $"{c.Cell} holds other bytes than it did\n  hint: run the same command again"
                    );
                inputs.Add(
                    new JobInput(
                        c.Name,
                        c.Cell.Stage,
                        c.Cell.Axes,
                        StandIn(c, key) ?? Path.Combine(store.ResultFolder(key), c.Output)
                    )
                );
            }
            else if (input is FileInput f)
            {
                inputs.Add(new JobInput(f.Name, null, [], Path.GetFullPath(f.Path, plan.Root)));
            }
        return new StageJob(
            keyed.Cell.Stage.Info.Name,
            keyed.Cell.Id.Stage,
            keyed.Cell.Id.Axes,
            keyed.Cell.ParametersJson,
            inputs,
            staging,
            scratch,
            plan.Device,
            plan.DType
        );
    }

    // The user's folder in place of an output that only names its content. It must still be the one that was looked at.
    private string? StandIn(CellOutputInput input, string key)
    {
        var producer = plan.Cells.First(c => c.Id.Equals(input.Cell));
        if (producer.Stage.Info is not { StandsFor: { } name } info || input.Output != info.Outputs[0])
            return null;
        var file = producer.Inputs.OfType<FileInput>().Single(i => i.Name == name);
        if (keys.Missing(producer).Count > 0)
            throw Failures.NotThere([file]);
        if (keys.ContentOf(file) != store.ReadManifest(key)!.Inputs.Single(i => i.Name == name).Hash)
            throw new StageFailedException(
                $"{file.Path} has changed since {producer.Id} looked at it\n  hint: run the same command again"
            );
        return Path.GetFullPath(file.Path, plan.Root);
    }

    private Manifest Manifest(
        (KeyedCell Keyed, int Threads) ran,
        DateTime started,
        double seconds,
        StageResult result,
        RunOptions options
    )
    {
        var (keyed, threads) = ran;
        var info = keyed.Cell.Stage.Info;
        var onDevice = info.Resource == Resource.Accelerator;
        (string? Commit, bool? Dirty) git;
        lock (_gate)
            git = _git ??= Git.Describe(plan.Root);
        return new Manifest
        {
            Cell = keyed.Cell.Id.Text,
            Stage = info.Name,
            Key = keyed.Key,
            Code = keyed.Code,
            Parameters = keyed.Cell.ParametersJson,
            Inputs = keyed.Inputs,
            Outputs = result.Outputs,
            Started = started.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            Seconds = Math.Round(seconds, 3),
            CpuSeconds = Math.Round(result.CpuSeconds, 3),
            PeakBytes = result.PeakBytes,
            Device = onDevice ? plan.Device : null,
            DType = onDevice ? plan.DType : null,
            Numerics = onDevice ? plan.Numerics : null,
            Surroundings = keyed.Surroundings,
            Threads = threads,
            Seed =
                keyed.Cell.ParametersJson["seed"] is { } seed
                && ulong.TryParse(seed.ToString(), CultureInfo.InvariantCulture, out var s)
                    ? s
                    : null,
            Versions = options.Versions,
            Commit = git.Commit,
            Dirty = git.Dirty,
            Metrics = result.Metrics,
            Warnings = result.Warnings,
        };
    }
}

/// <summary>Asks git about the checkout.</summary>
internal static class Git
{
    public static (string? Commit, bool? Dirty) Describe(string root)
    {
        var commit = Ask(root, "rev-parse", "HEAD");
        return commit is null
            ? (null, null)
            : (commit.Trim(), Ask(root, "status", "--porcelain", "--untracked-files=no") is { Length: > 0 });
    }

    private static string? Ask(string root, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo("git")
            {
                WorkingDirectory = root,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            foreach (var a in arguments)
                start.ArgumentList.Add(a);
            using var git = Process.Start(start);
            if (git is null)
                return null;
            var answer = git.StandardOutput.ReadToEnd();
            git.WaitForExit();
            return git.ExitCode == 0 ? answer : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null; // git is not installed
        }
    }
}
