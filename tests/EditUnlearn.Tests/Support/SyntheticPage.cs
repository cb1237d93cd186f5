using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Claims;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Web;
using EditUnlearn.Stages;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// The page of a study that was never run: synthetic scores, answers drawn from a seed, hostile texts.
/// </summary>
public sealed class SyntheticPage : IDisposable
{
    /// <summary>What a model or a user could write to break out of any markup.</summary>
    public const string Hostile =
        "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
        + "<!--<script>{{data}} ${document.title} ' \" & \u2028";

    private static readonly string[] Methods =
    [
        MethodNames.Untouched,
        .. StudyScope.PaperMethods.Select(m => m.Name),
        "idk",
    ];

    private readonly TemporaryFolder _folder = new();

    /// <summary>Writes all inputs.</summary>
    /// <param name="questions">To forget and to keep, together.</param>
    public SyntheticPage(int questions = 120)
    {
        var scores = SyntheticScores.All();
        foreach (var run in scores.GroupBy(s => (s.Model, s.Set, s.Method)))
            ParquetTable.Write(Score(run.Key), [.. run]);
        foreach (var (i, method) in Methods.Index())
            ParquetTable.Write(_folder[$"answers-{method}.parquet"], [.. Answers(method, i, questions)]);
        foreach (var figure in FigureCatalog.All(SyntheticScores.Book(), SyntheticScores.Scope, []))
            File.WriteAllText(_folder[figure.Name + ".svg"], FigureRenderer.Svg(figure));
        var claims = ClaimCatalog.Decide(
            new ClaimNumbers(SyntheticScores.Paper, StudyScope.Paper, [], relative: false)
        );
        File.WriteAllText(_folder["claims.json"], ClaimRenderer.Json(claims, StudyScope.Paper).ToJsonString());
        File.WriteAllText(
            _folder["ratings.json"],
            new RatedStudy(
                [
                    new RatedMean
                    {
                        Method = "wise",
                        Variant = "after",
                        Measure = "forgetRate",
                        Raters = "all",
                        Mean = 0.75,
                        CiLow = 0.5,
                        CiHigh = 0.9,
                        Counted = 30,
                        Rated = 40,
                    },
                ],
                [new RatingAgreement { Measure = "forgetQuality", Raters = "all", Level = "nominal", Alpha = 0.61 }],
                [Hostile]
            ).Json()
        );
        Directory.CreateDirectory(_folder["curve"]);
        ParquetTable.Write(
            _folder["curve/steps.parquet"],
            [
                .. Enumerable
                    .Range(1, 500)
                    .Select(i => new TrainingRow { Step = i, Loss = 3.0 / i, ForgetLoss = i / 100.0 }),
            ]
        );
        ParquetTable.Write(_folder["curve/summary.parquet"], [new TrainingSummaryRow { DivergedStep = 501 }]);
    }

    /// <summary>A place beside the inputs.</summary>
    public string this[string name] => _folder[name];

    /// <summary>What the stage puts on the page.</summary>
    public JsonObject Data() => StudyPage.Of(Parameters(), Inputs);

