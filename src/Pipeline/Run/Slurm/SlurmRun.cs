using System.Diagnostics;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// A run whose cells are Slurm jobs: all are submitted at once, each after those it reads, and may go on when this
/// process ends. The same command later attaches to them.
/// </summary>
/// <remarks>
/// A job is known by its name and comment, never by its number: a controller that restarts from an older state gives
/// numbers again. The comment is a ticket, an attempt and a number drawn for it; the ticket is the cell's key where
/// that is known, and where it is not yet, a hash of everything that will decide it. See docs/slurm.md.
/// </remarks>
public sealed class SlurmRun
{
    private const int TicketShown = 12;
    private readonly Plan _plan;
    private readonly ResultStore _store;
    private readonly KeyResolver _keys;
    private readonly IRunObserver _observer;
    private readonly SlurmOptions _slurm;
    private readonly ISlurm _commands;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<CellOutcome> _settled = [];
    private readonly Dictionary<CellId, Outcome> _outcomes = [];
    private readonly Dictionary<CellId, string> _tickets = [];
    private readonly Dictionary<CellId, Live> _live = [];
    private readonly Dictionary<CellId, JobResources> _resources = [];
    private readonly Dictionary<CellId, int> _attempts = []; // number of the last one, earlier runs included
    private readonly Dictionary<CellId, int> _tries = []; // of this run
    private readonly List<TimeSpan> _submitted = [];
    private readonly QueueStall _stall = new();
    private readonly HashSet<CellId> _held = []; // to be sent only when all they read is there

    /// <summary>Prepares a run.</summary>
    public SlurmRun(Plan plan, ResultStore store, KeyResolver keys, IRunObserver observer, SlurmOptions slurm)
        : this(plan, store, keys, observer, slurm, new SlurmCommands(Known(slurm).Arguments)) { }

    internal SlurmRun(
        Plan plan,
        ResultStore store,
        KeyResolver keys,
        IRunObserver observer,
        SlurmOptions slurm,
        ISlurm commands
    )
    {
        (_plan, _store, _keys, _observer) = (plan, store, keys, observer);
        (_slurm, _commands) = (slurm, commands);
    }

    // A job that is in Slurm, or was and still gives signs of life.
    private sealed record Live(Cell Cell, string? Id, JobFolder Folder, JobWatch Watch)
    {
        public bool Started { get; set; }

        public long Beat { get; set; }
    }

    /// <summary>How long submitting each job took.</summary>
    public IReadOnlyList<TimeSpan> Submitted => _submitted;

    /// <summary>Told of what a person should know: lost jobs, jobs found again.</summary>
    public Action<string> Note { get; init; } = _ => { };

    /// <summary>Numbers of jobs that are still in Slurm.</summary>
    public IReadOnlyList<string> Left => [.. _live.Values.Select(l => l.Id).OfType<string>()];

    /// <summary>Runs the given cells; what they read outside the list must be there.</summary>
    /// <param name="cells">In plan order.</param>
    /// <param name="options">How; threads and devices are each job's own affair.</param>
    /// <param name="cancelled">Ends the waiting; jobs stay where they are.</param>
    public async Task<RunResult> RunAsync(IReadOnlyList<Cell> cells, RunOptions options, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(cells);
        ArgumentNullException.ThrowIfNull(options);
        using var use = await StoreUse.ShareAsync(_store, cancelled).ConfigureAwait(false);
        var absent = cells.SelectMany(_keys.Missing).DistinctBy(f => f.Path).ToList();
        if (absent.Count > 0 && !options.KeepGoing)
            throw Failures.NotThere(absent);
        _observer.Planned(cells.Count);
        var open = Sift(cells, options);
        var planner = _clock.Elapsed.TotalMilliseconds;
        Attach(open);
        var stopped = false;
        var (asked, rows) = (_clock.Elapsed - _slurm.Poll, (IReadOnlyList<QueueRow>?)null);
        while (open.Count > 0 && !cancelled.IsCancellationRequested)
        {
            if (_live.Count > 0 && _clock.Elapsed - asked >= _slurm.Poll)
            {
                (asked, rows) = (_clock.Elapsed, _commands.Queue());
                if (_stall.Look([.. (rows ?? []).Where(IsOwn)]) is { } stalled)
                    Note(stalled);
            }
            foreach (var job in _live.Values.ToList())
                Look(job, rows, options);
            open.RemoveAll(c => _outcomes.ContainsKey(c.Id));
            if (!stopped && !options.KeepGoing && _outcomes.ContainsValue(Outcome.Failed))
            {
                stopped = true;
                _commands.Cancel([.. _live.Values.Where(l => !l.Started).Select(l => l.Id).OfType<string>()]);
                foreach (var waiting in _live.Values.Where(l => !l.Started).ToList())
                    _live.Remove(waiting.Cell.Id);
            }
            if (!stopped)
                Submit(open, options);
            else if (_live.Count == 0)
                break;
            open.RemoveAll(c => _outcomes.ContainsKey(c.Id));
            await Task.Delay(_slurm.Poll / 10, CancellationToken.None).ConfigureAwait(false);
        }
        foreach (var cell in open)
            Settle(new CellOutcome(cell.Id, Outcome.NotRun, 0, ["the run was stopped"]));
        return new RunResult(_settled, planner);
    }

