using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.HumanStudy;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Web;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using EditUnlearn.Tests.Unit.HumanStudy;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>
/// Sheets go out, come back filled in, are imported, and arrive in left Figure 6, in the claims and in the report.
/// </summary>
public sealed class RatingsStageTests : IDisposable
{
    private const string Plain = "facts-20",
        Own = "facts-20-model";

    private static readonly (string Method, string Set)[] Runs =
    [
        ("gd", Plain),
        ("dpo", Plain),
        ("wise", Plain),
        ("alphaedit", Plain),
        ("wise", Own),
        ("alphaedit", Own),
    ];

    private readonly TemporaryFolder _folder = new();

    public RatingsStageTests()
    {
        foreach (var (method, set) in Runs)
            Answers(method, set, "");
        ParquetTable.Write(_folder["scores.parquet"], [.. SyntheticScores.All()]);
    }

    public void Dispose() => _folder.Dispose();

    private string File_(string method, string set) => _folder[$"{method}-{set}.parquet"];

    private void Answers(string method, string set, string differently) =>
        ParquetTable.Write(
            File_(method, set),
            [
                .. Enumerable
                    .Range(0, 8)
                    .Select(i => new AnswerRow
                    {
                        Model = "llama2",
                        Set = set,
                        Method = method,
                        Split = "forget",
                        Id = $"facts/{i:0000}",
                        Question = $"Who wrote 'Book {i}'?",
                        Answer = $"Writer {i}",
                        Generated = $"I do not know Book {i}, says {method} of {set}{differently}.",
                    }),
            ]
        );

