using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Claims;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

/// <summary>Which sets play which part, and what tables and figures make of sets that are not the paper's.</summary>
public sealed class StudyScopeTests
{
    private const string Other = "facts-40-other";

    // The synthetic study with a second set of 40 facts, and one of data of one's own.
    private static StudyScope Wider { get; } =
        SyntheticScores.Scope with
        {
            Sizes = ["facts-20", "facts-40", Other, "facts-80"],
            Further = [Other, "capitals-10"],
            Sets = new Dictionary<string, StudySet>(SyntheticScores.Scope.Sets)
            {
                [Other] = new(Other, "facts", 40),
                ["capitals-10"] = new("capitals-10", "capitals", 10),
            },
        };

    private static CellScore Score(string set, string method, string split, double mean, string target = "") =>
        new()
        {
            Model = "llama2",
            Set = set,
            Data = "facts",
            Size = 40,
            Method = method,
            Target = target,
            Split = split,
            Metric = "rouge1",
            Profile = "strict",
            Mean = mean,
            Count = 40,
        };

    private static ScoreBook Book(params CellScore[] scores) => new(scores, "strict", MetricProfile.Strict.Columns);

    private static Table Of(string name, ScoreBook book, StudyScope scope) =>
        Table.Of(TableCatalog.All(scope).First(t => t.Name == name), book, scope);