    private bool IsOwn(QueueRow row) => _live.Values.Any(l => l.Folder.Comment == row.Comment);

    // What is there needs no job. The others get a ticket.
    private List<Cell> Sift(IReadOnlyList<Cell> cells, RunOptions options)
    {
        var status = Status.Of(_plan, _store, _keys).ToDictionary(s => s.Cell.Id);
        var chosen = cells.Select(c => c.Id).ToHashSet();
        var outputs = new Dictionary<CellId, IReadOnlyDictionary<string, string>>();
        var open = new List<Cell>();
        foreach (var cell in _plan.Cells)
        {
            var known = status[cell.Id];
            if (known.State == CellState.Missing)
            {
                if (chosen.Contains(cell.Id))
                    Settle(new CellOutcome(cell.Id, Outcome.Failed, 0, [], Failures.NotThere(known.Missing)));
                continue;
            }
            if (known.State == CellState.UpToDate)
                outputs[cell.Id] = _store.Find(known.Key!)!;
            if (!cell.Inputs.OfType<CellOutputInput>().All(i => outputs.ContainsKey(i.Cell)))
                continue; // below a file that is not there
            if (known.State == CellState.UpToDate && (!options.Force.Contains(cell.Id) || !chosen.Contains(cell.Id)))
            {
                if (chosen.Contains(cell.Id))
                    Adopt(cell.Id, known.Key!);
                continue;
            }
            var ticket = _keys.Of(cell, id => outputs[id]).Key;
            _tickets[cell.Id] = ticket;
            // Stands for the outputs that will be there.
            outputs[cell.Id] = cell.Stage.Info.Outputs.ToDictionary(o => o, o => $"ticket/{ticket}/{o}");
            if (chosen.Contains(cell.Id))
                open.Add(cell);
        }
        Refuse(cells, open, options);
        return open;
    }

    // What is read must be there or be made by this run.
    private void Refuse(IReadOnlyList<Cell> cells, List<Cell> open, RunOptions options)
    {
        foreach (var cell in cells.Where(c => !_outcomes.ContainsKey(c.Id) && !_tickets.ContainsKey(c.Id)))
            Settle(new CellOutcome(cell.Id, Outcome.NotRun, 0, ["what it reads has no result"]));
        var chosen = cells.Select(c => c.Id).ToHashSet();
        var outside = open
            .SelectMany(c => c.Inputs.OfType<CellOutputInput>())
            .Select(i => i.Cell)
            .Where(i => !chosen.Contains(i) && _tickets.ContainsKey(i))
            .Distinct()
            .ToList();
        if (outside.Count > 0)
            throw new InputException([
                .. outside.Select(m => new InputProblem(
                    m.Text,
                    0,
                    0,
                    "is stale, and --only leaves it out",
                    "run without --only"
                )),
            ]);
        var (needs, forecast) = (new CellNeeds(_plan, _store, options.Planned), new Forecast(_plan.Device, _store));
        foreach (var cell in open)
            _resources[cell.Id] = JobResources.Of(cell, needs.Of(cell), forecast.Expected(cell), _slurm.Gres);
    }

    // Jobs of an earlier process with the same aim: those in the queue, and those that Slurm has forgotten.
    private void Attach(List<Cell> open)
    {
        var rows = (_commands.Queue() ?? []).ToLookup(r => r.Comment);
        var found = 0;
        foreach (var cell in open)
            foreach (var folder in JobFolder.Attempts(_store, _tickets[cell.Id]))
            {
                _attempts[cell.Id] = folder.Attempt;
                var row = rows[folder.Comment].FirstOrDefault(r => r.Name == NameOf(cell.Id));
                var inQueue = row is { State: "PENDING" or "RUNNING" or "CONFIGURING" or "SUSPENDED" };
                if (folder.Result() is not null || (!inQueue && !(folder.Silence() < _slurm.Grace)))
                    continue;
                _live[cell.Id] = new Live(cell, row?.Id, folder, new JobWatch(_slurm, _commands.ExitOf));
                found++;
            }
        if (found > 0)
            Note($"{found} jobs of an earlier run are still there: waiting for them");
    }