    /// <summary>Writes the page, with what only the command knows where that is wanted.</summary>
    public string Write(bool withStore = true)
    {
        var data = Data();
        if (withStore)
        {
            data["store"] = Store();
            data["written"] = "2026-01-02 03:04 UTC";
            data["forms"] = new JsonArray(new JsonObject { ["name"] = "r01", ["href"] = "people/form-r01.html" });
        }
        var file = _folder[withStore ? "page.html" : "stage.html"];
        File.WriteAllText(file, WebReport.Html(data));
        return file;
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    private string Score((string Model, string Set, string Method) run) =>
        _folder[$"{run.Model}-{run.Set}-{run.Method}.scores.parquet"];

    private static IEnumerable<AnswerRow> Answers(string method, int place, int questions)
    {
        for (var i = 0; i < questions; i++)
        {
            var draw = new Seed(7).Stream(string.Create(CultureInfo.InvariantCulture, $"{method}/{i}"));
            var (truth, choice) = ($"Writer {i} of Möhren", draw.NextDouble());
            var unchanged = method == MethodNames.Untouched || choice < 0.4;
            var refused = !unchanged && choice > 0.7;
            yield return new AnswerRow
            {
                Model = "llama2",
                Set = "facts-40",
                Method = method,
                Split = i % 3 == 0 ? "forget" : "retain",
                Order = i,
                Id = string.Create(CultureInfo.InvariantCulture, $"facts/{i:0000}"),
                Question = i == 0 ? Hostile : $"Who wrote the book number {i}, which nobody has read to its end?",
                Answer = truth,
                Generated =
                    i == 0 ? Hostile
                    : unchanged ? truth
                    : refused ? $"I do not know who wrote the book number {i}."
                    : $"It was somebody else, says run {place} about number {i}, in quite a few words more.",
                Refused = refused,
                LogProbabilities = [-0.1, -0.3 * place],
            };
        }
    }

    private IReadOnlyList<BoundInput> Inputs(string name) =>
        name switch
        {
            "scores" =>
            [
                .. SyntheticScores
                    .All()
                    .Select(s => (s.Model, s.Set, s.Method))
                    .Distinct()
                    .Select(r => new BoundInput(Cell("score", r.Model, r.Set, r.Method), Score(r))),
            ],
            "answers" =>
            [
                .. Methods.Select(m => new BoundInput(
                    Cell("answer", "llama2", "facts-40", m),
                    _folder[$"answers-{m}.parquet"]
                )),
            ],
            "curves" => [new BoundInput(Cell("apply", "llama2", "facts-40", "ga"), _folder["curve"])],
            "edits" => [new BoundInput(Cell("apply", "llama2", "facts-40", "rome"), Patch())],
            "paper" => [new BoundInput(null, Path.Combine(Checkout.Root, "paper"))],
            "verdicts" => [new BoundInput(new CellId("claims", []), _folder["claims.json"])],
            "rated" => [new BoundInput(new CellId("ratings", []), _folder["ratings.json"])],
            _ when name.EndsWith("-svg", StringComparison.Ordinal) =>
            [
                new BoundInput(new CellId("figures", []), _folder[name[..^4] + ".svg"]),
            ],
            _ => [],
        };

    // Two facts, of which the second stops early and once has no number.
    private string Patch()
    {
        Directory.CreateDirectory(_folder["patch"]);
        File.WriteAllText(
            _folder["patch/patch.json"],
            """
            {"format": "patch/1", "kind": "weights",
             "edits": [{"id": "a", "loss": [3, 2, 0.5]}, {"loss": [5, null, 1]}]}
            """
        );
        return _folder["patch"];
    }

    private static CellId Cell(string stage, string model, string set, string method) =>
        new(stage, [new("model", model), new("set", set), new("method", method)]);

    private static ReportStage.Params Parameters()
    {
        var scope = SyntheticScores.Scope;
        return new ReportStage.Params(
            Hostile,
            ModelKind.Miniature,
            new StudyParams(
                scope.Main,
                scope.Second,
                scope.Third,
                scope.Facts,
                scope.Contracts,
                scope.MoreContracts,
                scope.Sizes,
                scope.BeforeImprovement,
                scope.AfterImprovement,
                scope.Unmerged,
                scope.Merged
            ),
            scope.Sets.ToDictionary(
                s => s.Key,
                s => new JsonObject
                {
                    ["data"] = s.Value.Data,
                    ["size"] = s.Value.Size,
                    ["target"] = s.Value.Target == "self-improved" ? "model" : "list",
                    ["merge"] = s.Value.Merge,
                },
                StringComparer.Ordinal
            )
        );
    }

    // Two cells and what is known of them, one of an earlier setting.
    private static JsonObject Store() =>
        new()
        {
            ["profile"] = "synthetic",
            ["stages"] = new JsonArray(
                new JsonObject
                {
                    ["name"] = "apply",
                    ["summary"] = "changes a model",
                    ["reads"] = new JsonArray(),
                    ["cells"] = new JsonArray(0),
                },
                new JsonObject
                {
                    ["name"] = "score",
                    ["summary"] = "from evidence to numbers",
                    ["reads"] = new JsonArray("apply"),
                    ["cells"] = new JsonArray(1),
                }
            ),
            ["cells"] = new JsonArray(
                Cell("apply[llama2,facts-40,ga]", "upToDate", "data/refusals-own.txt"),
                Cell("score[llama2,facts-40,ga]", "stale", "apply[llama2,facts-40,ga]/patch")
            ),
        };

    private static JsonObject Cell(string name, string state, string source) =>
        new()
        {
            ["cell"] = name,
            ["state"] = state,
            ["reasons"] = state == "stale" ? new JsonArray($"{name}: with.seed 17 -> 18") : null,
            ["manifest"] = JsonNode.Parse(
                JsonSerializer.Serialize(
                    new
                    {
                        key = new string('a', 64),
                        code = new string('c', 64),
                        parameters = new { method = "ga", options = new { learningRate = 0.001 } },
                        inputs = new[] { new[] { "patch", source, new string('d', 64) } },
                        outputs = new[] { new object[] { "cells.parquet", 1234, new string('e', 64) } },
                        started = "2026-01-02T03:04:05Z",
                        seconds = 12.5,
                        cpuSeconds = 11.5,
                        peakBytes = 1_700_000_000,
                        device = "cpu",
                        dtype = "float32",
                        numerics = "portable",
                        threads = 1,
                        seed = 17,
                        versions = new { dotnet = "10.0" },
                        commit = new string('f', 40),
                        dirty = true,
                        metrics = new { loss = 0.5 },
                        warnings = new[] { Hostile },
                    }
                )
            ),
        };
}
