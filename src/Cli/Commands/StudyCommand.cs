using System.Globalization;
using System.Security.Cryptography;
using Cocona;
using EditUnlearn.Artifacts;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.HumanStudy;
using EditUnlearn.Pipeline;
using Status = EditUnlearn.Pipeline.Status;

namespace EditUnlearn.Cli.Commands;

/// <summary>
/// The human study: <c>study export</c> writes blind sheets, <c>study import</c> reads what comes back.
/// </summary>
internal sealed class StudyCommand
{
    /// <summary>Writes sheets and forms for raters.</summary>
    [Command("export", Description = "Write blind rating sheets and forms: study export --out DIR 'answer[facts-40]'")]
    public int Export(
        [Argument(
            Description = "Cells of answers, or Parquet or JSON Lines files; LABEL=PATH tells two runs of one "
                + "method apart. All of answer when none is named"
        )]
            string[]? answers = null,
        [Option("out", Description = "Folder to write; must be new or empty")] string output = "study",
        [Option("raters", Description = "How many raters, or their names: 20, or anna,ben")] string raters = "20",
        [Option("items", Description = "How many questions to draw; 0 for all")] int items = 0,
        [Option("split", Description = "The split whose answers are rated")] string split = SplitNames.Forget,
        [Option("assignment", Description = "full (everyone rates all) or balanced(3) (three raters an item)")]
            string assignment = "full",
        [Option("attention", Description = "Attention items a sheet")] int attention = 2,
        [Option("seed", Description = "Of all draws")] long seed = 17,
        [Option("salt", Description = "Of the item codes; drawn when left out")] string? salt = null,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var groups = Answers(answers ?? [], split, profile, set);
        var design = StudyDesign.Of(groups.Groups, Options(raters, items, split, assignment, attention, seed, salt));
        var notes = StudyExport.Write(design, output);
        foreach (var note in notes)
            Screen.Note("warning: " + note);
        var loads = design.Sheets.Select(s => s.Value.Count).ToList();
        if (json)
            InspectCommands.PrintJson(
                new System.Text.Json.Nodes.JsonObject
                {
                    ["folder"] = output,
                    ["raters"] = design.Sheets.Count,
                    ["methods"] = design.Groups.Count,
                    ["items"] = design.Items.Count(i => i.Attention is null),
                    ["smallestSheet"] = loads.Min(),
                    ["largestSheet"] = loads.Max(),
                    ["standIns"] = StandInsJson(groups.StandIns),
                    ["warnings"] = new System.Text.Json.Nodes.JsonArray([
                        .. notes.Select(n => (System.Text.Json.Nodes.JsonNode)n),
                    ]),
                }
            );
        else
        {
            Console.Out.WriteLine(
                $"{design.Sheets.Count} sheets of "
                    + $"{(loads.Min() == loads.Max() ? $"{loads[0]}" : $"{loads.Min()} to {loads.Max()}")} items in "
                    + $"{output}: {design.Groups.Count} methods, "
                    + $"{design.Items.Where(i => i.Attention is null).Select(i => i.Answer.Id).Distinct().Count()} "
                    + "questions."
            );
            Console.Out.WriteLine(
                "Give each rater form-NAME.html or sheet-NAME.csv, and instructions.md. "
                    + $"Keep {StudyKey.FileName} to yourself."
            );
            Console.Out.WriteLine("Automatic stand-ins, to look at before raters are paid; they are not human scores:");
            foreach (var (label, values) in groups.StandIns)
                Console.Out.WriteLine(
                    $"  {label}: "
                        + string.Join(
                            ", ",
                            values.Select(v =>
                                $"{v.Key} {v.Value?.ToString("0.00", CultureInfo.InvariantCulture) ?? "n/a"}"
                            )
                        )
                );
        }
        return ExitCodes.Done;
    }