    [Fact]
    public void All_kept_questions_have_a_column_where_some_set_has_unseen_ones()
    {
        var book = Book(
            Score("facts-40", "wise", "forget", 0.25),
            Score("facts-40", "wise", "retain", 0.5),
            Score("facts-40", "wise", "retain-all", 0.75),
            Score("facts-20", "wise", "retain", 0.875)
        );
        Assert.DoesNotContain(Of("table5", book, Wider).Cells, c => c.Split == "retain-all");
        var apart = Wider with
        {
            Sets = new Dictionary<string, StudySet>(Wider.Sets)
            {
                ["facts-40"] = new("facts-40", "facts", 40, Unseen: 0.5),
            },
        };
        var table = Of("table5", book, apart);
        double? All(string set) =>
            table.Cells.Single(c => c.Split == "retain-all" && c.Set == set && c.Method == "wise").Value;
        // Where nothing was set apart, the retain set is all that is kept.
        Assert.Equal((0.75, 0.875, null), (All("facts-40"), All("facts-20"), All("facts-80")));
        Assert.Contains("no method has seen", Captions.Of(table, apart), StringComparison.Ordinal);
        Assert.Contains("retain-all Rouge1", TableRenderer.Markdown(table, ""), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_sets_of_one_size_have_cells_of_their_own()
    {
        var book = Book(
            Score("facts-40", "wise", "forget", 0.25),
            Score("facts-40", "wise", "retain", 0.5),
            Score(Other, "wise", "forget", 0.75),
            Score(Other, "wise", "retain", 1)
        );
        Assert.Empty(Wider.Problems());
        foreach (var table in (string[])["table1", "table5"])
        {
            var cells = Of(table, book, Wider).Cells.ToDictionary(c => c.Name);
            Assert.Equal(0.25, cells[$"{table}[WISE,llama2,facts-40,forget.rouge1]"].Value);
            Assert.Equal(0.75, cells[$"{table}[WISE,llama2,{Other},forget.rouge1]"].Value);
        }
        var curve = FigureCatalog.All(book, Wider, []).First(f => f.Name == "figure3").Panels[1];
        Assert.Equal(["20", "40", "40", "80"], curve.Categories);
        Assert.Equal([null, 0.5, 1, null], curve.Series[2].Values.Select(v => v?.Value));
    }

    [Fact]
    public void A_variant_of_a_method_stands_below_where_it_was_scored_and_takes_no_part()
    {
        var scope = Wider with
        {
            Methods =
            [
                .. Wider.Methods,
                new ReportMethod("wise-best", "WISE (best)", true, InPaper: false)
                {
                    OnlyIn = new HashSet<string> { "facts-40" },
                },
            ],
        };
        var book = Book(
            Score("facts-40", "wise", "forget", 0.25),
            Score("facts-40", "wise", "retain", 0.5),
            Score("facts-40", "wise-best", "forget", 0),
            Score("facts-40", "wise-best", "retain", 1)
        );
        foreach (var table in (string[])["table1", "table5"])
        {
            var rows = TableCatalog.All(scope).First(t => t.Name == table).Blocks;
            Assert.Equal("WISE (best)*", rows.Single(b => b.Where.Set == "facts-40").Rows[^1].Label);
            Assert.All(
                rows.Where(b => b.Where.Set != "facts-40"),
                b => Assert.DoesNotContain(b.Rows, r => r.Where.Method == "wise-best")
            );
            var cells = Of(table, book, scope).Cells.ToDictionary(c => c.Name);
            var better = cells[$"{table}[WISE (best),llama2,facts-40,forget.rouge1]"];
            Assert.Equal((0.0, false, false), (better.Value, better.Bold, better.Underlined));
            Assert.True(cells[$"{table}[WISE,llama2,facts-40,forget.rouge1]"].Bold);
            Assert.True(CellName.Matches("table*[WISE (best),*forget*", better.Name));
            // Figures, claims and the other cells are what they are without it.
            var without = Of(table, book, Wider).Cells.ToDictionary(c => c.Name);
            Assert.All(
                without,
                c => Assert.Equal((c.Value.Value, c.Value.Bold), (cells[c.Key].Value, cells[c.Key].Bold))
            );
        }
        var bars = FigureCatalog.All(book, scope, []).First(f => f.Name == "figure4-left").Panels[0];
        Assert.DoesNotContain(bars.Categories, c => c.StartsWith("WISE (", StringComparison.Ordinal));
        Assert.Equal(
            ClaimCatalog.Decide(new ClaimNumbers(book, Wider, [], true)).Select(c => (c.Id, c.Verdict)),
            ClaimCatalog.Decide(new ClaimNumbers(book, scope, [], true)).Select(c => (c.Id, c.Verdict))
        );
    }

    [Fact]
    public void Sets_that_read_alike_are_told_apart_by_name()
    {
        var layouts = TableCatalog.All(Wider).ToDictionary(t => t.Name);
        Assert.Equal(
            "Editing and unlearning compared: 40 facts, 20 contract questions, 10 questions of capitals",
            layouts["table1"].Title
        );
        Assert.Equal(
            [
                "Facts (knowledge from pretraining): facts-40",
                "Contracts (knowledge from finetuning)",
                $"Facts (knowledge from pretraining): {Other}",
                "Capitals",
            ],
            layouts["table1"].Blocks.Select(b => b.Label)
        );
        Assert.Equal(
            ["20 facts", "40 facts: facts-40", $"40 facts: {Other}", "80 facts"],
            layouts["table5"].Blocks.Select(b => b.Label)
        );
        Assert.Equal("Forget sets of different size: facts, Llama-2 miniature", layouts["table5"].Title);
    }

    [Fact]
    public void A_set_that_nobody_described_goes_by_its_name()
    {
        var scope = new StudyScope { Facts = "odd", Merged = ["odd-merged"] };
        var layouts = TableCatalog.All(scope).ToDictionary(t => t.Name);
        Assert.Equal("odd", layouts["table1"].Blocks[0].Label);
        Assert.Equal("odd-merged", layouts["table7"].Blocks[0].Rows[0].Label);
        var cell = Of("table1", Book(Score("odd", "wise", "forget", 0.5, "plain")), scope)
            .Cells.First(c => c is { Method: "wise", Metric: "rouge1" });
        Assert.Equal(("odd", "facts", 40, "plain", 0.5), (cell.Set, cell.Data, cell.Size, cell.Target, cell.Value));
    }

    [Theory]
    [InlineData("facts", 40, "plain", 1, "facts-40")]
    [InlineData("contracts", 20, "", 1, "contracts-20")]
    [InlineData("facts", 20, "self-improved", 1, "facts-20-model")]
    [InlineData("facts", 80, "plain", 2, "facts-80-by-2")]
    public void Numbers_of_the_paper_belong_to_sets(string data, int size, string target, int merge, string expected) =>
        Assert.Equal(expected, StudySet.NameOf(data, size, target, merge));

    [Fact]
    public void The_parts_of_the_paper_have_no_problems_and_every_set_of_its_numbers_is_described()
    {
        Assert.Empty(StudyScope.Paper.Problems());
        Assert.Empty(SyntheticScores.Paper.Cells.Select(c => c.Set).Except(StudyScope.Paper.Sets.Keys));
    }

    [Fact]
    public void A_scope_without_descriptions_is_not_asked_for_any() => Assert.Empty(new StudyScope().Problems());

    [Fact]
    public void Every_clash_of_the_parts_is_found_at_once()
    {
        var wrong = Wider with
        {
            Second = "llama2",
            Facts = "fact-40",
            Contracts = "contracts-20",
            Further = ["contracts-20", "capitals-10", "capitals-10"],
            Sizes = ["facts-40", "facts-20", Other],
            AfterImprovement = "facts-20",
            Merged = ["facts-80-by-4", "facts-80-by-2", "facts-80"],
        };
        Assert.Equal(
            [
                "facts names 'fact-40', which is not a forget set (did you mean 'facts-40'?)",
                "further names 'capitals-10' twice",
                "second names 'llama2', which is the main model already",
                "further names 'contracts-20', which has a block in Table 1 already",
                "afterImprovement names 'facts-20', which is the part beforeImprovement already",
                "merged names 'facts-80', which is the part unmerged already",
                "sizes must rise in questions to be forgotten: 'facts-40' has 40, 'facts-20' behind it 20",
                "merged must rise in questions merged into one: 'facts-80-by-4' has 4, 'facts-80-by-2' behind it 2",
            ],
            wrong.Problems().Select(p => $"{p.Part} {p.Message}{(p.Hint is null ? "" : $" ({p.Hint})")}")
        );
        Assert.Equal(
            ["sizes must name at least one forget set"],
            (Wider with { Sizes = [] }).Problems().Select(p => $"{p.Part} {p.Message}")
        );
    }

    [Theory]
    [InlineData("table6", "facts-20-model", "facts-20")]
    [InlineData("table7", "facts-80-by-5", "facts-80")]
    public void Where_the_untouched_model_was_not_asked_again_grey_looks_at_the_set_it_was_asked_in(
        string table,
        string set,
        string asked
    )
    {
        CellScore[] run = [Score(set, "rome", "forget", 0.6), Score(set, "rome", "retain", 0.9)];
        bool Grey(params CellScore[] before) =>
            Of(table, Book([.. run, .. before]), StudyScope.Paper)
                .Cells.First(c => c.Set == set && c is { Method: "rome", Split: "forget", Metric: "rouge1" })
                .Grey;
        Assert.False(Grey());
        Assert.True(Grey(Score(asked, ScoreBook.Untouched, "forget", 0.6)));
        Assert.False(Grey(Score(asked, ScoreBook.Untouched, "forget", 0.9)));
        // Its own rows come first.
        Assert.False(
            Grey(Score(set, ScoreBook.Untouched, "forget", 0.9), Score(asked, ScoreBook.Untouched, "forget", 0.6))
        );
    }

    [Fact]
    public void A_method_without_refusals_stands_in_left_figure_6_whichever_half_it_was_run_in()
    {
        var scope = SyntheticScores.Scope with { BeforeImprovement = "facts-20-list", AfterImprovement = "facts-20" };
        var book = Book(
            Score("facts-20", "gd", "rephrased", 0.25),
            Score("facts-20", "dpo", "rephrased", 0.5, "self-improved")
        );
        var plain = FigureCatalog.All(book, scope, []).First(f => f.Name == "figure6-left").Panels[0].Series[0];
        Assert.Equal([0.75, null, null, null], plain.Values.Select(v => v?.Value));
    }

    [Fact]
    public void Claims_read_the_sets_of_the_study()
    {
        var scope = StudyScope.Paper with { Facts = Other };
        var numbers = new ClaimNumbers(
            Book(Score(Other, "wise", "forget", 0), Score(Other, "wise", "retain", 0)),
            scope,
            [],
            relative: true
        );
        Assert.Equal($"{Other}/llama2", numbers.Settings[0].Label);
        Assert.Equal(Verdict.Holds, numbers.Breaks(numbers.Settings[0], "wise").Verdict);
        Assert.Equal(Verdict.Undecided, numbers.Breaks(numbers.Settings[1], "wise").Verdict);
    }

    [Fact]
    public void Tables_are_compared_by_place_whatever_sets_are_called()
    {
        TableCell Cell(string table, string set, string target, double value) =>
            new()
            {
                Name = $"{table}[ROME,llama2,{set},forget.rouge1]",
                Table = table,
                Model = "llama2",
                Set = set,
                Data = "facts",
                Size = 20,
                Method = "rome",
                Target = target,
                Split = "forget",
                Metric = "rouge1",
                Value = value,
                Printed = Table.Print(value, 2),
            };
        var comparison = TableComparison.Of(
            [
                // The halves have the names of the other side's other half.
                Cell("table6", "facts-20-list", "plain", 0.1),
                Cell("table6", "facts-20", "self-improved", 0.2),
                Cell("table5", Other, "self-improved", 0.5),
                Cell("table5", "facts-20", "self-improved", 0.3),
            ],
            [
                Cell("table6", "facts-20", "plain", 0.1),
                Cell("table6", "facts-20-model", "self-improved", 0.2),
                Cell("table5", "facts-20", "plain", 0.3),
            ]
        );
        Assert.Equal(3, comparison.Pairs.Count);
        Assert.All(comparison.Pairs, p => Assert.Equal(0, p.Delta));
    }
}
