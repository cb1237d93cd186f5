using EditUnlearn.Artifacts;
using EditUnlearn.Methods;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

/// <summary>The accepted tables are what the layouts make of their own numbers.</summary>
public sealed class AcceptedTests
{
    private static StudyScope Mini { get; } =
        new()
        {
            BeforeImprovement = "facts-20-list",
            AfterImprovement = "facts-20",
            Methods = StudyScope.WithPaperMethods([
                .. MethodCatalog
                    .All.Where(m => m.Kind != MethodKind.Untouched)
                    .Select(m => new ReportMethod(m.Name, m.Label, m.IsEditing)),
            ]),
        };

    private static StudyScope Smoke { get; } =
        new()
        {
            Facts = "facts-4",
            Sizes = ["facts-4"],
            BeforeImprovement = "facts-4-list",
            AfterImprovement = "facts-4",
            Unmerged = "facts-4",
            Merged = ["facts-4-by-2"],
        };

    [Theory]
    [InlineData("mini", "strict")]
    [InlineData("mini", "paper")]
    [InlineData("smoke", "strict")]
    [InlineData("smoke", "paper")]
    public void Names_sets_and_marks_follow_from_the_values(string profile, string metrics)
    {
        List<TableCell> accepted =
        [
            .. CellFile.ReadFolder(Path.Combine(Checkout.Root, "accepted", profile)).Where(c => c.Profile == metrics),
        ];
        // Where questions were kept from methods, all kept ones have a column of their own.
        var unseen = accepted.Any(c => c.Split == SplitNames.RetainAll) ? 0.5 : 0;
        var scope = (profile == "mini" ? Mini : Smoke) with
        {
            Sets = accepted
                .Where(c => c.Target.Length > 0)
                .Select(c => new StudySet(c.Set, c.Data, c.Size, c.Target, c.Merge, unseen))
                .Distinct()
                .ToDictionary(s => s.Name),
        };
        Assert.Empty(scope.Problems());
        var book = new ScoreBook(
            accepted
                .Where(c => c.Value is not null)
                .DistinctBy(c => (c.Model, c.Set, c.Method, c.Split, c.Metric))
                .Select(Score),
            metrics,
            accepted.Select(c => KeyValuePair.Create(c.Metric, c.Variant)).Distinct()
        );
        var cells = TableCatalog.All(scope).SelectMany(l => Table.Of(l, book, scope).Cells).ToList();
        Assert.Equal(accepted.Count, cells.Count);
        Assert.All(accepted.Zip(cells), pair => Assert.Equal(pair.First, pair.Second));
    }

    private static CellScore Score(TableCell c) =>
        new()
        {
            Model = c.Model,
            Set = c.Set,
            Data = c.Data,
            Size = c.Size,
            Method = c.Method,
            Target = c.Target,
            Merge = c.Merge,
            Split = c.Split,
            Metric = c.Variant,
            Profile = c.Profile,
            Mean = c.Value,
            StandardError = c.StandardError,
            CiLow = c.CiLow,
            CiHigh = c.CiHigh,
            Count = c.Count,
            Excluded = c.Excluded,
            Diverged = c.Diverged,
        };
}
