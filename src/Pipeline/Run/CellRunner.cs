using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>Runs one cell after another, or side by side: from its key to a published result, and what it tells.</summary>
/// <param name="plan">Of the cells.</param>
/// <param name="store">Where results go.</param>
/// <param name="keys">Looks at the user's files again.</param>
/// <param name="runner">Runs the attempts.</param>
/// <param name="observer">Told what happens.</param>
/// <param name="keyOf">The key in force of a cell that others read; asked before the first await of a run only.</param>
internal sealed class CellRunner(
    Plan plan,
    ResultStore store,
    KeyResolver keys,
    IStageRunner runner,
    IRunObserver observer,
    Func<CellId, string> keyOf
)
{
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
            var differs = store.Publish(staging, manifest);
            Files.DeleteFolder(scratch);
            return (
                new CellOutcome(id, Outcome.Executed, clock.Elapsed.TotalSeconds, reasons, Nondeterministic: differs),
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
                var key = keyOf(c.Cell);
                store.CheckSizes(key);
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
