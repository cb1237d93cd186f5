using System.Globalization;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

/// <summary>The paper's own tables: what is in them, and what the project's rules make of them.</summary>
public sealed class PaperNumbersTests
{
    private static PaperNumbers Paper => SyntheticScores.Paper;

    private static Table Of(string name) =>
        Table.Of(
            TableCatalog.All(StudyScope.Paper, refusals: false, before: false).First(t => t.Name == name),
            Paper,
            StudyScope.Paper,
            relative: false
        );

    [Theory]
    [InlineData("table1", 288, 16)]
    [InlineData("table2", 36, 0)]
    [InlineData("table3", 32, 0)]
    [InlineData("table4", 221, 0)]
    [InlineData("table5", 312, 0)]
    [InlineData("table6", 120, 0)]
    [InlineData("table7", 120, 0)]
    public void Each_table_is_there_in_full(string table, int cells, int empty)
    {
        var own = Paper.Cells.Where(c => c.Table == table).ToList();
        Assert.Equal((cells, empty), (own.Count, own.Count(c => c.Value is null)));
    }

    [SharedFact("data/paper/tables.csv")]
    public void Every_value_is_the_papers()
    {
        Dictionary<string, string> model = new()
        {
            ["Llama2-7B"] = "llama2",
            ["Mistral-7B"] = "mistral",
            ["Llama3.1-8B"] = "llama31",
        };
        Dictionary<string, string> data = new() { ["factual"] = "facts", ["pistol"] = "contracts" };
        var expected = File.ReadLines(Path.Combine(Checkout.Shared, "data", "paper", "tables.csv"))
            .Skip(1)
            .Select(l => l.Split(','))
            .Select(f =>
                string.Join(
                    ',',
                    "table" + f[0],
                    model[f[1]],
                    data[f[2]],
                    f[3],
                    f[6].ToLowerInvariant(),
                    f[4],
                    f[5].Length == 0 ? "1" : f[5],
                    f[7],
                    f[8],
                    f[9].Length == 0 ? Table.Dash : f[9],
                    f[10] == "b",
                    f[10] == "u",
                    f[11]
                )
            )
            .ToList();
        Assert.Equal(
            expected,
            Paper.Cells.Select(c =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{c.Table},{c.Model},{c.Data},{c.Size},{c.Method},{c.Target},{c.Merge},{c.Split},{c.Metric},"
                        + $"{c.Printed},{c.Bold},{c.Underlined},{c.Rise}"
                )
            )
        );
    }

    // The text version of the paper shows one mark where a cell may have two, so either agrees with both.
    [Fact]
    public void The_marking_rule_agrees_with_265_of_272_marks_of_table_1_and_differs_in_seven_known_cells()
    {
        var shown = Paper.Cells.Where(c => c.Table == "table1").ToDictionary(c => c.Name);
        var differ = new List<string>();
        var agree = 0;
        foreach (var cell in Of("table1").Cells.Where(c => c.Value is not null))
        {
            var mark = shown[cell.Name.Split('@')[0] is var bare && shown.ContainsKey(bare) ? bare : cell.Name];
            var fits =
                mark.Bold ? cell.Bold
                : mark.Underlined ? cell.Underlined
                : cell is { Bold: false, Underlined: false };
            if (fits)
                agree++;
            else
            {
                var printed =
                    mark.Bold ? "bold"
                    : mark.Underlined ? "underline"
                    : "none";
                string?[] rule = [cell.Bold ? "bold" : null, cell.Underlined ? "underline" : null];
                differ.Add(
                    $"{cell.Data}/{cell.Model} {cell.Split}.{cell.Metric} {cell.Method} {cell.Printed}: "
                        + $"{printed}, rule {string.Join('+', rule.OfType<string>())}"
                );
            }
        }
        Assert.Equal(265, agree);
        Assert.Equal(
            [
                "contracts/llama2 forget.prob alphaedit 0.28: none, rule underline",
                "contracts/mistral forget.prob alphaedit 0.47: none, rule underline",
                "contracts/mistral retain.hit gd 0.56: none, rule underline",
                "facts/llama2 forget.mrr alphaedit 0.04: underline, rule bold",
                "facts/mistral forget.prob dpo 0.60: bold, rule ",
                "facts/mistral retain.mrr alphaedit 0.24: none, rule underline",
                "facts/mistral retain.prob gd 0.49: bold, rule underline",
            ],
            differ.Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Grey_rows_of_table_1_are_those_of_the_rule()
    {
        string Grey(string data, string model) =>
            string.Join(
                ' ',
                Of("table1")
                    .Cells.Where(c => c.Data == data && c.Model == model && c.Grey)
                    .Select(c => c.Method)
                    .Distinct()
            );
        Assert.Equal("ga kl rome memit", Grey("facts", "llama2"));
        Assert.Equal("ga kl rome", Grey("facts", "mistral"));
        Assert.Equal("rome memit grace", Grey("contracts", "llama2"));
        Assert.Equal("dpo rome grace", Grey("contracts", "mistral"));
    }

    [Fact]
    public void Table_2_differs_from_the_rule_in_two_known_cells_of_gd()
    {
        var shown = Paper.Cells.Where(c => c.Table == "table2").ToDictionary(c => (c.Method, c.Metric));
        var differ = Of("table2")
            .Cells.Where(c => shown[(c.Method, c.Metric)].Bold != c.Bold)
            .Select(c => $"{c.Method} {c.Metric}")
            .ToList();
        Assert.Equal(["gd mrr", "gd hit"], differ);
    }

    [Theory]
    [InlineData(
        "facts-40",
        "llama2",
        "ga 1.00 gd 1.32 kl 1.00 dpo 1.09 rome 1.03 memit 0.99 grace 1.17 wise 1.48 alphaedit 1.61"
    )]
    [InlineData(
        "facts-40",
        "mistral",
        "ga 1.00 gd 1.52 kl 1.00 dpo 1.40 rome 1.00 grace 0.89 wise 1.08 alphaedit 1.40"
    )]
    [InlineData(
        "contracts-20",
        "llama2",
        "ga 1.53 gd 1.55 kl 1.16 dpo 1.68 rome 1.00 memit 1.00 grace 1.00 wise 1.26 alphaedit 1.20"
    )]
    [InlineData(
        "contracts-20",
        "mistral",
        "ga 1.49 gd 1.54 kl 1.26 dpo 1.06 rome 0.98 grace 1.00 wise 1.31 alphaedit 1.07"
    )]
    public void Scores_of_table_1_are_the_golden_ones(string set, string model, string expected) =>
        Assert.Equal(
            expected,
            string.Join(
                ' ',
                StudyScope
                    .PaperMethods.Select(m =>
                        (
                            m.Name,
                            Score: FigureCatalog.Score(
                                Paper,
                                "table1",
                                new ScoreKey(model, set, m.Name, "forget", "rouge1")
                            )
                        )
                    )
                    .Where(m => m.Score is not null)
                    .Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Name} {m.Score:0.00}"))
            )
        );

    [Theory]
    [InlineData("table5", "dpo", "facts-80", 1.123)]
    [InlineData("table5", "gd", "facts-80", 1.596)]
    [InlineData("table5", "alphaedit", "facts-80", 1.636)]
    [InlineData("table7", "rome", "facts-80-by-2", .995)]
    [InlineData("table7", "rome", "facts-80-by-4", 1.400)]
    [InlineData("table7", "rome", "facts-80-by-5", 1.622)]
    [InlineData("table7", "rome", "facts-80-by-8", 1.539)]
    [InlineData("table7", "rome", "facts-80-by-10", 1.179)]
    [InlineData("table7", "memit", "facts-80-by-2", 1.000)]
    [InlineData("table7", "memit", "facts-80-by-4", 1.632)]
    [InlineData("table7", "memit", "facts-80-by-5", 1.646)]
    [InlineData("table7", "memit", "facts-80-by-8", 1.481)]
    [InlineData("table7", "memit", "facts-80-by-10", 1.240)]
    public void Scores_at_80_facts_are_the_golden_ones(string table, string method, string set, double expected) =>
        Assert.Equal(
            expected,
            FigureCatalog.Score(Paper, table, new ScoreKey("llama2", set, method, "forget", "rouge1"))!.Value,
            5e-4
        );

    [Fact]
    public void Methods_among_the_two_best_on_both_sides_are_those_the_paper_names()
    {
        var numbers = new EditUnlearn.Reports.Claims.ClaimNumbers(Paper, StudyScope.Paper, [], relative: false);
        IEnumerable<string> Best(string set) =>
            numbers.BestOnBothSides(set).Where(b => b.Value.Value > 0.5).Select(b => b.Key);
        Assert.Equal(["gd", "dpo", "grace", "wise"], Best("facts-40"));
        Assert.Equal(["ga", "gd", "kl", "dpo", "wise"], Best("contracts-20"));
    }

    [Fact]
    public void Compared_with_itself_the_paper_is_covered_in_full_and_without_a_difference()
    {
        var comparison = TableComparison.Of(Paper.Cells, Paper.Cells);
        Assert.All(comparison.Pairs, p => Assert.Equal(0, p.Delta));
        Assert.Equal(
            "table1 272 of 272",
            $"{comparison.Coverage[0].Table} {comparison.Coverage[0].Compared} of {comparison.Coverage[0].Cells}"
        );
        Assert.Contains("T1: 272 of 272 cells", comparison.Text("paper", "paper"), StringComparison.Ordinal);
    }

    [Fact]
    public void Our_tables_meet_the_papers_cell_by_cell()
    {
        var book = SyntheticScores.Book(EditUnlearn.Evaluation.Metrics.MetricProfile.Paper);
        var ours = TableCatalog
            .All(SyntheticScores.Scope)
            .SelectMany(l => Table.Of(l, book, SyntheticScores.Scope).Cells)
            .ToList();
        var comparison = TableComparison.Of(ours, Paper.Cells);
        // Nothing of the paper is missing but what the synthetic study left out: the paper's dashes are filled, and are
        // not compared.
        Assert.All(comparison.Coverage, c => Assert.Equal(c.Cells, c.Compared));
        var cell = comparison.Pairs.First(p => p.Name == "table1[WISE,llama2,facts-40,forget.rouge1]");
        Assert.Equal(0.28, cell.Other.Value);
        Assert.Equal(cell.Own.Value - 0.28, cell.Delta);
        Assert.StartsWith("name,table,value,other,delta,ci_low,ci_high\n", comparison.Csv(), StringComparison.Ordinal);
        Assert.Equal(comparison.Pairs.Count, comparison.Json("study", "paper")["cells"]!.AsArray().Count);
    }
}