    /// <summary>Reads filled-in sheets.</summary>
    [Command(
        "import",
        Description = "Read filled-in sheets, check every cell, and evaluate: study import DIR --out DIR2"
    )]
    public int Import(
        [Argument(Description = "Folder with the sheets that came back")] string folder,
        [Option("key", Description = "The key of the study; key.json in the folder when left out")] string? key = null,
        [Option("out", Description = "Folder for ratings and report; results in the given folder when left out")]
            string? output = null,
        [Option("lenient", Description = "Leave out what is wrong instead of failing")] bool lenient = false,
        [Option(
            "exclude-flagged",
            Description = "Evaluate also without raters who failed the attention items; both results are printed"
        )]
            bool excludeFlagged = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var import = StudyImport.Read(folder, StudyKey.Read(key ?? Path.Combine(folder, StudyKey.FileName)), lenient);
        foreach (var problem in import.Problems)
            Screen.Note("left out: " + problem.ToString().ReplaceLineEndings(" "));
        var result = StudyResult.Of(import, excludeFlagged);
        var target = output ?? Path.Combine(folder, "results");
        StudyReport.Write(result, target);
        if (json)
            InspectCommands.PrintJson(StudyReport.Json(result));
        else
            Console.Out.Write(StudyReport.Text(result));
        Screen.Note($"ratings.parquet, rating-means.parquet and the report are in {target}");
        return ExitCodes.Done;
    }

    private static StudyOptions Options(
        string raters,
        int items,
        string split,
        string assignment,
        int attention,
        long seed,
        string? salt
    )
    {
        var checks = new OptionChecks();
        var counted = int.TryParse(raters, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var count);
        int? perItem = null;
        if (
            assignment.StartsWith("balanced(", StringComparison.Ordinal)
            && assignment.EndsWith(')')
            && int.TryParse(
                assignment["balanced(".Length..^1],
                NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture,
                out var r
            )
        )
            perItem = r;
        else
            checks.That(
                assignment == "full",
                "--assignment",
                $"'{assignment}' is not an assignment",
                "full, or balanced(3)"
            );
        checks.AtLeast("--items", items, 0).AtLeast("--seed", seed, 0).Demand();
        return new StudyOptions
        {
            Raters = counted
                ? StudyOptions.Numbered(Math.Min(count, 1000))
                : raters.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            Items = items == 0 ? null : items,
            RatersPerItem = perItem,
            Attention = attention,
            Seed = new Seed((ulong)seed),
            Salt = salt,
            Split = split,
        };
    }

    private sealed record Found(
        IReadOnlyList<AnswerGroup> Groups,
        IReadOnlyList<KeyValuePair<string, IReadOnlyList<KeyValuePair<string, double?>>>> StandIns
    );

