using System.Text.Json;
using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>repro</c>: brings the study up to date.</summary>
internal sealed class ReproCommand(Stopping stopping)
{
    /// <summary>Names of <c>--executor</c>.</summary>
    internal const string Local = "local",
        Slurm = "slurm";

    /// <summary>Runs what is stale.</summary>
    [Command("repro", Description = "Run what is stale, and nothing else")]
    public async Task<int> Repro(
        [Argument(Description = "Stages or cells, such as tables or apply[rome]; all when none is named")]
            string[]? targets = null,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting: pretrain.steps=200")] string[]? set = null,
        [Option("numerics", Description = "portable (the same bytes on every machine) or native (fastest here)")]
            string? numerics = null,
        [Option('j', Description = "Threads that may be busy at once; 0 for one a core")] int jobs = 0,
        [Option("memory", Description = "Memory that stages may need together, such as 64GB")] string? memory = null,
        [Option("gpus", Description = "How many GPUs to use, such as 2, or which: id=0,3; all that are seen")]
            string? gpus = null,
        [Option("gpu-memory", Description = "Memory of each GPU that stages may need, such as 40GB")]
            string? gpuMemory = null,
        [Option("stages-per-gpu", Description = "Stages on one GPU at a time, as far as its memory goes")]
            int stagesPerGpu = 1,
        [Option("executor", Description = "local, or slurm: a job for every stale cell (docs/slurm.md)")]
            string executor = Local,
        [Option("slurm-args", Description = "Further arguments of sbatch, such as '--partition=gpu --account=x'")]
            string? slurmArgs = null,
        [Option("slurm-gres", Description = "What accelerator stages ask for: gpu:1 where the device is a GPU")]
            string? slurmGres = null,
        [Option("slurm-queue", Description = "Jobs in the queue at once")] int slurmQueue = 200,
        [Option("slurm-env", Description = "A variable that jobs see too; never one with a secret")]
            string[]? slurmEnv = null,
        [Option('n', Description = "Say what would run, and run nothing")] bool dryRun = false,
        [Option('f', Description = "Run the named cells whatever the store holds; all when none is named")]
            bool force = false,
        [Option(
            "accept-new",
            Description = "With --force: take the bytes that a cell gives now where they differ; the earlier result "
                + "is put aside"
        )]
            bool acceptNew = false,
        [Option('k', Description = "Go on with what does not depend on a failure")] bool keepGoing = false,
        [Option("only", Description = "Leave out what the targets read; it must be there")] bool only = false,
        [Option("downstream", Description = "Also bring up to date what reads the targets")] bool downstream = false,
        [Option("frozen", Description = "Run nothing; exit 3 when something is stale")] bool frozen = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        if (executor is not (Local or Slurm))
            throw new InputException("--executor", $"'{executor}' is not one", $"known: {Local}, {Slurm}");
        if (acceptNew && !force)
            throw new InputException("--accept-new", "goes with --force", "name the cells that shall run again");
        if (acceptNew && executor == Slurm)
            throw new InputException("--accept-new", "needs the store for itself, and jobs share it", "run it locally");
        var before = NoOpStamp.Sources.Before(Study.FindRoot(), AppContext.BaseDirectory);
        string[] sets = numerics is null ? set ?? [] : [.. set ?? [], $"numerics={numerics}"];
        var study = Study.Open(profile, sets);
        var named = Targets.Named(study.Plan, targets ?? []);
        var wanted = downstream ? Targets.WithDownstream(study.Plan, named) : named;
        var cells = only ? wanted : Targets.WithUpstream(study.Plan, wanted);
        var request = new RunRequest
        {
            Jobs = jobs,
            Memory = memory,
            GpusWanted = executor == Slurm ? null : gpus,
            GpuMemory = gpuMemory,
            StagesPerGpu = stagesPerGpu,
        };
        if (dryRun || frozen)
            return Look(study, cells, frozen, json);
        var options = request.Options(study) with
        {
            Force = force ? (targets is { Length: > 0 } ? named : cells).Select(c => c.Id).ToHashSet() : [],
            AcceptNew = acceptNew,
            KeepGoing = keepGoing,
        };
        if (executor == Slurm)
        {
            var slurm = RunRequest.Slurm(study, sets, slurmArgs, slurmGres, slurmQueue, slurmEnv ?? []);
            return Report(study, await OnSlurmAsync(study, cells, options, slurm, json).ConfigureAwait(false), json);
        }
        before.Add(study.Plan, study.Store);
        RunResult result;
        await using (var runner = RunRequest.Workers(study))
        await using (var reporter = new RunReporter(quiet: json, Where(study.Plan, options.Jobs), runner.Memory))
            result = await new Scheduler(study.Plan, study.Store, study.Keys, runner, reporter)
                .RunAsync(cells, options, stopping.Token)
                .ConfigureAwait(false);
        study.Files.Save();
        if (!force && !only && !downstream && numerics is null)
            NoOpStamp.Write(NoOp.Request(profile, set, targets), study.Plan, study.Store, result, before);
        return Report(study, result, json);
    }

