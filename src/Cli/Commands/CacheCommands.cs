using System.Globalization;
using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using Status = EditUnlearn.Pipeline.Status;

namespace EditUnlearn.Cli.Commands;

/// <summary>The store of results: <c>cache ls</c>, <c>verify</c>, <c>gc</c>, <c>push</c>, <c>pull</c>.</summary>
internal sealed class CacheCommands(Stopping stopping)
{
    private const int KeyShown = 12;

    /// <summary>Every result.</summary>
    [Command("ls", Description = "Results with size and age; * marks what a profile uses now")]
    public int List(
        [Argument(Description = "Stages or cells; all when none is named")] string[]? targets = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var (study, inForce, _) = Everything();
        var now = DateTimeOffset.UtcNow;
        var all = StoreListing.Of(study.Store);
        // By name only: results of cells that the plan no longer has are listed too.
        var entries = targets is not { Length: > 0 }
            ? all
            : [.. all.Where(e => targets.Any(t => e.Manifest.Cell == t || e.Manifest.Cell.Split('[')[0] == t))];
        if (targets is { Length: > 0 } && entries.Count == 0)
            throw new InputException(
                targets[0],
                "the store has no result of it",
                Spelling.Nearest(
                    targets[0],
                    all.SelectMany(e => (string[])[e.Manifest.Cell, e.Manifest.Cell.Split('[')[0]]).Distinct()
                )
                    is { } near
                    ? $"did you mean '{near}'?"
                    : "cache ls lists all"
            );
        if (json)
        {
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["bytesOnDisk"] = StoreListing.BytesOnDisk(entries),
                    ["results"] = new JsonArray([.. entries.Select(e => Entry(e, inForce))]),
                }
            );
            return ExitCodes.Done;
        }
        var width = entries.Count == 0 ? 0 : entries.Max(e => e.Manifest.Cell.Length);
        foreach (var e in entries)
            Console.Out.WriteLine(
                $"{(inForce.Contains(e.Manifest.Key) ? '*' : ' ')} {e.Manifest.Key[..KeyShown]}  "
                    + $"{e.Manifest.Cell.PadRight(width)}  {Format.Bytes(e.Bytes),9}  {Format.Ago(e.Made, now)}"
            );
        Console.Out.WriteLine(
            $"{entries.Count} results, {Format.Bytes(StoreListing.BytesOnDisk(entries))} on disk, "
                + $"{entries.Count(e => inForce.Contains(e.Manifest.Key))} in use."
        );
        return ExitCodes.Done;
    }

    /// <summary>Reads everything again.</summary>
    [Command(
        "verify",
        Description = "Read every byte again; what is damaged is put aside and the next repro makes it "
            + "again. Exit 5 when anything is"
    )]
    public int Verify(
        [Option('n', Description = "Say what is damaged and leave it in place")] bool dryRun = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var store = Store();
        StoreCheckResult result;
        // A run may read what is to be put aside: better it fails there than that it goes on with other bytes.
        using (var progress = new ByteProgress("verify", json, TimeProvider.System))
            result = StoreCheck.Run(store, quarantine: !dryRun, progress.Report, stopping.Token);
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["results"] = result.Results,
                    ["bytes"] = result.Bytes,
                    ["damage"] = new JsonArray([
                        .. result.Damage.Select(d => new JsonObject
                        {
                            ["cell"] = d.Cell,
                            ["key"] = d.Key,
                            ["message"] = d.Message,
                            ["removed"] = d.Removed,
                        }),
                    ]),
                }
            );
        else
        {
            foreach (var damage in result.Damage)
                Screen.Error(damage.Message);
            Console.Out.WriteLine(
                result.Damage.Count == 0
                    ? $"{result.Results} results, {Format.Bytes(result.Bytes)}: all as they were written."
                    : $"{result.Results} results, {Format.Bytes(result.Bytes)}: {result.Damage.Count} "
                        + $"damaged{(dryRun ? "" : ", put aside; the next repro makes again what is asked for")}. "
                        + "The rest is as it was written."
            );
        }
        return result.Damage.Count == 0 ? ExitCodes.Done : ExitCodes.Damaged;
    }

    /// <summary>Removes what nothing asks for.</summary>
    [Command("gc", Description = "Remove old results that no profile uses; says how much space that frees")]
    public async Task<int> Collect(
        [Option("keep-days", Description = "Keep what is younger than so many days")] double keepDays = 14,
        [Option("max-size", Description = "Remove more, the oldest first, until the rest takes no more: 500MB, 20GB")]
            string? maxSize = null,
        [Option("everything", Description = "Also what the present settings of a profile use")] bool everything = false,
        [Option('n', Description = "Say what would be removed, and remove nothing")] bool dryRun = false,
        [Option("no-wait", Description = "Exit 6 instead of waiting while a run uses the store")] bool noWait = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        new OptionChecks()
            .Between("--keep-days", keepDays, 0, 36500)
            .That(
                maxSize is null || Bytes(maxSize) is not null,
                "--max-size",
                $"'{maxSize}' is not a size",
                "for example 500MB or 20GB"
            )
            .Demand();
        using var alone = dryRun ? null : await AloneAsync(Store(), noWait).ConfigureAwait(false);
        // Only now: a run that has just ended may have put other results in force.
        var (study, inForce, unplanned) = Everything();
        foreach (var note in unplanned)
            Screen.Note(note);
        var policy = new CleaningPolicy
        {
            InForce = inForce,
            Everything = everything,
            Keep = TimeSpan.FromDays(keepDays),
            MaxBytes = maxSize is null ? null : Bytes(maxSize),
            Now = DateTimeOffset.UtcNow,
        };
        var cleaning = StoreCleaner.Plan(study.Store, policy);
        if (!dryRun)
            StoreCleaner.Remove(study.Store, cleaning);
        var freed = cleaning.ResultBytes + cleaning.LeftoverBytes;
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["dryRun"] = dryRun,
                    ["removed"] = new JsonArray([.. cleaning.Results.Select(e => Entry(e, inForce))]),
                    ["leftovers"] = cleaning.Leftovers.Count,
                    ["bytesFreed"] = freed,
                    ["kept"] = cleaning.Kept,
                    ["bytesKept"] = cleaning.KeptBytes,
                }
            );
        else
        {
            foreach (var e in cleaning.Results)
                Console.Out.WriteLine(
                    $"{e.Manifest.Key[..KeyShown]}  {e.Manifest.Cell}  {Format.Bytes(e.Bytes)}  "
                        + $"{Format.Ago(e.Made, policy.Now)}"
                );
            var verb = dryRun ? "would go" : "removed";
            Console.Out.WriteLine(
                $"{cleaning.Results.Count} "
                    + $"results{(cleaning.Leftovers.Count > 0 ? $" and {cleaning.Leftovers.Count} leftovers" : "")} "
                    + $"{verb}, {Format.Bytes(freed)} {(dryRun ? "would be free" : "freed")}; {cleaning.Kept} "
                    + $"results stay, {Format.Bytes(cleaning.KeptBytes)}."
            );
        }
        return ExitCodes.Done;
    }

    /// <summary>Sends results to a folder.</summary>
    [Command(
        "push",
        Description = "Copy results to a folder, for other machines: what is there is not sent again"
    )]
    public async Task<int> Push(
        [Argument(Description = "A folder, of a file server for example; made if need be")] string remote,
        [Option("targets", Description = "Stages or cells; what the profile has in force when none is named")]
            string[]? targets = null,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("all", Description = "Every result of the store, in force or not")] bool all = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, null);
        using var use = await StoreUse.ShareAsync(study.Store, stopping.Token).ConfigureAwait(false);
        var chosen = Targets.Named(study.Plan, targets ?? []).Select(c => c.Id).ToHashSet();
        var keys = all
            ? study.Store.Keys()
            :
            [
                .. Status
                    .Of(study.Plan, study.Store, study.Keys)
                    .Where(s => s.State == CellState.UpToDate && chosen.Contains(s.Cell.Id))
                    .Select(s => s.Key!)
                    .Distinct(),
            ];
        study.Files.Save();
        return Told("sent", StoreExchange.Push(study.Store, remote, keys, null, stopping.Token), json);
    }

    /// <summary>Fetches results from a folder.</summary>
    [Command(
        "pull",
        Description = "Copy results from a folder that was pushed to; every byte is checked on arrival. Exit 5 when "
            + "some are damaged there"
    )]
    public async Task<int> Pull(
        [Argument(Description = "The folder")] string remote,
        [Option("targets", Description = "Stages or cells by their names; all when none is named")]
            string[]? targets = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var store = Store();
        using var use = await StoreUse.ShareAsync(store, stopping.Token).ConfigureAwait(false);
        var (manifests, damage) = StoreExchange.Look(remote);
        var wanted = targets is not { Length: > 0 }
            ? manifests
            : [.. manifests.Where(m => targets.Any(t => m.Cell == t || m.Cell.Split('[')[0] == t))];
        var exchange = StoreExchange.Pull(store, remote, wanted, null, stopping.Token);
        return Told("fetched", exchange with { Damage = [.. damage, .. exchange.Damage] }, json);
    }

    private static int Told(string verb, Exchange exchange, bool json)
    {
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    [verb] = exchange.Results,
                    ["present"] = exchange.Present,
                    ["bytes"] = exchange.Bytes,
                    ["damage"] = new JsonArray([.. exchange.Damage.Select(d => (JsonNode)d)]),
                }
            );
        else
            Console.Out.WriteLine(
                $"{exchange.Results} results {verb}, {Format.Bytes(exchange.Bytes)} copied; {exchange.Present} were "
                    + "there already."
            );
        if (!json)
            foreach (var problem in exchange.Damage)
                Screen.Error(problem);
        return exchange.Damage.Count == 0 ? ExitCodes.Done : ExitCodes.Damaged;
    }

    private async Task<IDisposable> AloneAsync(ResultStore store, bool noWait)
    {
        for (var told = false; ; told = true)
        {
            if (StoreUse.TryExclusive(store) is { } alone)
                return alone;
            var runs = StoreUse.Runs(store) is { Count: > 0 } known ? string.Join(", ", known) : "another process";
            if (noWait)
                throw new ResourceUnavailableException(
                    $"artifacts/.store is in use: {runs}"
                        + "\n  hint: try again when the run is done, or leave out --no-wait"
                );
            if (!told)
                Screen.Note($"waits for a run that uses the store: {runs}");
            await Task.Delay(200, stopping.Token).ConfigureAwait(false);
        }
    }

    private static ResultStore Store() => new(Path.Combine(Study.FindRoot(), "artifacts"));

    // The store, what any profile has in force, and which profiles cannot be planned here.
    private static (Study Study, HashSet<string> InForce, List<string> Unplanned) Everything()
    {
        var study = Study.Open(null, null);
        var (inForce, unplanned) = (new HashSet<string>(StringComparer.Ordinal), new List<string>());
        foreach (var profile in PipelineFile.Read(Path.Combine(study.Root, PipelineFile.FileName)).Profiles)
            try
            {
                var other = profile == study.Plan.Profile ? study : Study.Open(profile, null);
                inForce.UnionWith(
                    Status
                        .Of(other.Plan, other.Store, other.Keys)
                        .Where(s => s.State == CellState.UpToDate)
                        .Select(s => s.Key!)
                );
                // The latest result of a cell that is stale: explain compares with it, and undoing an edit brings it
                // back.
                inForce.UnionWith(other.Plan.Cells.Select(c => other.Store.LastKey(c.Id)).OfType<string>());
                other.Files.Save();
            }
            catch (InputException e)
            {
                unplanned.Add(
                    (
                        $"the profile '{profile}' cannot be planned here, "
                        + $"so only the age protects its results: {e.Problems[0]}"
                    ).ReplaceLineEndings(" ")
                );
            }
        return (study, inForce, unplanned);
    }

    private static JsonObject Entry(StoreEntry e, HashSet<string> inForce) =>
        new()
        {
            ["key"] = e.Manifest.Key,
            ["cell"] = e.Manifest.Cell,
            ["stage"] = e.Manifest.Stage,
            ["bytes"] = e.Bytes,
            ["started"] = e.Manifest.Started,
            ["seconds"] = e.Manifest.Seconds,
            ["inForce"] = inForce.Contains(e.Manifest.Key),
        };

    /// <summary><c>20GB</c> as bytes; null where it is no size.</summary>
    internal static long? Bytes(string size)
    {
        var digits = size.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        var unit = size[digits..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 1.0,
            "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            _ => double.NaN,
        };
        var bytes = double.TryParse(
            size[..digits],
            NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture,
            out var n
        )
            ? n * unit
            : double.NaN;
        return double.IsFinite(bytes) && bytes < 1e18 ? (long)bytes : null;
    }
}