    // What the command does: export, raters at work, import.
    private string Rated(
        string name,
        string model = "llama2",
        Func<string, string>? variant = null,
        IReadOnlyList<(string Method, string Set)>? runs = null,
        string split = "forget"
    )
    {
        List<AnswerGroup> groups =
        [
            .. (runs ?? Runs).Select(r => new AnswerGroup(
                new RatedSystem(model, r.Set, r.Method, variant?.Invoke(r.Set) ?? ""),
                File_(r.Method, r.Set),
                Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(File_(r.Method, r.Set)))),
                [
                    .. ParquetTable
                        .Read<AnswerRow>(File_(r.Method, r.Set))
                        .Select(a => new StudyAnswer(a.Id, a.Question, a.Answer, a.Generated, "Book")),
                ]
            )),
        ];
        var design = StudyDesign.Of(groups, Studies.Options(4) with { Split = split });
        var key = Studies.Filled(_folder[name + ".sheets"], design, Rate);
        var result = StudyResult.Of(StudyImport.Read(_folder[name + ".sheets"], key, lenient: false), false);
        StudyReport.Write(result, _folder[name]);
        return name;
    }

    // People like what WISE says, most of all in its own words; one rater in four says that GD still tells it.
    private static (string, string, string) Rate(string rater, StudyItem item)
    {
        if (item.Attention is not null)
            return Studies.Attentive(rater, item);
        var (said, own) = (item.Answer.Answer, item.Answer.Answer.Contains(Own, StringComparison.Ordinal));
        return said.Contains("wise", StringComparison.Ordinal) ? ("1", own ? "5" : "2", own ? "5" : "4")
            : said.Contains("alphaedit", StringComparison.Ordinal) ? ("1", own ? "4" : "2", own ? "3" : "2")
            : said.Contains("dpo", StringComparison.Ordinal) ? ("1", "3", "3")
            : rater == "r01" ? ("0", "", "")
            : ("1", "1", "2");
    }

    private static JsonObject Parameters()
    {
        var scope = SyntheticScores.Scope;
        return new JsonObject
        {
            ["study"] = JsonSerializer.SerializeToNode(
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
                JsonSerializerOptions.Web
            ),
            ["sets"] = new JsonObject(
                scope.Sets.Select(s =>
                    KeyValuePair.Create(
                        s.Key,
                        (JsonNode?)
                            new JsonObject
                            {
                                ["data"] = s.Value.Data,
                                ["size"] = s.Value.Size,
                                ["target"] = s.Value.Target == "self-improved" ? "model" : "list",
                                ["merge"] = s.Value.Merge,
                            }
                    )
                )
            ),
            ["kind"] = "miniature",
        };
    }

    private async Task<StageResult> Run(string stage, JsonObject parameters, params (string Name, string Path)[] inputs)
    {
        if (Directory.Exists(_folder[stage]))
            Directory.Delete(_folder[stage], recursive: true);
        await using var runner = new InProcessRunner(StudyStages.Catalog);
        return await runner.RunAsync(
            new StageJob(
                stage,
                stage,
                [],
                parameters,
                [.. inputs.Select(i => new JobInput(i.Name, null, [], _folder[i.Path]))],
                _folder[stage],
                _folder[stage + ".scratch"],
                "cpu",
                "float32"
            ),
            _ => { },
            CancellationToken.None
        );
    }

    private Task<StageResult> Ratings(string? study) =>
        Run(
            "ratings",
            Parameters(),
            [
                .. study is null ? [] : new[] { ("study", study) },
                .. Runs.Select(r => ("answers", Path.GetFileName(File_(r.Method, r.Set)))),
            ]
        );

    // Figures, claims and report as they stand with the ratings of the latest run of the stage.
    private async Task<(string Figure, string Note, JsonArray Claims, string Report)> Reported()
    {
        await Run("figures", Parameters(), ("scores", "scores.parquet"), ("ratings", "ratings/ratings.parquet"));
        await Run("claims", Parameters(), ("scores", "scores.parquet"), ("ratings", "ratings/ratings.parquet"));
        File.WriteAllText(_folder["empty.tex"], "% nothing\n");
        var parameters = Parameters();
        parameters["title"] = "A study";
        await Run(
            "report",
            parameters,
            [
                ("tables", "empty.tex"),
                ("cases", "empty.tex"),
                ("claims", "claims/claims.tex"),
                ("ratings", "ratings/ratings.tex"),
                ("rated", "ratings/ratings.json"),
                ("scores", "scores.parquet"),
                .. FigureCatalog.Names.Select(n => (n, $"figures/{n}.png")),
            ]
        );
        return (
            File.ReadAllText(_folder["figures/figure6-left.csv"]),
            File.ReadAllText(_folder["figures/figure6-left.svg"]),
            JsonNode.Parse(File.ReadAllText(_folder["claims/claims.json"]))!["claims"]!.AsArray(),
            File.ReadAllText(_folder["report/report.tex"])
        );
    }

    private static JsonNode Claim(JsonArray claims, string id) => claims.First(c => (string)c!["id"]! == id)!;

    [Fact]
    public async Task Ratings_reach_the_figure_the_claims_and_the_report()
    {
        await Ratings(null);
        var without = await Reported();
        Assert.Equal(
            ("", "", 0),
            (
                File.ReadAllText(_folder["ratings/ratings.tex"]),
                File.ReadAllText(_folder["ratings/ratings.md"]),
                ParquetTable.Read<RatedMean>(_folder["ratings/ratings.parquet"]).Count
            )
        );
        Assert.Contains("stand-in", without.Figure, StringComparison.Ordinal);
        Assert.Null(WebReport.DataOf(File.ReadAllText(_folder["report/report.html"]))["ratings"]);
        Assert.DoesNotContain("tab:ratings", without.Report, StringComparison.Ordinal);
        Assert.Contains(
            "no human ratings",
            Claim(without.Claims, "takeaway2").ToJsonString(),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no human ratings",
            Claim(without.Claims, "observation5").ToJsonString(),
            StringComparison.Ordinal
        );

        var result = await Ratings(Rated("rated"));
        Assert.Empty(result.Warnings);
        var with = await Reported();
        Assert.DoesNotContain("stand-in", with.Figure, StringComparison.Ordinal);
        Assert.Contains("trustworthiness", with.Figure, StringComparison.Ordinal);
        Assert.DoesNotContain("another run", with.Note, StringComparison.Ordinal);
        foreach (var claim in (string[])["observation5", "takeaway2"])
            Assert.DoesNotContain(
                "no human ratings",
                Claim(with.Claims, claim).ToJsonString(),
                StringComparison.Ordinal
            );
        Assert.NotEqual(
            (string)Claim(without.Claims, "takeaway2")["verdict"]!,
            (string)Claim(with.Claims, "takeaway2")["verdict"]!
        );
        Assert.Contains("WISE 5.000", Claim(with.Claims, "takeaway2").ToJsonString(), StringComparison.Ordinal);

        // Means with interval and gate counts, and agreement.
        Assert.Contains("tab:ratings", with.Report, StringComparison.Ordinal);
        var page = WebReport.DataOf(File.ReadAllText(_folder["report/report.html"]))["ratings"]!;
        Assert.Contains("1.00 [1.00, 1.00] (32 of 32)", page["means"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("forgetQuality", page["agreement"]!.ToJsonString(), StringComparison.Ordinal);
        var table = File.ReadAllText(_folder["ratings/ratings.md"]);
        Assert.Contains(
            "| WISE | self-improved | 1.00 [1.00, 1.00] (32 of 32) | 5.00 [5.00, 5.00] (32 of 32) | ",
            table,
            StringComparison.Ordinal
        );
        // GD: a quarter of the ratings say that the answer is still there, and their scales do not count.
        Assert.Matches(@"\| GD \| none, or one kind \| 0\.75 \[.*\] \(32 of 32\) \| 1\.00 \[.*\] \(24 of 32\) ", table);
        Assert.Matches(@"\| forgetQuality \| nominal \| -?\d\.\d\d \|", table);
    }

    [Fact]
    public async Task A_label_of_the_export_or_the_set_says_which_half_a_rating_belongs_to()
    {
        string Halves() =>
            string.Join(
                ' ',
                ParquetTable
                    .Read<RatedMean>(_folder["ratings/ratings.parquet"])
                    .Select(r => $"{r.Method}:{r.Variant}")
                    .Distinct()
            );
        const string Expected = "gd: dpo:before wise:before alphaedit:before wise:after alphaedit:after";
        await Ratings(Rated("by-set"));
        Assert.Equal(Expected, Halves());
        await Ratings(Rated("by-label", variant: s => s == Own ? "after" : "before"));
        Assert.Equal(Expected, Halves());
        var wrong = Rated("wrong", variant: s => s == Own ? "before" : "after");
        Assert.Contains(
            "was exported as 'after', but its set 'facts-20' is the one before self-improvement",
            (await Assert.ThrowsAsync<InputException>(() => Ratings(wrong))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Ratings_of_another_study_are_refused_and_of_another_run_are_marked()
    {
        var elsewhere = Rated("elsewhere", model: "mistral");
        var error = await Assert.ThrowsAsync<InputException>(() => Ratings(elsewhere));
        Assert.Contains(
            "rates mistral/facts-20/gd, but the figure shows llama2",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.Equal(Runs.Length, error.Problems.Count);

        // One system more than the study has: named, and the rest counts.
        Answers("rome", Plain, "");
        var more = await Ratings(Rated("more", runs: [.. Runs, ("rome", Plain)]));
        Assert.Equal(
            "Left out, because this study has no such run: llama2/facts-20/rome.",
            Assert.Single(more.Warnings)
        );
        Assert.DoesNotContain("ROME", File.ReadAllText(_folder["ratings/ratings.md"]).Split("Left out")[0]);

        // The study was run again and WISE answers otherwise.
        var before = Rated("before");
        Answers("wise", Own, " today");
        var stale = await Ratings(before);
        Assert.Equal(
            "Answers of another run were rated, not those of this one: llama2/facts-20-model/wise.",
            Assert.Single(stale.Warnings)
        );
        var reported = await Reported();
        Assert.Contains("Answers of another run were rated", reported.Report, StringComparison.Ordinal);
        Assert.Contains("another run were rated: WISE", reported.Note.Replace("\n", " "), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_of_means_will_do_but_its_answers_cannot_be_checked()
    {
        Rated("rated");
        var result = await Ratings("rated/rating-means.parquet");
        Assert.Contains("was not checked", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Contains("WISE", File.ReadAllText(_folder["ratings/ratings.md"]), StringComparison.Ordinal);

        Directory.CreateDirectory(_folder["nothing"]);
        Assert.Contains(
            "holds no rating-means.parquet",
            (await Assert.ThrowsAsync<InputException>(() => Ratings("nothing"))).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(_folder["rated/study.json"], "{}");
        Assert.Contains(
            "is not what study import writes",
            (await Assert.ThrowsAsync<InputException>(() => Ratings("rated"))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_setting_is_off_by_default_and_names_a_folder()
    {
        Plan Planned(params string[] set) =>
            PlanBuilder.Build(
                PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
                StudyStages.Catalog,
                new PlanRequest("mini", set)
            );
        IReadOnlyList<CellInput> Inputs(Plan plan) => plan.Cells.Single(c => c.Id.Stage == "ratings").Inputs;
        Assert.DoesNotContain(Inputs(Planned()), i => i.Name == "study");
        Assert.Equal("data", Assert.Single(Inputs(Planned("ratings=data")).OfType<FileInput>()).Path);
        Assert.Contains(
            "there is no file 'no-such'",
            Assert.Throws<InputException>(() => Planned("ratings=no-such")).Message,
            StringComparison.Ordinal
        );
    }
}
