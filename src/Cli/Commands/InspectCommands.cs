using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Artifacts;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using Spectre.Console;
using Status = EditUnlearn.Pipeline.Status;

namespace EditUnlearn.Cli.Commands;

/// <summary>
/// Commands that look and change nothing: <c>status</c>, <c>plan</c>, <c>dag</c>, <c>show</c>, <c>log</c>.
/// </summary>
internal sealed class InspectCommands
{
    internal static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Every cell and whether its result is there.</summary>
    [Command("status", Description = "What is stale, and why")]
    public int StatusOf(
        [Argument(Description = "Stages or cells; all when none is named")] string[]? targets = null,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, set);
        var chosen = Targets.Named(study.Plan, targets ?? []).Select(c => c.Id).ToHashSet();
        var all = Status.Of(study.Plan, study.Store, study.Keys).Where(s => chosen.Contains(s.Cell.Id)).ToList();
        study.Files.Save();
        if (json)
        {
            PrintJson(new JsonObject { ["profile"] = study.Plan.Profile, ["cells"] = ToJson(all) });
            return ExitCodes.Done;
        }
        Print([.. all.Where(s => s.State != CellState.UpToDate)], study.Store, study.Plan.Device);
        Console.Out.WriteLine($"{all.Count(s => s.State == CellState.UpToDate)} of {all.Count} stages are up to date.");
        return ExitCodes.Done;
    }

    /// <summary>What <c>repro</c> would run.</summary>
    [Command("plan", Description = "What would run, in order, and how long it should take")]
    public int PlanOf(
        [Argument(Description = "Stages or cells; all when none is named")] string[]? targets = null,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, set);
        var chosen = Targets
            .WithUpstream(study.Plan, Targets.Named(study.Plan, targets ?? []))
            .Select(c => c.Id)
            .ToHashSet();
        var stale = Status
            .Of(study.Plan, study.Store, study.Keys)
            .Where(s => s.State != CellState.UpToDate && chosen.Contains(s.Cell.Id))
            .ToList();
        study.Files.Save();
        if (json)
            PrintJson(new JsonObject { ["profile"] = study.Plan.Profile, ["stale"] = ToJson(stale) });
        else
            Print(stale, study.Store, study.Plan.Device);
        return ExitCodes.Done;
    }

    /// <summary>The graph.</summary>
    [Command("dag", Description = "The graph of stages: text, mermaid or dot")]
    public int Graph(
        [Option("format", Description = "text, mermaid or dot")] string format = "text",
        [Option("full", Description = "One node a cell instead of one a stage")] bool full = false,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null
    )
    {
        var plan = Study.Open(profile, set).Plan;
        Console.Out.Write(
            format switch
            {
                "text" => Dag.Text(plan, full, Screen.Out.Profile.Width),
                "mermaid" => Dag.Mermaid(plan, full),
                "dot" => Dag.Dot(plan, full),
                _ => throw new InputException("--format", $"'{format}' is not a format", "known: text, mermaid, dot"),
            }
        );
        return ExitCodes.Done;
    }

    /// <summary>A result: its manifest, the rows of a table, a text file.</summary>
    [Command(
        "show",
        Description = "A table with its marks: show table1; of a number of a table, table1[...], all that made it; a "
            + "cell's manifest, or with a file name its rows or text: show tables/table1.csv"
    )]
    public int Show(
        [Argument(Description = "A table, a number of one, a cell, or a cell and one of its files")] string target,
        [Option("rows", Description = "Rows of a table to print")] int rows = 20,
        [Option("origin", Description = "Every parameter and option of the cell, and where its value comes from")]
            bool origin = false,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, set);
        if (ProvenanceView.IsNumber(target))
        {
            ProvenanceView.Print(study, target, json);
            return ExitCodes.Done;
        }
        if (!origin && TableShown.Find(study, target) is { } table)
        {
            if (json)
                PrintJson(TableShown.Json(table.Table, table.Caption));
            else
                TableView.Write(Screen.Out, table.Table, table.Caption);
            return ExitCodes.Done;
        }
        var cut = target.LastIndexOf('/');
        var isFile = cut > 0 && !target.EndsWith(']') && study.Plan.Cells.All(c => c.Id.Folder != target);
        var cells = Targets.Named(study.Plan, [isFile ? target[..cut] : target]);
        if (cells.Count > 1)
            throw new InputException(
                target,
                $"means {cells.Count} cells",
                "name one: " + string.Join(", ", cells.Take(4).Select(c => c.Id))
            );
        if (origin)
        {
            OriginView.Print(cells[0], json);
            return ExitCodes.Done;
        }
        var status = Status.Of(study.Plan, study.Store, study.Keys).Single(s => s.Cell.Id.Equals(cells[0].Id));
        if (status.State != CellState.UpToDate)
            throw new InputException(
                cells[0].Id.Text,
                "has no result for the present settings: " + Format.Reasons(status.Reasons),
                $"eu-stage repro '{cells[0].Id}'"
            );
        var manifest = study.Store.ReadManifest(status.Key!)!;
        if (!isFile)
        {
            Console.Out.WriteLine(
                File.ReadAllText(Path.Combine(study.Store.ResultFolder(status.Key!), "manifest.json"))
            );
            return ExitCodes.Done;
        }
        var name = target[(cut + 1)..];
        study.Store.CheckSizes(status.Key!);
        var path = Path.Combine(study.Store.ResultFolder(status.Key!), name);
        if (!File.Exists(path))
            throw new InputException(
                target,
                $"there is no file '{name}'",
                "it wrote " + string.Join(", ", manifest.Outputs.Select(o => o.Name))
            );
        if (name.EndsWith(".parquet", StringComparison.Ordinal))
            Rows(path, rows, json);
        else
            Console.Out.Write(File.ReadAllText(path));
        return ExitCodes.Done;
    }

    /// <summary>The log of a cell's latest run.</summary>
    [Command("log", Description = "What a stage printed when it last ran")]
    public int Log(
        [Argument(Description = "A cell")] string target,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null
    )
    {
        var study = Study.Open(profile, set);
        foreach (var cell in Targets.Named(study.Plan, [target]))
        {
            var log = study.Store.LogFile(cell.Id);
            Console.Out.Write(File.Exists(log) ? File.ReadAllText(log) : $"{cell.Id} has not run here.\n");
        }
        return ExitCodes.Done;
    }

    internal static void PrintJson(JsonNode json) => Console.Out.WriteLine(json.ToJsonString(Indented));

    internal static JsonArray ToJson(IEnumerable<CellStatus> cells) =>
        new([
            .. cells.Select(s => new JsonObject
            {
                ["cell"] = s.Cell.Id.Text,
                ["state"] = JsonNamingPolicy.CamelCase.ConvertName(s.State.ToString()),
                ["key"] = s.Key,
                ["reasons"] = new JsonArray([.. s.Reasons.Select(r => (JsonNode)r)]),
            }),
        ]);

    internal static void Print(IReadOnlyList<CellStatus> stale, ResultStore store, string device)
    {
        if (stale.Count == 0)
        {
            Console.Out.WriteLine("Nothing is stale.");
            return;
        }
        double total = 0;
        foreach (var s in stale)
        {
            var seconds = store.ExpectedSeconds(s.Cell.Id, s.Cell.Stage.Info.Name, device);
            total += seconds ?? 0;
            var lastTime = seconds is { } t ? $" ({Format.Duration(TimeSpan.FromSeconds(t))} last time)" : "";
            Console.Out.WriteLine($"{s.Cell.Id}: {Format.Reasons(s.Reasons)}{lastTime}");
        }
        if (stale.SelectMany(s => s.Missing).DistinctBy(f => f.Path).ToList() is { Count: > 0 } missing)
        {
            Console.Out.WriteLine("Not there yet, and what fetches it:");
            var width = missing.Max(f => f.Path.Length);
            foreach (var file in missing)
                Console.Out.WriteLine($"  {file.Path.PadRight(width)}  {file.Obtain}".TrimEnd());
        }
        // The run knows better once it is there: a cell that has run before is left out when what it reads has the
        // bytes it had.
        var spared = stale.Count(s => s.State == CellState.Waiting && store.LastKey(s.Cell.Id) is not null);
        var work = total > 0 ? $", about {Format.Duration(TimeSpan.FromSeconds(total))} of work as far as known" : "";
        var fewer = spared > 0 ? $"; up to {spared} may be left out when what they read comes out as before" : "";
        Console.Out.WriteLine($"{stale.Count} stages are stale{work}{fewer}.");
    }

    private static void Rows(string path, int limit, bool json)
    {
        var (columns, rows, total) = ParquetTable.ReadAny(path, limit);
        if (json)
        {
            PrintJson(
                new JsonObject
                {
                    ["total"] = total,
                    ["rows"] = new JsonArray([
                        .. rows.Select(r => new JsonObject(
                            columns.Zip(r).Select(p => KeyValuePair.Create(p.First, (JsonNode?)p.Second))
                        )),
                    ]),
                }
            );
            return;
        }
        var table = new Table().Border(TableBorder.Minimal);
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Text(column)));
        foreach (var row in rows)
            table.AddRow(row.Select(v => new Text(v.Length > 60 ? v[..57] + "..." : v)));
        Screen.Out.Write(table);
        Console.Out.WriteLine($"{rows.Count} of {total} rows");
    }
}