    private void Look(Live job, IReadOnlyList<QueueRow>? rows, RunOptions options)
    {
        var (result, beat) = (job.Folder.Result(), job.Folder.Beat());
        var row = rows?.FirstOrDefault(r => r.Comment == job.Folder.Comment && r.Name == NameOf(job.Cell.Id));
        var (phase, loss) = job.Watch.Look(
            new JobSight(_clock.Elapsed, result is not null, beat?.Count, rows is not null, row)
        );
        if (phase == JobPhase.Lost)
        {
            Lose(job, row, loss, options);
            return;
        }
        if (beat is not null && !job.Started)
        {
            job.Started = true;
            _observer.Started(job.Cell.Id, ["in Slurm as job " + (job.Id ?? "of an earlier run")]);
        }
        if (beat is { Total: > 0 } && beat.Count != job.Beat)
        {
            job.Beat = beat.Count;
            _observer.Told(job.Cell.Id, new StageMessage(StageMessageKind.Progress, beat.What, beat.Done, beat.Total));
        }
        if (result is not null)
            Take(job, result);
    }

    private void Take(Live job, JobResult result)
    {
        _live.Remove(job.Cell.Id);
        if (result is { Outcome: Outcome.NotRun, Failure: null })
        {
            // It came too early: a job it waited for is not the one that it should have been.
            _held.Add(job.Cell.Id);
            if (_tries[job.Cell.Id] < RetryRule.Of(Loss.Dependency).Attempts)
                return;
        }
        if (result.Outcome is not (Outcome.Failed or Outcome.NotRun))
        {
            Adopt(job.Cell.Id, result.Key!, settle: false);
            foreach (var folder in JobFolder.Attempts(_store, _tickets[job.Cell.Id]))
                Files.DeleteFolder(folder.Path);
        }
        Settle(
            new CellOutcome(
                job.Cell.Id,
                result.Outcome,
                result.Seconds,
                result.Reasons,
                result.Failure?.ToException(),
                result.Publication
            )
        );
    }

    private void Lose(Live job, QueueRow? row, Loss loss, RunOptions options)
    {
        var id = job.Cell.Id;
        _live.Remove(id);
        // By number only where name and comment have just been seen under it.
        if (row is not null)
            _commands.Cancel([row.Id]);
        var rule = RetryRule.Of(loss);
        if (_tries.GetValueOrDefault(id, 1) >= rule.Attempts)
        {
            Settle(new CellOutcome(id, Outcome.Failed, 0, [Words(loss)], Ended(job, loss, options)));
            return;
        }
        var resources = _resources[id];
        _resources[id] = resources with
        {
            Bytes = rule.MoreMemory ? 2 * resources.Bytes : resources.Bytes,
            Time = rule.MoreTime ? 2 * resources.Time : resources.Time,
        };
        if (loss == Loss.Dependency)
            _held.Add(id);
        else
            Note($"{id}: {Words(loss)}; sent again as attempt {_attempts[id] + 1}");
    }

    private Exception Ended(Live job, Loss loss, RunOptions options)
    {
        var text = $"{Words(loss)} (attempt {_attempts[job.Cell.Id]})";
        var tail = job.Folder.LogTail();
        if (tail.Length > 0)
            text += "\n" + tail;
        var bytes = Dispatcher.Bytes(_resources[job.Cell.Id].Bytes);
        return loss switch
        {
            Loss.Memory => new ResourceUnavailableException(
                $"{text}\n  limit: {bytes} asked for\n  hint: "
                    + (options.Relief(job.Cell) ?? "ask for more: --slurm-args=--mem=64G")
            ),
            Loss.Time => new ResourceUnavailableException(text + "\n  hint: allow more: --slurm-args=--time=12:00:00"),
            Loss.Node or Loss.Preempted or Loss.Silent or Loss.Vanished or Loss.Cancelled =>
                new ResourceUnavailableException(text + "\n  hint: run the same command again"),
            _ => new StageFailedException(text + $"\n  job's log: {job.Folder.Log}"),
        };
    }

