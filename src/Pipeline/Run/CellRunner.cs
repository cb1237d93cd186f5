using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>Runs cells, one by one or side by side: from a key to a published result.</summary>
/// <param name="study">The plan of the cells, where results go, and who looks at the user's files again.</param>
/// <param name="runner">Runs the attempts.</param>
/// <param name="observer">Told what happens.</param>
/// <param name="inForce">
/// The key in force of a cell that others read, and the hashes of its outputs; asked before the first await of a run
/// only.
/// </param>
/// <param name="needs">What cells need, for messages.</param>
internal sealed class CellRunner(
    (Plan Plan, ResultStore Store, KeyResolver Keys) study,
    IStageRunner runner,
    IRunObserver observer,
    Func<CellId, (string Key, IReadOnlyDictionary<string, string> Outputs)> inForce,
    CellNeeds needs
)
{
    private readonly Plan _plan = study.Plan;
    private readonly ResultStore _store = study.Store;
    private readonly KeyResolver _keys = study.Keys;
    private readonly Dictionary<CellId, (long Start, double Share)> _running = [];
    private readonly Lock _gate = new();
    private (string? Commit, bool? Dirty)? _git;

    /// <summary>Since when cells run and how far they are, 0 to 1, while nothing changes.</summary>
    public void Look(Action<IReadOnlyDictionary<CellId, (long Start, double Share)>> look)
    {
        lock (_gate)
            look(_running);
    }

    /// <summary>Runs a cell to its end; what can be expected to go wrong is part of the outcome.</summary>
    public async Task<(CellOutcome Outcome, string Key)> RunAsync(
        KeyedCell keyed,
        Place place,
        RunOptions options,
        CancellationToken cancelled
    )
    {
        var (cell, id) = (keyed.Cell, keyed.Cell.Id);
        var started = DateTime.UtcNow;
        var clock = Stopwatch.StartNew();
        IReadOnlyList<string> reasons = options.Force.Contains(id) ? ["forced"] : Status.Reasons(_plan, _store, keyed);
        try
        {
            var scratch = _store.ScratchFolder(keyed.Key);
            var staging = Path.Combine(_store.Folder, "scratch", $"{keyed.Key}.{Environment.ProcessId}.out");
            // Before the first await: reads what the loop writes.
            var job = Job(keyed, staging, scratch) with
            {
                Threads = place.Threads,
                Gpu = place.Gpu,
            };
            using var held = await _store
                .LockAsync(keyed.Key, holder => observer.Waiting(id, holder), cancelled)
                .ConfigureAwait(false);
            // Another run may have made it while this one waited for the lock.
            if (!options.Force.Contains(id) && _store.Find(keyed.Key) is not null)
                return (new CellOutcome(id, Outcome.Restored, 0, ["made by another run meanwhile"]), keyed.Key);
            lock (_gate)
                _running[id] = (Stopwatch.GetTimestamp(), 0);
            observer.Started(id, reasons);
            await using var log = new StreamWriter(_store.LogFile(id), append: false) { AutoFlush = true };
            ClearAttempts(keyed.Key);
            await log.WriteLineAsync($"# {id} {started:yyyy-MM-ddTHH:mm:ssZ} key {keyed.Key}").ConfigureAwait(false);
            foreach (var reason in reasons)
                await log.WriteLineAsync($"# {reason}").ConfigureAwait(false);
            var (result, fallback) = await AttemptAsync(cell, job, m => Tell(id, log, m), options, cancelled)
                .ConfigureAwait(false);
            clock.Stop();
            var manifest = Manifest((keyed, place.Threads), started, clock.Elapsed.TotalSeconds, result, options) with
            {
                Fallback = fallback,
            };
            var became = _store.Publish(staging, manifest, options.AcceptNew && options.Force.Contains(id));
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

    // Once more in another way where the stage knows one: that is no retry, but what it declares.
    private async Task<(StageResult Result, string? Fallback)> AttemptAsync(
        Cell cell,
        StageJob job,
        Action<StageMessage> tell,
        RunOptions options,
        CancellationToken cancelled
    )
    {
        try
        {
            return (await runner.RunAsync(job, tell, cancelled).ConfigureAwait(false), null);
        }
        catch (Exception e) when (MemoryShortage.Of(e) is { } shortage)
        {
            if (cell.Stage.Info.OnOutOfMemory is not { } words)
                throw Failures.OutOfMemory(cell, shortage, needs.Of(cell), false, options.Relief(cell));
            tell(new StageMessage(StageMessageKind.Warning, $"memory ran out ({shortage.Text}): {words}"));
            Files.DeleteFolder(job.Staging);
            try
            {
                var result = await runner.RunAsync(job with { FellBack = true }, tell, cancelled).ConfigureAwait(false);
                return (result, $"{words}: {shortage.Text}");
            }
            catch (Exception again) when (MemoryShortage.Of(again) is { } more)
            {
                throw Failures.OutOfMemory(cell, more, needs.Of(cell), true, options.Relief(cell));
            }
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
        foreach (var old in Directory.EnumerateDirectories(Path.Combine(_store.Folder, "scratch"), $"{key}.*.out"))
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
                var (key, outputs) = inForce(c.Cell);
                _store.CheckSizes(key);
                // The key says what was read; --accept-new of another cell with the same key can have changed it.
                if (_store.Find(key)?.GetValueOrDefault(c.Output) != outputs[c.Output])
                    throw new StageFailedException(
                        $"{c.Cell} holds other bytes than it did\n  hint: run the same command again"
                    );
                inputs.Add(
                    new JobInput(
                        c.Name,
                        c.Cell.Stage,
                        c.Cell.Axes,
                        StandIn(c, key) ?? Path.Combine(_store.ResultFolder(key), c.Output)
                    )
                );
            }
            else if (input is FileInput f)
            {
                inputs.Add(new JobInput(f.Name, null, [], Path.GetFullPath(f.Path, _plan.Root)));
            }
        return new StageJob(
            keyed.Cell.Stage.Info.Name,
            keyed.Cell.Id.Stage,
            keyed.Cell.Id.Axes,
            keyed.Cell.ParametersJson,
            inputs,
            staging,
            scratch,
            _plan.Device,
            _plan.DType
        );
    }

    // The user's folder in place of an output that only names its content. It must still be the one that was looked at.
    private string? StandIn(CellOutputInput input, string key)
    {
        var producer = _plan.Cells.First(c => c.Id.Equals(input.Cell));
        if (producer.Stage.Info is not { StandsFor: { } name } info || input.Output != info.Outputs[0])
            return null;
        var file = producer.Inputs.OfType<FileInput>().Single(i => i.Name == name);
        if (_keys.Missing(producer).Count > 0)
            throw Failures.NotThere([file]);
        if (_keys.ContentOf(file) != _store.ReadManifest(key)!.Inputs.Single(i => i.Name == name).Hash)
            throw new StageFailedException(
                $"{file.Path} has changed since {producer.Id} looked at it\n  hint: run the same command again"
            );
        return Path.GetFullPath(file.Path, _plan.Root);
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
            git = _git ??= Git.Describe(_plan.Root);
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
            GpuPeakBytes = result.GpuPeakBytes,
            Device = onDevice ? _plan.Device : null,
            DType = onDevice ? _plan.DType : null,
            Numerics = onDevice ? _plan.Numerics : null,
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
