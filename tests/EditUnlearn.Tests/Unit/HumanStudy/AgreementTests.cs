using EditUnlearn.HumanStudy;

namespace EditUnlearn.Tests.Unit.HumanStudy;

public sealed class AgreementTests
{
    private static readonly string[] Published =
    [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ];

    [Theory]
    [InlineData(nameof(MeasureLevel.Nominal), .7434)]
    [InlineData(nameof(MeasureLevel.Ordinal), .8154)]
    [InlineData(nameof(MeasureLevel.Interval), .8491)]
    public void Alpha_of_the_published_example_is_as_published(string level, double expected) =>
        Assert.Equal(expected, Krippendorff.Alpha(Units(Published), Enum.Parse<MeasureLevel>(level))!.Value, 4);

    [Fact]
    public void Alpha_is_1_for_equal_ratings_and_undefined_without_variation_or_pairs()
    {
        Assert.Equal(1, Krippendorff.Alpha(Units("1 2 3", "1 2 3"), MeasureLevel.Ordinal)!.Value, 12);
        Assert.Null(Krippendorff.Alpha(Units("2 2 2", "2 2 2"), MeasureLevel.Nominal));
        Assert.Null(Krippendorff.Alpha(Units("1 2 .", ". . 3"), MeasureLevel.Interval));
        Assert.Null(Krippendorff.Alpha([], MeasureLevel.Nominal));
    }

    [Fact]
    public void Raters_and_units_may_come_in_any_order()
    {
        var turned = Units(Published).Select(u => (IReadOnlyList<int>)[.. u.Reverse()]).Reverse();
        Assert.Equal(
            Krippendorff.Alpha(Units(Published), MeasureLevel.Ordinal)!.Value,
            Krippendorff.Alpha(turned, MeasureLevel.Ordinal)!.Value,
            12
        );
    }

    [Fact]
    public void Spearman_takes_mid_ranks_and_is_undefined_without_variation()
    {
        Assert.Equal(1, Agreement.Spearman([1, 2, 3], [10, 20, 21])!.Value, 12);
        Assert.Equal(-1, Agreement.Spearman([1, 2, 3], [3, 2, 1])!.Value, 12);
        // Ranks 1.5 1.5 3 against 1 2 3: covariance 1.5, deviations sqrt(1.5) and sqrt(2).
        Assert.Equal(1.5 / Math.Sqrt(1.5 * 2), Agreement.Spearman([1, 1, 2], [5, 6, 7])!.Value, 12);
        Assert.Null(Agreement.Spearman([1, 1, 1], [1, 2, 3]));
    }

    [Fact]
    public void Percent_agreement_counts_pairs_and_scales_that_are_gated_out_are_missing()
    {
        SheetRating[] ratings =
        [
            new("a", "x", 1, 5, 4, ""),
            new("b", "x", 1, 5, 2, ""),
            new("c", "x", 0, null, null, ""),
            new("a", "y", 0, null, null, ""),
            new("b", "y", 0, null, null, ""),
            new("c", "z", 1, 1, 1, ""),
        ];
        var rows = Agreement.Of(ratings, "all");
        var forget = rows.Single(r => r.Measure == "forgetQuality");
        Assert.Equal((2, 5), (forget.Units, forget.Ratings));
        Assert.Equal((1 / 3.0 + 1) / 2, forget.PercentAgreement!.Value, 12);
        var entailment = rows.First(r => r.Measure == "entailment");
        Assert.Equal((1, 2, (double?)null), (entailment.Units, entailment.Ratings, entailment.Alpha));
        Assert.Equal(1, entailment.PercentAgreement);
        Assert.Equal(0, rows.First(r => r.Measure == "trustworthiness").PercentAgreement);
    }

    private static IEnumerable<IReadOnlyList<int>> Units(params string[] raters)
    {
        var table = raters.Select(r => r.Split(' ')).ToList();
        return Enumerable
            .Range(0, table[0].Length)
            .Select(u => (IReadOnlyList<int>)[.. table.Select(r => r[u]).Where(v => v != ".").Select(int.Parse)]);
    }
}