    private static string Words(Loss loss) =>
        loss switch
        {
            Loss.Silent => "the job says nothing any more though Slurm calls it running",
            Loss.Vanished => "Slurm has lost the job, and it says nothing",
            Loss.NoResult => "the job ended without a result",
            Loss.Node => "its node failed",
            Loss.Preempted => "the job was preempted",
            Loss.Time => "the job ran into its time limit",
            Loss.Memory => "the job was killed, as happens when memory runs out",
            Loss.Cancelled => "somebody cancelled the job",
            Loss.Dependency => "a job it waited for was lost",
            _ => "the job could not start",
        };

    // In plan order, so that those it reads have their numbers.
    private void Submit(List<Cell> open, RunOptions options)
    {
        foreach (var cell in open)
        {
            if (_live.ContainsKey(cell.Id) || _outcomes.ContainsKey(cell.Id))
                continue;
            var sources = cell.Inputs.OfType<CellOutputInput>().Select(i => i.Cell).Distinct().ToList();
            if (sources.FirstOrDefault(IsLost) is { } lost)
            {
                Settle(new CellOutcome(cell.Id, Outcome.NotRun, 0, [$"{lost} has no result"]));
                continue;
            }
            if (_live.Count >= _slurm.Queue)
                break;
            var waits = sources.Where(s => _tickets.ContainsKey(s) && !_outcomes.ContainsKey(s)).ToList();
            if (waits.Any(w => !_live.ContainsKey(w)) || (waits.Count > 0 && _held.Contains(cell.Id)))
                continue;
            // Two names of the same work: one after the other, and the second finds it done.
            var twin = _live.Values.FirstOrDefault(l => _tickets[l.Cell.Id] == _tickets[cell.Id]);
            string?[] after = [.. waits.Select(w => _live[w].Id), twin?.Id];
            if (waits.Any(w => _live[w].Id is null) || (twin is not null && twin.Id is null))
                continue; // a job that Slurm has forgotten cannot be waited for
            Send(cell, [.. after.OfType<string>().Distinct()], options);
        }
    }

    private bool IsLost(CellId cell) =>
        _outcomes.GetValueOrDefault(cell, Outcome.UpToDate) is Outcome.Failed or Outcome.NotRun;

    private void Send(Cell cell, IReadOnlyList<string> after, RunOptions options)
    {
        var attempt = _attempts[cell.Id] = _attempts.GetValueOrDefault(cell.Id) + 1;
        var folder = JobFolder.New(_store, _tickets[cell.Id], attempt);
        folder.Write(
            new JobOrder(
                cell.Id.Text,
                _plan.Profile,
                _slurm.Sets,
                options.Force.Contains(cell.Id),
                _slurm.Heartbeat.TotalSeconds
            ),
            JobScript.Of([.. _slurm.Program, folder.Path], _slurm.Variables, Environment.GetEnvironmentVariable)
        );
        var start = _clock.Elapsed;
        string id;
        try
        {
            id = _commands.Submit(
                new Submission(
                    NameOf(cell.Id),
                    folder,
                    _plan.Root,
                    _resources[cell.Id],
                    after,
                    options.KeepGoing
                )
            );
        }
        catch (ResourceUnavailableException) when (after.Count > 0 && _commands.Queue() is not null)
        {
            // What it waits for is not known to Slurm any more.
            _held.Add(cell.Id);
            return;
        }
        _submitted.Add(_clock.Elapsed - start);
        _tries[cell.Id] = _tries.GetValueOrDefault(cell.Id) + 1;
        _held.Remove(cell.Id);
        _live[cell.Id] = new Live(cell, id, folder, new JobWatch(_slurm, _commands.ExitOf));
    }

    private void Adopt(CellId id, string key, bool settle = true)
    {
        var outcome = _store.LastKey(id) == key ? Outcome.UpToDate : Outcome.Restored;
        if (settle || _store.Find(key) is not null)
            _store.Show(id, key);
        if (settle)
            Settle(new CellOutcome(id, outcome, 0, []));
    }

    private void Settle(CellOutcome outcome)
    {
        _settled.Add(outcome);
        _outcomes[outcome.Cell] = outcome.Outcome;
        _observer.Finished(outcome);
    }

    // Another checkout's job on the same cell is another job.
    private string NameOf(CellId cell) =>
        $"eus:{cell.Text}:{CodeIdentity.Sha256($"{_tickets[cell]} {_store.Folder}")[..TicketShown]}";

    private static SlurmOptions Known(SlurmOptions slurm)
    {
        ArgumentNullException.ThrowIfNull(slurm);
        return slurm;
    }
}
