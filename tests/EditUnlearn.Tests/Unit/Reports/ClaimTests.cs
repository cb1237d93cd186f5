using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Claims;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

public sealed class ClaimTests
{
    private static IReadOnlyList<ClaimResult> OfPaper(IReadOnlyList<RatedMean>? ratings = null) =>
        ClaimCatalog.Decide(new ClaimNumbers(SyntheticScores.Paper, StudyScope.Paper, ratings ?? [], relative: false));

    private static IReadOnlyList<ClaimResult> Synthetic(IScoreBook? book = null) =>
        ClaimCatalog.Decide(
            new ClaimNumbers(book ?? SyntheticScores.Book(), SyntheticScores.Scope, [], relative: true)
        );

    internal static string Latex() => ClaimRenderer.Latex(OfPaper(), StudyScope.Paper);

    [Fact]
    public void On_the_papers_own_numbers_claims_come_out_as_its_tables_say()
    {
        var claims = OfPaper();
        Assert.Equal(
            [
                ("observation1", Verdict.Fails, Verdict.Holds),
                ("observation2", Verdict.Holds, null),
                ("observation3", Verdict.Fails, Verdict.Holds),
                ("observation4", Verdict.Fails, Verdict.Holds),
                ("observation5", Verdict.Undecided, Verdict.Undecided),
                ("observation6", Verdict.Holds, null),
                ("takeaway1", Verdict.Fails, Verdict.Holds),
                ("takeaway2", Verdict.Undecided, null),
                ("takeaway3", Verdict.Undecided, Verdict.Undecided),
            ],
            claims.Select(c => (c.Id, c.Verdict, c.WeakerVerdict))
        );
        // Ratings are not printed as numbers, and Table 5 has not every method at every size.
        Assert.All(
            claims.SelectMany(c => c.Statements).Where(s => s.Finding.Verdict == Verdict.Undecided),
            s => Assert.True(s.Finding.Numbers is "no human ratings" || s.Statement.Note.Contains("Table 5"), s.Text)
        );
        // Printed numbers have no resamples.
        Assert.All(
            claims.SelectMany(c => c.Statements).Where(s => s.Finding.Verdict != Verdict.Undecided),
            s => Assert.Equal("no interval", s.Finding.Interval)
        );
        Snapshot.Matches(ClaimRenderer.Text(claims, StudyScope.Paper), "claims-paper.txt");
    }

    [Fact]
    public void A_reading_is_weakened_only_where_the_paper_does_not_bear_the_sentence_out()
    {
        foreach (var claim in OfPaper())
            foreach (var (i, s) in claim.Statements.Index().Where(s => s.Item.Statement.Reading == Reading.Weaker))
            {
                var sentence = claim.Statements[i - 1];
                Assert.Equal(Reading.Sentence, sentence.Statement.Reading);
                Assert.NotEqual(Verdict.Holds, sentence.Finding.Verdict);
                Assert.NotEmpty(sentence.Statement.Note);
                Assert.Equal(sentence.Statement.Source.Split(',')[0], s.Statement.Source.Split(',')[0]);
                Assert.NotEqual(Verdict.Fails, s.Finding.Verdict);
            }
    }