    private async Task<RunResult> OnSlurmAsync(
        Study study,
        IReadOnlyList<Cell> cells,
        RunOptions options,
        SlurmOptions slurm,
        bool json
    )
    {
        await using var reporter = new RunReporter(quiet: json);
        var run = new SlurmRun(study.Plan, study.Store, study.Keys, reporter, slurm) { Note = reporter.Line };
        var result = await run.RunAsync(cells, options, stopping.Token).ConfigureAwait(false);
        study.Files.Save();
        // The median: a controller that restarts keeps a job waiting.
        if (run.Submitted.Order().ToList() is { Count: > 0 } times)
            reporter.Line(
                FormattableString.Invariant(
                    $"{times.Count} jobs submitted, {times[times.Count / 2].TotalMilliseconds:0.0} ms each"
                )
            );
        if (run.Left.Count > 0)
            reporter.Line(
                $"{run.Left.Count} jobs stay in Slurm; the same command finds them again\n  to end them: scancel "
                    + string.Join(' ', run.Left)
            );
        return result;
    }

    // Run through the muxer, the program's own assembly is its first argument; run as an apphost it is not.
    internal static IEnumerable<string> OwnAssembly() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [Path.Combine(AppContext.BaseDirectory, typeof(ReproCommand).Assembly.GetName().Name + ".dll")]
            : [];

    private static string Where(Plan plan, int threads) =>
        $"{plan.Profile} on {plan.Device}, {plan.DType}, {threads} {(threads == 1 ? "thread" : "threads")}";

    private static int Look(Study study, IReadOnlyList<Cell> cells, bool frozen, bool json)
    {
        var chosen = cells.Select(c => c.Id).ToHashSet();
        var stale = Status
            .Of(study.Plan, study.Store, study.Keys)
            .Where(s => s.State != CellState.UpToDate && chosen.Contains(s.Cell.Id))
            .ToList();
        study.Files.Save();
        if (json)
            InspectCommands.PrintJson(new JsonObject { ["stale"] = InspectCommands.ToJson(stale) });
        else
            InspectCommands.Print(stale, study.Store, study.Plan.Device);
        return frozen && stale.Count > 0 ? ExitCodes.Stale : ExitCodes.Done;
    }

    private static int Report(Study study, RunResult result, bool json)
    {
        var failed = result.Cells.Where(c => c.Outcome == Outcome.Failed).ToList();
        if (json)
            InspectCommands.PrintJson(
                Json(
                    study.Plan.Profile,
                    new Counts(
                        result.Count(Outcome.UpToDate),
                        result.Count(Outcome.Executed),
                        result.Count(Outcome.Restored),
                        failed.Count,
                        result.Count(Outcome.NotRun)
                    ),
                    result.PlannerMilliseconds,
                    [.. result.Cells.Where(c => c.Outcome != Outcome.UpToDate).Select(CellJson)]
                )
            );
        foreach (var cell in failed)
            Screen.Error(
                $"{cell.Cell}: {cell.Error!.Message}\n  log: "
                    + $"{Path.GetRelativePath(Directory.GetCurrentDirectory(), study.Store.LogFile(cell.Cell))}"
            );
        if (!json)
            Screen.Note(Summary(result, Path.GetRelativePath(Directory.GetCurrentDirectory(), study.Store.Artifacts)));
        return failed
            .Select(f => ErrorFilter.CodeOf(f.Error!) ?? ExitCodes.StageFailed)
            .DefaultIfEmpty(ExitCodes.Done)
            .Max();
    }

    /// <summary>How many cells came out how.</summary>
    internal sealed record Counts(int UpToDate, int Executed = 0, int Restored = 0, int Failed = 0, int NotRun = 0);

    /// <summary>What <c>--json</c> prints.</summary>
    internal static JsonObject Json(string profile, Counts counts, double planner, JsonNode[] cells) =>
        new()
        {
            ["profile"] = profile,
            ["executed"] = counts.Executed,
            ["restored"] = counts.Restored,
            ["upToDate"] = counts.UpToDate,
            ["failed"] = counts.Failed,
            ["notRun"] = counts.NotRun,
            ["timings"] = new JsonObject
            {
                ["plannerMilliseconds"] = Math.Round(planner, 1),
                ["processMilliseconds"] = Math.Round(
                    (DateTime.Now - System.Diagnostics.Process.GetCurrentProcess().StartTime).TotalMilliseconds
                ),
            },
            ["cells"] = new JsonArray(cells),
        };

    private static JsonObject CellJson(CellOutcome c) =>
        new()
        {
            ["cell"] = c.Cell.Text,
            ["outcome"] = JsonNamingPolicy.CamelCase.ConvertName(c.Outcome.ToString()),
            ["seconds"] = Math.Round(c.Seconds, 3),
            ["reasons"] = new JsonArray([.. c.Reasons.Select(r => (JsonNode)r)]),
            ["error"] = c.Error?.Message,
            ["publication"] = c.Publication is { } became
                ? JsonNamingPolicy.CamelCase.ConvertName(became.ToString())
                : null,
        };

    /// <summary>What a run without work says.</summary>
    internal static string NothingToDo(int upToDate) => $"Nothing to do: {upToDate} stages are up to date.";

    private static string Summary(RunResult result, string artifacts)
    {
        var ran = result.Count(Outcome.Executed);
        var upToDate = result.Count(Outcome.UpToDate) + result.Count(Outcome.Restored);
        var failed = result.Count(Outcome.Failed);
        var notRun = result.Count(Outcome.NotRun);
        if (ran == 0 && failed == 0 && notRun == 0)
            return NothingToDo(upToDate);
        var text = $"{ran} stages run, {upToDate} up to date";
        if (failed > 0)
            text += $", {failed} failed";
        if (notRun > 0)
            text += $", {notRun} not run";
        return $"{text}. Results: {artifacts}/";
    }
}
