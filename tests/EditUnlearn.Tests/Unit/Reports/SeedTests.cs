using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

/// <summary>Runs that differ in their seed only become one number with a spread.</summary>
public sealed class SeedTests
{
    private static CellScore Score(ulong seed, double? mean, double half = 0.03) =>
        new()
        {
            Seed = seed,
            Model = "llama2",
            Set = "facts-40",
            Data = "facts",
            Size = 40,
            Method = "wise",
            Split = "forget",
            Metric = "rouge1",
            Profile = "strict",
            Mean = mean,
            StandardError = half / 2,
            CiLow = mean - half,
            CiHigh = mean + half,
            Count = 40,
        };

    private static readonly ScoreKey Place = new("llama2", "facts-40", "wise", "forget", "rouge1");

    private static ScoreBook Book(params CellScore[] scores) => new(scores, "strict", MetricProfile.Strict.Columns);

    // Three seeds of a whole study; the second and third apart from the first by known steps.
    private static IReadOnlyList<CellScore> Study(params ulong[] seeds) =>
        [
            .. seeds.SelectMany(seed =>
                SyntheticScores.All().Select(s => s with { Seed = seed, Mean = s.Mean + 0.01 * (seed - 17) })
            ),
        ];

    internal static IReadOnlyList<Table> Tables(params ulong[] seeds)
    {
        var book = new ScoreBook(
            Study(seeds),
            "strict",
            [.. MetricProfile.Strict.Columns, .. FigureCatalog.StandIns.Select(s => KeyValuePair.Create(s, s))]
        );
        return [.. TableCatalog.All(SyntheticScores.Scope).Select(l => Table.Of(l, book, SyntheticScores.Scope))];
    }

    [Fact]
    public void A_place_holds_the_mean_over_seeds_and_the_deviation_over_them()
    {
        var found = Book(Score(19, .3), Score(17, .1), Score(18, .2)).Find("table1", Place)!;
        Assert.Equal(.2, found.Mean!.Value, 1e-12);
        Assert.Equal(.1, found.Sigma!.Value, 1e-12); // n - 1
        Assert.Equal((3, 40), (found.Seeds, found.Count));
        var spread = .1 / Math.Sqrt(3);
        Assert.Equal(Math.Sqrt(.015 * .015 + spread * spread), found.StandardError, 1e-12);
        Assert.Equal(.2 - Math.Sqrt(.03 * .03 + 1.96 * 1.96 * spread * spread), found.CiLow!.Value, 1e-12);
        Assert.Equal(.4, (found.CiLow + found.CiHigh)!.Value, 1e-12);
    }

    [Fact]
    public void A_single_seed_is_left_as_it_is_and_a_seed_without_a_value_does_not_count()
    {
        var alone = Score(17, .1);
        Assert.Same(alone, Book(alone).Find("table1", Place));
        var found = Book(alone, Score(18, null)).Find("table1", Place)!;
        Assert.Equal((.1, 1, null), (found.Mean, found.Seeds, found.Sigma));
    }

    [Fact]
    public void Two_runs_of_one_seed_are_a_mistake_that_is_named() =>
        Assert.Contains(
            "seed 17: a model that repeats another one needs a seed of its own",
            Assert.Throws<ArgumentException>(() => Book(Score(17, .1), Score(17, .2))).Message
        );

