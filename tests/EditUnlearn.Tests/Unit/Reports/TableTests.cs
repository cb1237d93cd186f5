using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

public sealed class TableTests
{
    private static IReadOnlyList<Table> All(MetricProfile? profile = null, ulong shuffle = 0)
    {
        var book = SyntheticScores.Book(profile, shuffle);
        return [.. TableCatalog.All(SyntheticScores.Scope).Select(l => Table.Of(l, book, SyntheticScores.Scope))];
    }

    private static string Text(IEnumerable<Table> tables) =>
        string.Join(
            '\n',
            tables.Select(t =>
                TableRenderer.Latex(t, Captions.Of(t, SyntheticScores.Scope))
                + TableRenderer.Markdown(t, Captions.Of(t, SyntheticScores.Scope))
                + CellFile.Write(t.Cells)
            )
        );

    [Theory]
    [InlineData("table1")]
    [InlineData("table2")]
    [InlineData("table3")]
    [InlineData("table4")]
    [InlineData("table5")]
    [InlineData("table6")]
    [InlineData("table7")]
    public void Each_table_is_as_accepted(string name)
    {
        var table = All().First(t => t.Layout.Name == name);
        Snapshot.Matches(TableRenderer.Latex(table, Captions.Of(table, SyntheticScores.Scope)), name + ".tex");
    }

    [Fact]
    public void A_table_as_csv_and_markdown_is_as_accepted()
    {
        var table = All(MetricProfile.Paper)[1];
        Snapshot.Matches(CellFile.Write(table.Cells), "table2.csv");
        Snapshot.Matches(TableRenderer.Markdown(table, Captions.Of(table, SyntheticScores.Scope)), "table2.md");
    }

    [Fact]
    public void A_model_and_a_set_that_nobody_ran_are_left_out_and_named()
    {
        var some = SyntheticScores.All().Where(s => s is { Model: "llama2", Data: "facts" }).ToList();
        var book = new ScoreBook(some, MetricProfile.Strict.Name, MetricProfile.Strict.Columns);
        var tables = TableCatalog
            .All(SyntheticScores.Scope)
            .Select(l => Table.Of(l, book, SyntheticScores.Scope))
            .ToList();
        var first = tables[0];
        var caption = Captions.Of(first, SyntheticScores.Scope);
        Assert.Contains(
            $"Not run, and left out: {string.Join("; ", first.Layout.Groups[1].Label, first.Layout.Blocks[1].Label)}.",
            caption,
            StringComparison.Ordinal
        );
        foreach (var text in (string[])[TableRenderer.Latex(first, caption), TableRenderer.Markdown(first, caption)])
        {
            var body = text.Replace(Latex.Escape(caption), "", StringComparison.Ordinal).Replace(caption, "");
            Assert.DoesNotContain("Mistral", body, StringComparison.Ordinal);
            Assert.DoesNotContain("Contracts", body, StringComparison.Ordinal);
            Assert.Contains("ROME", body, StringComparison.Ordinal);
        }
        // Files for programs hold every place.
        Assert.Equal(All()[0].Cells.Count, first.Cells.Count);

        // The third model was not run at all: the table keeps its number and says so.
        var third = tables[2];
        var said = Captions.Of(third, SyntheticScores.Scope);
        Assert.EndsWith("Nothing of this table was run.", said, StringComparison.Ordinal);
        var latex = TableRenderer.Latex(third, said);
        Assert.Contains(@"\caption{", latex, StringComparison.Ordinal);
        Assert.Contains(@"\label{tab:table3}", latex, StringComparison.Ordinal);
        Assert.DoesNotContain("tabular", latex, StringComparison.Ordinal);
        Assert.Single(TableRenderer.Markdown(third, said).TrimEnd().Split('\n'));
        Assert.Equal("Table 3: nothing of it was run", TableRenderer.Plain(third));
    }

