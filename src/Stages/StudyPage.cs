using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Models.Patches;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Reports.Web;

namespace EditUnlearn.Stages;

/// <summary>
/// What the page of a study shows, from the inputs of the stage <c>report</c>: the stage hands over its own, the
/// command those that the store's view holds, whatever their state.
/// </summary>
public static class StudyPage
{
    /// <summary>The kind of stage whose inputs these are.</summary>
    public const string Kind = "report";

    // Inputs with the folder `curve` of what was trained, in the order they are shown.
    private static readonly string[] Trained = ["pretraining", "finetuning", "curves"];

    /// <summary>The input of a figure as a vector.</summary>
    internal static string Vector(string figure) => figure + "-svg";

    /// <summary>Everything of the page that follows from the inputs: no time, no place, no state.</summary>
    /// <param name="parameters">Of a cell of kind <see cref="Kind"/>.</param>
    /// <param name="inputs">What stands behind an input; files that are not there are left out.</param>
    public static JsonObject Of(object parameters, Func<string, IReadOnlyList<BoundInput>> inputs)
    {
        var p = (ReportStage.Params)parameters;
        ArgumentNullException.ThrowIfNull(inputs);
        var scores = new List<CellScore>();
        var runs = new Runs();
        foreach (var input in inputs("scores"))
        {
            var read = ParquetTable.Read<CellScore>(input.Path);
            scores.AddRange(read);
            foreach (var run in read.Select(s => (s.Model, s.Set, s.Method)).Distinct())
                runs.Add(run, input.Source);
        }
        var page = new JsonObject { ["title"] = p.Title, ["warning"] = Captions.Warning(p.Kind) };
        var rated = inputs("rated").Select(i => RatedStudy.Parse(File.ReadAllText(i.Path))).FirstOrDefault();
        // Without the parts of the study there are no tables to place numbers in.
        if (p.Report is { } report)
        {
            var scope = ReportInputs.Scope(report, scores);
            page["names"] = Names(scope, scores);
            page["tables"] = Tables(scope, report, scores, inputs, runs.Places);
            page["figures"] = Figures(scope, report, scores, inputs, rated);
            page["ratings"] = rated?.Page(scope);
        }
        page["runs"] = runs.Json();
        page["claims"] = inputs("verdicts")
            .Select(i => JsonNode.Parse(File.ReadAllText(i.Path))!["claims"]?.DeepClone())
            .FirstOrDefault();
        page["answers"] = Answers(inputs);
        page["curves"] = Curves(inputs);
        return page;
    }

    private static JsonObject Names(StudyScope scope, List<CellScore> scores)
    {
        static JsonObject Map(IEnumerable<KeyValuePair<string, string>> names) =>
            new(names.Select(n => KeyValuePair.Create(n.Key, (JsonNode?)n.Value)));
        var run = scores.Select(s => s.Method).ToHashSet(StringComparer.Ordinal);
        return new JsonObject
        {
            ["models"] = Map(
                scores
                    .Select(s => s.Model)
                    .Distinct(StringComparer.Ordinal)
                    .Select(m => KeyValuePair.Create(m, scope.LabelOf(m)))
            ),
            ["sets"] = Map(scope.Sets.Select(s => KeyValuePair.Create(s.Key, Words(s.Value)))),
            ["methods"] = Map([
                KeyValuePair.Create(MethodNames.Untouched, "untouched"),
                .. scope.Methods.Where(m => run.Contains(m.Name)).Select(m => KeyValuePair.Create(m.Name, m.Heading)),
            ]),
        };
    }

    private static string Words(StudySet set) =>
        set.InWords
        + (set.Target == StudySet.SelfImproved ? ", self-improved refusals" : "")
        + (set.Merge > 1 ? $", {set.Merge} merged into one" : "");

    private static JsonArray Tables(
        StudyScope scope,
        ReportParams p,
        List<CellScore> scores,
        Func<string, IReadOnlyList<BoundInput>> inputs,
        IReadOnlyDictionary<(string Model, string Set, string Method), int> runs
    )
    {
        var paper = inputs("paper").SelectMany(i => CellFile.ReadFolder(i.Path)).ToList();
        return new JsonArray([
            .. MetricProfile.All.SelectMany(m =>
                PageTables
                    .Of(scope, ReportInputs.Book(scores, p with { Profile = m.Name }), paper, runs)
                    .Select(t => t!.DeepClone())
            ),
        ]);
    }

    private static JsonArray Figures(
        StudyScope scope,
        ReportParams p,
        List<CellScore> scores,
        Func<string, IReadOnlyList<BoundInput>> inputs,
        RatedStudy? rated
    )
    {
        var drawn = FigureCatalog.All(ReportInputs.Book(scores, p), scope, rated?.Means ?? []);
        return new JsonArray([
            .. drawn.SelectMany(f =>
                inputs(Vector(f.Name))
                    .Select(i => new JsonObject
                    {
                        ["name"] = f.Name,
                        ["caption"] = ReportStage.Pictures[f.Name].Caption,
                        ["svg"] = File.ReadAllText(i.Path),
                        ["csv"] = FigureCsv.Of(f),
                    })
            ),
        ]);
    }

    private static JsonObject Answers(Func<string, IReadOnlyList<BoundInput>> inputs)
    {
        var answers = new PageAnswers();
        foreach (var input in inputs("answers"))
            answers.Add(ParquetTable.Read<AnswerRow>(input.Path));
        return answers.Json();
    }

    private static JsonArray Curves(Func<string, IReadOnlyList<BoundInput>> inputs)
    {
        var curves = new JsonArray();
        foreach (var input in Trained.SelectMany(inputs))
        {
            var (steps, summary) = (
                Path.Combine(input.Path, TrainingOutputs.Steps),
                Path.Combine(input.Path, TrainingOutputs.Summary)
            );
            if (input.Source is not { } cell || !File.Exists(steps))
                continue;
            // No row where nothing was trained.
            var ends = File.Exists(summary) ? ParquetTable.Read<TrainingSummaryRow>(summary) : [];
            var rows = ParquetTable.Read<TrainingRow>(steps);
            if (PageCurves.Of(cell.Text, cell.Stage, cell.Axes, rows, ends is [var end, ..] ? end : null) is { } curve)
                curves.Add(curve);
        }
        foreach (var input in inputs("edits"))
            if (
                input.Source is { } cell
                && PatchEdits.In(input.Path) is { } edits
                && PageCurves.OfEdits(cell.Text, cell.Stage, cell.Axes, edits) is { } curve
            )
                curves.Add(curve);
        return curves;
    }

    // Which cells made the scores of a run: one, or one a seed.
    private sealed class Runs
    {
        private readonly List<((string Model, string Set, string Method) Run, List<string> Cells)> _all = [];

        public Dictionary<(string Model, string Set, string Method), int> Places { get; } = [];

        public void Add((string Model, string Set, string Method) run, CellId? cell)
        {
            if (!Places.TryGetValue(run, out var place))
            {
                Places.Add(run, place = _all.Count);
                _all.Add((run, []));
            }
            if (cell is not null)
                _all[place].Cells.Add(cell.Text);
        }

        public JsonArray Json() =>
            new([
                .. _all.Select(r => new JsonObject
                {
                    ["model"] = r.Run.Model,
                    ["set"] = r.Run.Set,
                    ["method"] = r.Run.Method,
                    ["cells"] = new JsonArray([.. r.Cells.Select(c => (JsonNode)c)]),
                }),
            ]);
    }
}