    [Fact]
    public void Every_cell_prints_the_deviation_where_there_are_seeds_and_nothing_where_there_is_one()
    {
        foreach (var (one, three) in Tables(17).Zip(Tables(17, 18, 19)))
        {
            Assert.All(one.Cells, c => Assert.Equal((1, null), (c.Seeds, c.Sigma)));
            var single = TableRenderer.Latex(one, Captions.Of(one, SyntheticScores.Scope));
            Assert.DoesNotContain("pm", single, StringComparison.Ordinal);
            Assert.DoesNotContain("seed", single, StringComparison.Ordinal);
            Assert.DoesNotContain("±", TableRenderer.Markdown(one, "") + TableRenderer.Plain(one));
            var filled = three.Cells.Where(c => c.Value is not null).ToList();
            Assert.All(filled, c => Assert.Equal((3, 0.01), (c.Seeds, Math.Round(c.Sigma!.Value, 9))));
            var sigma = three.Layout.Decimals == 2 ? "01" : "010";
            var latex = TableRenderer.Latex(three, Captions.Of(three, SyntheticScores.Scope));
            Assert.Equal(filled.Count, latex.Split($@"$\pm$.{sigma}}}").Length - 1);
            Assert.Contains(@"Means over 3 seeds, $\pm$: standard deviation over them.", latex);
            Assert.Equal(filled.Count, TableRenderer.Markdown(three, "").Split($" ± 0.{sigma}").Length - 1);
            Assert.Equal(filled.Count, TableRenderer.Plain(three).Split($"±0.{sigma}").Length - 1);
        }
    }

    [Fact]
    public void Marks_follow_the_printed_means()
    {
        // Means of seeds 16, 17, 18 are those of seed 17 alone up to rounding of sums.
        var apart = Tables(17)
            .Zip(Tables(16, 17, 18))
            .SelectMany(t => t.First.Cells.Zip(t.Second.Cells))
            .Count(c =>
                c.First.Printed == c.Second.Printed
                && (c.First.Bold, c.First.Underlined, c.First.Grey)
                    != (c.Second.Bold, c.Second.Underlined, c.Second.Grey)
            );
        Assert.InRange(apart, 0, 3);
    }

    [Fact]
    public void A_file_of_cells_has_columns_of_seeds_where_it_needs_them_and_comes_back_as_it_was()
    {
        var (one, three) = (Tables(17)[0].Cells, Tables(17, 18, 19)[0].Cells);
        Assert.DoesNotContain("sigma", CellFile.Write(one));
        Assert.EndsWith(",diverged,seeds,sigma", CellFile.Write(three).Split('\n')[0], StringComparison.Ordinal);
        Assert.Equal(one, CellFile.Parse(CellFile.Write(one), "t"));
        Assert.Equal(three, CellFile.Parse(CellFile.Write(three), "t"));
    }

    [Fact]
    public void A_cell_may_move_by_two_deviations_of_the_accepted_one()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["t.csv"], "metric,abs,rel,sigma\n*,0.005,0,0\n");
        File.WriteAllText(folder["u.csv"], "metric,abs,rel,sigma,spread\n*,0.005,0,0,0.5\n");
        TableCell Cell(double value, double? sigma) =>
            new()
            {
                Name = "table1[WISE,llama2,facts-40,forget.rouge1]",
                Metric = "rouge1",
                Value = value,
                Sigma = sigma,
                Seeds = sigma is null ? 1 : 3,
            };
        int Moved(string file, double now, double? sigma) =>
            TableRegression.Compare([Cell(.5, sigma)], [Cell(now, .4)], Tolerances.Read(folder[file])).Count;
        Assert.Equal((0, 1), (Moved("t.csv", .559, .03), Moved("t.csv", .561, .03)));
        Assert.Equal((0, 1), (Moved("u.csv", .514, .03), Moved("u.csv", .516, .03)));
        Assert.Equal((0, 1), (Moved("t.csv", .504, null), Moved("t.csv", .506, null)));
        Assert.Equal((0, 1), (Moved("t.csv", .504, .001), Moved("t.csv", .506, .001)));
    }

    [Fact]
    public void Scores_as_csv_keep_a_line_for_each_seed()
    {
        var scores = Study(17, 18);
        string[] Lines(string csv) => csv.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(scores.Count + 1, Lines(ScoreCsv.All(scores)).Length);
        Assert.Equal(
            2 * (Lines(ScoreCsv.Beyond(Study(17), "strict")).Length - 1),
            Lines(ScoreCsv.Beyond(scores, "strict")).Length - 1
        );
        Assert.StartsWith("model,seed,set,", ScoreCsv.All(scores), StringComparison.Ordinal);
    }
}