    [Fact]
    public void A_run_whose_memory_ran_out_has_a_double_dagger_and_a_column_of_its_own()
    {
        var table = All(MetricProfile.Paper)[1];
        Assert.DoesNotContain("fell_back", CellFile.Write(table.Cells), StringComparison.Ordinal);
        var caption = Captions.Of(table, SyntheticScores.Scope);
        Assert.DoesNotContain("‡", TableRenderer.Markdown(table, caption), StringComparison.Ordinal);
        foreach (var cell in table.Cells.Where(c => c.Method == "kl"))
            cell.FellBack = true;
        caption = Captions.Of(table, SyntheticScores.Scope);
        Assert.Contains("‡: memory ran out", caption, StringComparison.Ordinal);
        // KL diverged too: both are to be seen.
        Assert.Contains("†‡ |", TableRenderer.Markdown(table, caption), StringComparison.Ordinal);
        var latex = TableRenderer.Latex(table, caption);
        Assert.Contains(@"\textsuperscript{\dag}\textsuperscript{\ddag}", latex, StringComparison.Ordinal);
        Assert.Contains(@"\ddag{}: memory ran out", latex, StringComparison.Ordinal);
        var csv = CellFile.Write(table.Cells);
        Assert.Equal(
            table.Cells.Select(c => c.FellBack),
            CellFile.Parse(csv, "table2.csv").Select(c => c.FellBack)
        );
    }

