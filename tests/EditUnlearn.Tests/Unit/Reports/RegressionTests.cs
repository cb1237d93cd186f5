using System.Xml.Linq;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

public sealed class RegressionTests
{
    private static Tolerances Bounds(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["t.csv"], "metric,abs,rel,sigma\n" + text);
        return Tolerances.Read(folder["t.csv"]);
    }

    private static readonly Tolerances Plain = Bounds("*,0.01,0,0\n");

    private static TableCell[] Cells(params (string Method, double? Value, bool Bold)[] cells) =>
        [
            .. cells.Select(c => new TableCell
            {
                Name = $"table1[{c.Method},llama2,facts-40,forget.rouge1]",
                Table = "table1",
                Profile = "strict",
                Model = "llama2",
                Set = "facts-40",
                Data = "facts",
                Size = 40,
                Method = c.Method,
                Split = "forget",
                Metric = "rouge1",
                Value = c.Value,
                Printed = c.Value is { } v ? Table.Print(v, 2) : Table.Dash,
                Bold = c.Bold,
                StandardError = 0.05,
            }),
        ];

    [Fact]
    public void Equal_tables_have_no_differences() =>
        Assert.Empty(
            TableRegression.Compare(
                Cells(("ga", .5, true), ("kl", null, false)),
                Cells(("ga", .505, true), ("kl", null, false)),
                Plain
            )
        );

    [Fact]
    public void Every_perturbation_around_a_tolerance_is_classified_right()
    {
        var draw = new Seed(3).Stream("perturbations");
        for (var i = 0; i < 200; i++)
        {
            var (accepted, bound) = (draw.NextDouble(), 0.001 + 0.05 * draw.NextDouble());
            var beyond = i % 2 == 0;
            var moved = accepted + (i % 4 < 2 ? 1 : -1) * bound * (beyond ? 1.0001 : 0.9999);
            var differences = TableRegression.Compare(
                Cells(("ga", accepted, false)),
                Cells(("ga", moved, false)),
                Bounds(
                    $"rouge1,{bound.ToString("R", System.Globalization.CultureInfo.InvariantCulture)},0,0\n*,1,0,0\n"
                )
            );
            Assert.Equal(beyond ? 1 : 0, differences.Count);
        }
    }

    [Theory]
    [InlineData("rouge1,0.2,0,0\n*,0,0,0\n", 0)] // absolute
    [InlineData("rouge1,0,0.3,0\n*,0,0,0\n", 0)] // relative: .3 of .5
    [InlineData("rouge1,0,0,2.5\n*,0,0,0\n", 0)] // 2.5 standard errors of .05
    [InlineData("rouge1,0.09,0.19,1.9\n*,9,9,9\n", 1)]
    [InlineData("prob,9,9,9\n*,0,0,0\n", 1)]
    public void The_largest_of_three_tolerances_counts_and_a_metrics_own_before_the_rest(
        string tolerances,
        int moved
    ) =>
        Assert.Equal(
            moved,
            TableRegression.Compare(Cells(("ga", .5, false)), Cells(("ga", .6, false)), Bounds(tolerances)).Count
        );

    [Fact]
    public void Every_kind_of_change_is_told_apart()
    {
        var accepted = Cells(
            ("ga", .07, false),
            ("gd", .2, true),
            ("kl", .3, false),
            ("dpo", .4, false),
            ("rome", null, false)
        );
        var present = Cells(
            ("ga", .09, false),
            ("gd", .2, false),
            ("kl", null, false),
            ("rome", .5, true),
            ("wise", .6, false)
        );
        var differences = TableRegression.Compare(accepted, present, Plain);
        Snapshot.Matches(
            RegressionRenderer.Text(differences, 6) + "\n" + RegressionRenderer.Markdown(differences, 6),
            "check.md"
        );
        var junit = RegressionRenderer.JUnit(differences, [.. present.Select(c => c.Name)]);
        Snapshot.Matches(junit, "check.xml");
        Assert.Equal(6, (int)XDocument.Parse(junit).Root!.Attribute("failures")!);
        Assert.Equal(differences.Count, RegressionRenderer.Json(differences, 6)["differences"]!.AsArray().Count);
    }

    [Fact]
    public void A_value_that_is_no_number_is_near_itself_only()
    {
        Assert.Empty(
            TableRegression.Compare(Cells(("ga", double.NaN, false)), Cells(("ga", double.NaN, false)), Plain)
        );
        Assert.Single(TableRegression.Compare(Cells(("ga", double.NaN, false)), Cells(("ga", .5, false)), Plain));
        Assert.Single(TableRegression.Compare(Cells(("ga", .5, false)), Cells(("ga", double.NaN, false)), Plain));
    }

    [Theory]
    [InlineData("table1[WISE,*]", "table1[WISE,llama2,facts-40,forget.rouge1]", true)]
    [InlineData("table1[WISE,*]", "table1[WISE,llama2,facts-40,forget.rouge1]@paper", true)]
    [InlineData("table1[WISE,*]", "table1[GRACE,llama2,facts-40,forget.rouge1]", false)]
    [InlineData("table1[WISE,*]", "table12[WISE,llama2,facts-40,forget.rouge1]", false)]
    [InlineData("table1[wise, *]", "table1[WISE,llama2,facts-40,forget.rouge1]", true)]
    [InlineData("*", "table7[ROME,llama2,facts-80-by-5,forget.hit]", true)]
    [InlineData("*-by-5,*", "table7[ROME,llama2,facts-80-by-5,forget.hit]", true)]
    [InlineData("table1[WISE,*]@paper", "table1[WISE,llama2,facts-40,forget.rouge1]", false)]
    [InlineData("table1[*,forget.rouge1]", "table1[WISE,llama2,facts-40,forget.rouge1]", true)]
    public void Patterns_mean_what_they_say(string pattern, string name, bool expected) =>
        Assert.Equal(expected, CellName.Matches(pattern, name));

    [Fact]
    public void Accepting_changes_the_cells_that_are_meant_and_no_other()
    {
        var accepted = Cells(("ga", .1, false), ("gd", .2, true), ("old", .3, false));
        var present = Cells(("ga", .5, false), ("gd", .6, false), ("new", .7, false));
        var (cells, changed) = TableRegression.Accept(accepted, present, ["table1[ga,*]"]);
        Assert.Equal(1, changed);
        Assert.Equal([("ga", .5), ("gd", .2), ("old", .3)], cells.Select(c => (c.Method, c.Value!.Value)));
        Assert.True(cells[1].Bold);
        var (all, everything) = TableRegression.Accept(accepted, present, ["*"]);
        Assert.Equal(4, everything); // ga, gd, the new one, and the one that is gone
        Assert.Empty(TableRegression.Compare(all, present, Plain));
    }

    [Fact]
    public void Tolerances_of_the_project_can_be_read_and_wrong_ones_are_reported_together()
    {
        var own = Tolerances.Read(Path.Combine(Checkout.Root, "accepted", "tolerances.csv"));
        Assert.True(own.Of("rouge1").Absolute > 0);
        var problems = Assert.Throws<InputException>(() => Bounds("rouge1,-1,much,0\nrouge1,0,0,0\n")).Problems;
        Assert.Equal(4, problems.Count);
    }
}