    [Fact]
    public void The_page_of_claims_has_every_statement_with_its_place_and_how_it_comes_out_for_the_paper()
    {
        var page = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "claims.md"));
        foreach (var s in OfPaper().SelectMany(c => c.Statements))
            Assert.Contains(
                $"| {s.Statement.Source} | {s.Text} | {ClaimRenderer.Word(s.Finding.Verdict)} |",
                page,
                StringComparison.Ordinal
            );
    }

    [Fact]
    public void Claims_of_a_study_are_as_accepted_in_every_format()
    {
        var claims = Synthetic();
        Assert.Contains(claims, c => c.Verdict == Verdict.Fails); // numbers drawn at random do not repeat the paper
        Snapshot.Matches(ClaimRenderer.Markdown(claims, SyntheticScores.Scope), "claims.md");
        Snapshot.Matches(ClaimRenderer.Latex(claims, SyntheticScores.Scope), "claims.tex");
        Assert.Equal(
            "fails",
            (string?)
                ClaimRenderer.Json(claims, SyntheticScores.Scope)["claims"]!
                    .AsArray()
                    .First(c => (string?)c!["verdict"] == "fails")!["verdict"]
        );
    }

    [Fact]
    public void Without_numbers_no_claim_is_decided()
    {
        var claims = Synthetic(
            new ScoreBook([], "strict", EditUnlearn.Evaluation.Metrics.MetricProfile.Strict.Columns)
        );
        Assert.All(claims.SelectMany(c => c.Statements), s => Assert.Equal(Verdict.Undecided, s.Finding.Verdict));
    }

    // A study whose every run answers n questions; `right` says how many of them are right after a method.
    private static ClaimNumbers Drawn(Func<string, string, int> right, int n = 40, params ulong[] seeds)
    {
        var rows = new List<ResampledRow>();
        var scores = new List<CellScore>();
        foreach (var seed in seeds is [] ? [17] : seeds)
            foreach (var model in (string[])["llama2", "mistral"])
                foreach (var set in (string[])["facts-40", "contracts-20"])
                    foreach (var method in ClaimNumbers.Every.Append("none"))
                        foreach (var split in (string[])["forget", "retain", "rephrased"])
                        {
                            var known = method == "none" ? n : right(method, split);
                            scores.Add(
                                new CellScore
                                {
                                    Seed = seed,
                                    Model = model,
                                    Set = set,
                                    Method = method,
                                    Split = split,
                                    Metric = "rouge1",
                                    Profile = "strict",
                                    Mean = known / (double)n,
                                }
                            );
                            rows.AddRange(
                                Enumerable
                                    .Range(0, n)
                                    .Select(i => new ResampledRow(
                                        new ScoreKey(model, set, method, split, "rouge1"),
                                        seed,
                                        $"{set}/{split}/{i}",
                                        i < known ? 1 : 0,
                                        1
                                    ))
                            );
                        }
        return new ClaimNumbers(
            new ScoreBook(scores, "strict", [KeyValuePair.Create("rouge1", "rouge1")]),
            StudyScope.Paper,
            [],
            relative: true,
            new PairedResamples(rows, new Seed(17))
        );
    }

    private static StatementResult Statement(ClaimNumbers numbers, string text) =>
        ClaimCatalog.Decide(numbers).SelectMany(c => c.Statements).First(s => s.Text.Contains(text));

    [Theory]
    [InlineData(2, Verdict.Holds)] // WISE keeps 12 questions more than GD and all others
    [InlineData(13, Verdict.WithinNoise)] // one more
    [InlineData(30, Verdict.Fails)] // 16 fewer
    public void A_difference_that_the_questions_cannot_tell_is_within_noise(int gd, Verdict expected)
    {
        // Everybody forgets all; GD keeps `gd`, the two editing methods 14, the rest nothing.
        var numbers = Drawn(
            (method, split) =>
                split != "retain" ? 0
                : method == "gd" ? gd
                : method is "wise" or "alphaedit" ? 14
                : 0
        );
        var found = Statement(numbers, "weaker reading: they do with the main model");
        Assert.Equal(expected, found.Finding.Verdict);
        var part = found.Finding.Judgement.Deciding!;
        Assert.Equal("WISE − GD on facts-40/llama2", part.Label);
        Assert.InRange((14 - gd) / 40.0, part.Interval!.Value.Low, part.Interval.Value.High);
        Assert.Contains(found.Finding.Interval, ClaimRenderer.Text(ClaimCatalog.Decide(numbers), StudyScope.Paper));
        Assert.Contains("decides of 8 comparisons", found.Finding.Interval);
    }

    [Fact]
    public void Pairing_tells_what_two_intervals_alone_would_not()
    {
        // WISE is right where GD is, and on three questions more: each interval is wide, that of the difference narrow.
        var numbers = Drawn(
            (method, split) =>
                split != "retain" ? 0
                : method == "gd" ? 20
                : 26
        );
        var setting = numbers.SettingsOf("facts-40")[0];
        var (wise, gd) = (numbers.Score("table1", setting.Run("wise"))!, numbers.Score("table1", setting.Run("gd"))!);
        Assert.True(wise.Interval!.Value.Low < gd.Interval!.Value.High);
        Assert.True((wise - gd)!.Interval!.Value.Low > 0);
    }

    [Fact]
    public void A_claim_with_a_statement_that_cannot_be_decided_is_undecided_unless_one_fails()
    {
        static Statement Of(Quantity? number) =>
            new("text", "1", _ => Finding.Of(Judgement.Above("a", number), () => "", "missing"));
        static Verdict Together(params Quantity?[] numbers) =>
            new ClaimResult(
                "c1",
                "",
                [.. numbers.Select(n => new StatementResult(Of(n), Of(n).Decide(Drawn((_, _) => 0))))]
            ).Verdict;
        Quantity yes = new(1, null),
            no = new(-1, null);
        var noise = Quantity.WithInterval(1, (-1, 3));
        Assert.Equal(Verdict.Holds, Together(yes, yes));
        Assert.Equal(Verdict.Undecided, Together(yes, null));
        Assert.Equal(Verdict.Undecided, Together(noise, null));
        Assert.Equal(Verdict.WithinNoise, Together(yes, noise));
        Assert.Equal(Verdict.Fails, Together(no, null));
        Assert.Equal(Verdict.Fails, Together(no, noise, yes));
    }

    [Theory]
    [InlineData(1, 2, Verdict.Holds, Verdict.Holds)]
    [InlineData(-2, -1, Verdict.Fails, Verdict.Fails)]
    [InlineData(-1, 1, Verdict.WithinNoise, Verdict.WithinNoise)]
    [InlineData(0, 0, Verdict.Fails, Verdict.Holds)] // equal is not more, but no less
    [InlineData(0, 1, Verdict.WithinNoise, Verdict.Holds)]
    [InlineData(-1, 0, Verdict.Fails, Verdict.WithinNoise)]
    public void Zero_is_on_the_right_side_only_where_the_sentence_says_so(
        double low,
        double high,
        Verdict above,
        Verdict atLeast
    )
    {
        var number = Quantity.WithInterval((low + high) / 2, (low, high));
        Assert.Equal(above, Judgement.Above("", number).Verdict);
        Assert.Equal(atLeast, Judgement.AtLeast("", number).Verdict);
        Assert.Equal(above, Judgement.Below("", 0 - number).Verdict);
        Assert.Equal(atLeast, Judgement.AtMost("", 0 - number).Verdict);
    }

    [Fact]
    public void One_of_several_is_enough_where_any_will_do()
    {
        Judgement Of(Verdict v) => new(v, [], null);
        Assert.Equal(
            Verdict.Holds,
            Judgement.Any([Of(Verdict.Fails), Of(Verdict.Undecided), Of(Verdict.Holds)]).Verdict
        );
        Assert.Equal(Verdict.Undecided, Judgement.Any([Of(Verdict.Undecided), Of(Verdict.WithinNoise)]).Verdict);
        Assert.Equal(Verdict.WithinNoise, Judgement.Any([Of(Verdict.Fails), Of(Verdict.WithinNoise)]).Verdict);
        Assert.Equal(Verdict.Fails, Judgement.Any([Of(Verdict.Fails), Of(Verdict.Fails)]).Verdict);
        Assert.Equal(Verdict.Undecided, Judgement.Any([]).Verdict);
    }

    [Fact]
    public void Resamples_draw_seeds_and_questions_and_do_not_depend_on_who_asks_first()
    {
        ScoreKey Place(string method) => new("m", "s", method, "forget", "rouge1");
        List<ResampledRow> rows =
        [
            .. ((string[])["a", "b"]).SelectMany(m =>
                ((ulong[])[1, 2, 3]).SelectMany(seed =>
                    Enumerable.Range(0, 10).Select(i => new ResampledRow(Place(m), seed, $"{i}", seed, 1))
                )
            ),
        ];
        var first = new PairedResamples(rows, new Seed(5));
        // Every question has the seed as its value: only the draw of seeds moves the mean.
        var means = first.Means(Place("a"))!;
        Assert.Equal(PairedResamples.Count, means.Count);
        Assert.All(means, m => Assert.Equal(Math.Round(3 * m), 3 * m, 1e-9));
        Assert.Equal([3, 4, 5, 6, 7, 8, 9], means.Select(m => Math.Round(3 * m)).Distinct().Order());
        // and moves all methods of a model alike.
        Assert.Equal(means, first.Means(Place("b")));
        rows.Reverse();
        var second = new PairedResamples(rows.OrderBy(r => int.Parse(r.Id)), new Seed(5));
        second.Means(Place("b"));
        Assert.Equal(means, second.Means(Place("a")));
        Assert.Null(first.Means(Place("c")));
    }

    [Fact]
    public void More_seeds_that_differ_make_a_statement_less_certain()
    {
        // With one seed WISE leads by 12 of 40; with three it leads by 12, 12 and falls behind by 20.
        ClaimNumbers Of(params (ulong Seed, int Wise)[] runs)
        {
            var rows = new List<ResampledRow>();
            var scores = new List<CellScore>();
            foreach (var (seed, wise) in runs)
                foreach (var (method, kept) in ((string, int)[])[("wise", wise), ("gd", 20)])
                {
                    var place = new ScoreKey("llama2", "facts-40", method, "retain", "rouge1");
                    rows.AddRange(
                        Enumerable.Range(0, 40).Select(i => new ResampledRow(place, seed, $"{i}", i < kept ? 1 : 0, 1))
                    );
                    scores.Add(
                        new CellScore
                        {
                            Seed = seed,
                            Model = "llama2",
                            Set = "facts-40",
                            Method = method,
                            Split = "retain",
                            Metric = "rouge1",
                            Profile = "strict",
                            Mean = kept / 40.0,
                        }
                    );
                }
            return new ClaimNumbers(
                new ScoreBook(scores, "strict", [KeyValuePair.Create("rouge1", "rouge1")]),
                StudyScope.Paper,
                [],
                relative: true,
                new PairedResamples(rows, new Seed(17))
            );
        }
        Quantity Lead(ClaimNumbers n) =>
            (
                n.Rouge("table1", n.Run("wise", "facts-40"), "retain")
                - n.Rouge("table1", n.Run("gd", "facts-40"), "retain")
            )!;
        Assert.Equal(Verdict.Holds, Judgement.Above("", Lead(Of((17, 32)))).Verdict);
        var three = Lead(Of((17, 32), (18, 32), (19, 0)));
        Assert.Equal(4 / 120.0, three.Value, 1e-12);
        Assert.Equal(Verdict.WithinNoise, Judgement.Above("", three).Verdict);
    }

    [Theory]
    [InlineData("alphaedit", "forget", 0.9, "observation4")] // AlphaEdit forgets little: no longer among the best
    [InlineData("wise", "retain", 0.0, "observation1")] // and WISE keeps nothing: broken
    [InlineData("rome", "retain", 0.9, "observation1")] // ROME never breaks: the sentence names it
    [InlineData("gd", "retain", 0.9, null)]
    public void A_changed_number_turns_the_claims_that_rest_on_it(
        string method,
        string split,
        double value,
        string? claim
    )
    {
        var cells = SyntheticScores.Paper.Cells.Select(c => c with { }).ToList();
        foreach (
            var cell in cells.Where(c =>
                c.Table == "table1"
                && c.Method == method
                && c.Split == split
                && c is { Metric: "rouge1", Value: not null }
            )
        )
        {
            cell.Value = value;
            if (method == "wise")
                foreach (
                    var f in cells.Where(c =>
                        c.Table == "table1"
                        && c.Model == cell.Model
                        && c.Data == cell.Data
                        && c is { Method: "wise", Split: "forget", Metric: "rouge1" }
                    )
                )
                    f.Value = 0;
        }
        var claims = ClaimCatalog.Decide(
            new ClaimNumbers(PaperNumbers.Of(cells), StudyScope.Paper, [], relative: false)
        );
        // With weaker readings, which all hold on the paper's numbers.
        if (claim is null)
            Assert.Equal(Verdict.Holds, claims.First(c => c.Id == "observation1").WeakerVerdict);
        else
            Assert.Equal(Verdict.Fails, claims.First(c => c.Id == claim).WeakerVerdict);
    }

    [Fact]
    public void Ratings_decide_what_rests_on_people()
    {
        RatedMean Mean(string method, string variant, string measure, double mean) =>
            new()
            {
                Method = method,
                Variant = variant,
                Measure = measure,
                Raters = "all",
                Mean = mean,
                Counted = 9,
            };
        List<RatedMean> ratings =
        [
            Mean("wise", "before", "entailment", 2),
            Mean("wise", "after", "entailment", 4),
            Mean("alphaedit", "before", "entailment", 2),
            Mean("alphaedit", "after", "entailment", 3),
            Mean("wise", "before", "trustworthiness", 4.5),
            Mean("wise", "after", "trustworthiness", 4.2),
            Mean("alphaedit", "before", "trustworthiness", 3),
            Mean("alphaedit", "after", "trustworthiness", 4),
            Mean("gd", "", "trustworthiness", 2),
            Mean("gd", "", "entailment", 2),
            Mean("dpo", "", "trustworthiness", 3),
            Mean("dpo", "", "entailment", 2.5),
        ];
        var decided = OfPaper(ratings).ToDictionary(c => c.Id);
        // Trust in WISE falls slightly, as the paper's text has it and its heading has not.
        Assert.Equal(
            (Verdict.Fails, Verdict.Holds),
            (decided["observation5"].Verdict, decided["observation5"].WeakerVerdict)
        );
        Assert.Equal(Verdict.Holds, decided["takeaway2"].Verdict);
        Assert.Equal(Verdict.Holds, decided["takeaway3"].WeakerVerdict);
        // A fall of more than half a point is not slight.
        var wise = ratings.First(r => r is { Method: "wise", Variant: "after", Measure: "trustworthiness" });
        wise.Mean = 3.9;
        Assert.Equal(Verdict.Fails, OfPaper(ratings).First(c => c.Id == "observation5").WeakerVerdict);
        // Entailment counts in takeaway 2 as trust does.
        ratings.First(r => r is { Method: "dpo", Measure: "entailment" }).Mean = 4.1;
        Assert.Equal(Verdict.Fails, OfPaper(ratings).First(c => c.Id == "takeaway2").Verdict);
    }

    [Fact]
    public void Two_intervals_without_resamples_are_combined_as_those_of_independent_numbers()
    {
        var (a, b) = (Quantity.WithInterval(4, (3.7, 4.4)), Quantity.WithInterval(3, (2.6, 3.3)));
        var apart = (a - b)!.Interval!.Value;
        Assert.Equal(1 - Math.Sqrt(.09 + .09), apart.Low, 1e-12);
        Assert.Equal(1 + Math.Sqrt(.16 + .16), apart.High, 1e-12);
        var sum = (a + b)!.Interval!.Value;
        Assert.Equal((7 - Math.Sqrt(.09 + .16), 7 + Math.Sqrt(.16 + .09)), sum);
        Assert.Null((a - new Quantity(3, null))!.Interval);
        Assert.Null(a - null);
    }
}