    private static Found Answers(IReadOnlyList<string> names, string split, string? profile, string[]? set)
    {
        var (files, cells) = FilesAndCells(names);
        if (cells.Count > 0 || names.Count == 0)
            files.AddRange(OfCells(cells.Count > 0 ? cells : ["answer"], profile, set));
        var problems = new List<InputProblem>();
        var groups = new List<AnswerGroup>();
        var standIns = new List<KeyValuePair<string, IReadOnlyList<KeyValuePair<string, double?>>>>();
        foreach (var (path, shown, variant) in files)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
            var all = path.EndsWith(".parquet", StringComparison.Ordinal)
                ? ParquetTable.Read<AnswerRow>(path)
                : AnswerFile.Read(path);
            var rows = all.Where(a => a.Split == split).ToList();
            if (rows.Count == 0)
                problems.Add(
                    new InputProblem(shown, 0, 0, $"holds no answer of the split '{split}'", "--split names another")
                );
            foreach (var group in rows.GroupBy(a => new RatedSystem(a.Model, a.Set, a.Method, variant)))
            {
                groups.Add(new AnswerGroup(group.Key, shown, hash, [.. group.Select(ForStudy)]));
                string[] name = [group.Key.Method, group.Key.Model, group.Key.Variant];
                standIns.Add(new(string.Join('/', name.Where(p => p.Length > 0)), Means(group)));
            }
        }
        return problems.Count == 0 ? new Found(groups, standIns) : throw new InputException(problems);
    }

    private static StudyAnswer ForStudy(AnswerRow a) =>
        new(a.Id, a.Question, a.Answer, a.Generated, SubjectRule.Find(a.Question));

    // Every name is a file if there is one, else cells of the study.
    private static (List<(string Path, string Shown, string Variant)> Files, List<string> Cells) FilesAndCells(
        IReadOnlyList<string> names
    )
    {
        var problems = new List<InputProblem>();
        var files = new List<(string Path, string Shown, string Variant)>();
        var cells = new List<string>();
        foreach (var name in names)
        {
            var equals = name.IndexOf('=', StringComparison.Ordinal);
            var (variant, path) =
                equals > 0 && !File.Exists(name) ? (name[..equals], name[(equals + 1)..]) : ("", name);
            if (File.Exists(path))
                files.Add((path, path, variant));
            else if (equals > 0 || LooksLikeFile(path))
                problems.Add(new InputProblem(path, 0, 0, "there is no such file"));
            else
                cells.Add(path);
        }
        return problems.Count == 0 ? (files, cells) : throw new InputException(problems);
    }

    private static bool LooksLikeFile(string path) =>
        path.EndsWith(".jsonl", StringComparison.Ordinal)
        || (
            path.EndsWith(".parquet", StringComparison.Ordinal)
            && !path.Contains('[', StringComparison.Ordinal)
            && Path.IsPathRooted(path)
        );

    private static List<(string Path, string Shown, string Variant)> OfCells(
        IReadOnlyList<string> cells,
        string? profile,
        string[]? set
    )
    {
        var study = Study.Open(profile, set);
        var status = Status.Of(study.Plan, study.Store, study.Keys).ToDictionary(s => s.Cell.Id);
        study.Files.Save();
        var (files, problems) = (new List<(string, string, string)>(), new List<InputProblem>());
        foreach (var cell in Targets.Named(study.Plan, cells))
        {
            var output = cell.Stage.Info.Outputs.FirstOrDefault(o => o == "answers.parquet");
            if (output is null)
                problems.Add(new InputProblem(cell.Id.Text, 0, 0, "has no answers", "cells of answer have"));
            else if (status[cell.Id] is not { State: CellState.UpToDate, Key: { } key })
                problems.Add(
                    new InputProblem(
                        cell.Id.Text,
                        0,
                        0,
                        "has no result for the present settings: " + Format.Reasons(status[cell.Id].Reasons),
                        $"eu-stage repro '{cell.Id}'"
                    )
                );
            else
                files.Add((Path.Combine(study.Store.ResultFolder(key), output), $"{cell.Id}/{output}", ""));
        }
        return problems.Count == 0 ? files : throw new InputException(problems);
    }

    private static List<KeyValuePair<string, double?>> Means(IEnumerable<AnswerRow> rows) =>
        [
            .. rows.SelectMany(r => StandIns.Of(r, SubjectRule.Find(r.Question)))
                .GroupBy(v => v.Key)
                .Select(g =>
                    KeyValuePair.Create(
                        g.Key,
                        g.Any(v => v.Value is not null) ? g.Where(v => v.Value is not null).Average(v => v.Value) : null
                    )
                ),
        ];

    private static System.Text.Json.Nodes.JsonObject StandInsJson(
        IEnumerable<KeyValuePair<string, IReadOnlyList<KeyValuePair<string, double?>>>> all
    ) =>
        new(
            all.Select(s =>
                KeyValuePair.Create(
                    s.Key,
                    (System.Text.Json.Nodes.JsonNode?)
                        new System.Text.Json.Nodes.JsonObject(
                            s.Value.Select(v => KeyValuePair.Create(v.Key, (System.Text.Json.Nodes.JsonNode?)v.Value))
                        )
                )
            )
        );
}