    [Fact]
    public void A_table_for_a_terminal_has_all_numbers_in_narrow_lines_and_none_of_them_empty()
    {
        foreach (var table in All())
        {
            var lines = TableRenderer.Plain(table).Split('\n');
            // A build takes an empty line of the tool for an error.
            Assert.All(lines, l => Assert.NotEmpty(l.Trim()));
            var groups = table.Layout.Groups.Count;
            Assert.All(lines, l => Assert.InRange(l.Length, 1, 40 + 80 * groups));
            foreach (var cell in table.Cells)
                Assert.Contains(lines, l => l.Contains(cell.Printed, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Tables_do_not_depend_on_culture_or_on_the_order_of_scores()
    {
        var expected = Text(All());
        var before = CultureInfo.CurrentCulture;
        try
        {
            // The tool runs in the invariant culture; even where it did not, no separator of a culture may reach a
            // table.
            var foreign = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            foreign.NumberFormat.NumberDecimalSeparator = ",";
            foreign.NumberFormat.NegativeSign = "−";
            CultureInfo.CurrentCulture = foreign;
            Assert.Equal("0,5", (0.5).ToString("0.0", CultureInfo.CurrentCulture));
            foreach (var shuffle in (ulong[])[1, 2, 3])
                Assert.Equal(expected, Text(All(shuffle: shuffle)));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void A_cell_that_was_not_run_prints_a_dash_and_takes_no_mark()
    {
        var cells = All()[0].Cells.Where(c => c is { Method: "memit", Model: "mistral" }).ToList();
        Assert.Equal(2 * 2 * 5, cells.Count);
        Assert.All(
            cells,
            c => Assert.Equal((Table.Dash, false, false, false), (c.Printed, c.Bold, c.Underlined, c.Grey))
        );
        Assert.Contains("MEMIT & 0.", TableRenderer.Latex(All()[0], ""), StringComparison.Ordinal);
        Assert.Contains("& --- & ---", TableRenderer.Latex(All()[0], ""), StringComparison.Ordinal);
    }

    [Fact]
    public void A_study_that_ran_nothing_still_has_seven_tables()
    {
        var book = new ScoreBook([], "strict", MetricProfile.Strict.Columns);
        var tables = TableCatalog
            .All(SyntheticScores.Scope)
            .Select(l => Table.Of(l, book, SyntheticScores.Scope))
            .ToList();
        Assert.Equal(7, tables.Count);
        Assert.All(tables.SelectMany(t => t.Cells), c => Assert.Equal(Table.Dash, c.Printed));
        Assert.All(
            tables,
            t => Assert.EndsWith("Nothing of this table was run.", Captions.Of(t, SyntheticScores.Scope))
        );
    }

    [Fact]
    public void Refusals_count_only_where_a_method_uses_them()
    {
        var tables = All();
        var gd = tables[0].Cells.First(c => c is { Method: "gd", Metric: "rouge1" });
        Assert.NotNull(gd.Value);
        var halves = tables[5].Cells.Where(c => c is { Method: "wise", Split: "forget", Metric: "rouge1" }).ToList();
        Assert.Equal(["plain", "self-improved"], halves.Select(c => c.Target));
        Assert.NotEqual(halves[0].Value, halves[1].Value);
        Assert.Equal("table6[WISE,llama2,facts-20-model,forget.rouge1]", halves[1].Name);
    }

    [Fact]
    public void Captions_say_miniature_profile_and_divergence()
    {
        var (strict, paper) = (All()[0], All(MetricProfile.Paper)[0]);
        Assert.Contains(Captions.Miniature, Captions.Of(strict, SyntheticScores.Scope), StringComparison.Ordinal);
        Assert.Contains("profile strict", Captions.Of(strict, SyntheticScores.Scope), StringComparison.Ordinal);
        Assert.DoesNotContain(
            "does not measure forgetting",
            Captions.Of(strict, SyntheticScores.Scope),
            StringComparison.Ordinal
        );
        Assert.Contains("profile paper", Captions.Of(paper, SyntheticScores.Scope), StringComparison.Ordinal);
        Assert.Contains(
            "does not measure forgetting",
            Captions.Of(paper, SyntheticScores.Scope),
            StringComparison.Ordinal
        );
        Assert.Contains("training diverged", Captions.Of(strict, SyntheticScores.Scope), StringComparison.Ordinal);
        Assert.DoesNotContain(
            Captions.Miniature,
            Captions.Of(strict, SyntheticScores.Scope with { Kind = ModelKind.Real }),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Names_of_cells_are_unique_over_all_tables_and_profiles() =>
        Assert.Empty(
            All()
                .Concat(All(MetricProfile.Paper))
                .SelectMany(t => t.Cells)
                .GroupBy(c => c.Name)
                .Where(g => g.Count() > 1)
                .Select(g => g.Key)
        );

    [Fact]
    public void Cells_survive_a_round_trip_through_csv_and_parquet()
    {
        var cells = All()[0].Cells;
        Assert.Equal(cells, CellFile.Parse(CellFile.Write(cells), "t.csv"));
        using var folder = new TemporaryFolder();
        ParquetTable.Write(folder["t.parquet"], [.. cells]);
        Assert.Equal(cells, ParquetTable.Read<TableCell>(folder["t.parquet"]));
    }

    [Fact]
    public void A_damaged_file_of_cells_is_reported_line_by_line()
    {
        var text = """
            table,model,data,size,method,target,merge,split,metric,printed,value
            table1,m,facts,many,ga,plain,1,forget,rouge1,0.10,0.1
            table1,m,facts,4,gd,plain,1,forget,rouge1,0.10,a tenth

            """;
        var problems = Assert
            .Throws<EditUnlearn.Foundation.InputException>(() => CellFile.Parse(text, "x.csv"))
            .Problems;
        Assert.Equal(
            [
                "x.csv(2): 'size' must be a whole number, not 'many'",
                "x.csv(3): 'value' must be a number, not 'a tenth'",
            ],
            problems.Select(p => p.ToString())
        );
        Assert.Throws<EditUnlearn.Foundation.InputException>(() => CellFile.Parse("table,model\ntable1,m\n", "x.csv"));
        Assert.Throws<EditUnlearn.Foundation.InputException>(() => CellFile.Parse("", "x.csv"));
    }

    [ProgramFact("pdflatex")]
    [Trait("Category", "Latex")]
    public void All_tables_claims_and_cases_compile_in_a_stock_tex_without_an_overfull_line()
    {
        using var folder = new TemporaryFolder();
        string[] more =
        [
            TableRenderer.Latex(All()[2], "A caption_with 100 % of & the # odd $ characters { } ~ ^ \\ < > | é ł ★."),
        ];
        File.WriteAllText(
            folder["t.tex"],
            TableRenderer.Document([
                .. All()
                    .Concat(All(MetricProfile.Paper))
                    .Concat(SeedTests.Tables(17, 18, 19))
                    .Select(t => TableRenderer.Latex(t, Captions.Of(t, SyntheticScores.Scope))),
                .. more,
                ClaimTests.Latex(),
                CaseTableTests.Example().Latex(),
            ])
        );
        using var tex = Process.Start(
            new ProcessStartInfo("pdflatex", ["-interaction=nonstopmode", "-halt-on-error", "t.tex"])
            {
                WorkingDirectory = folder.Path,
                RedirectStandardOutput = true,
            }
        )!;
        var log = tex.StandardOutput.ReadToEnd();
        tex.WaitForExit();
        Assert.True(tex.ExitCode == 0, log);
        Assert.DoesNotContain("Overfull \\hbox", log, StringComparison.Ordinal);
    }
}
