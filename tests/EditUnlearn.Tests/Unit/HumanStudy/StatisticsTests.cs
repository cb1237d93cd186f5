using EditUnlearn.Foundation;
using EditUnlearn.HumanStudy;

namespace EditUnlearn.Tests.Unit.HumanStudy;

public sealed class StatisticsTests
{
    private static SplitMix64 Stream(string name = "test") => new Seed(3).Stream(name);

    [Fact]
    public void Few_pairs_get_the_exact_p()
    {
        // Of 8 sign patterns of 1 1 1 only the two extremes reach |3|.
        Assert.Equal(2 / 8.0, SignFlip.P([1, 1, 1], Stream()));
        // 2 1 -1: sums 2, 4, 0, 2 and their negatives; six of eight reach |2|.
        Assert.Equal(6 / 8.0, SignFlip.P([2, 1, -1], Stream()));
        Assert.Equal(1, SignFlip.P([0, 0], Stream()));
        Assert.Null(SignFlip.P([], Stream()));
    }

    [Fact]
    public void Many_pairs_are_drawn_and_the_draw_is_near_the_exact_value()
    {
        double[] differences = [1, 2, -1, 3, 1, 1, -2, 1, 2, 1, 1, -1];
        var exact = SignFlip.P(differences, Stream())!.Value;
        var drawn = SignFlip.P(differences, Stream(), draws: 4000)!.Value; // 2^12 patterns are more than 4000
        Assert.NotEqual(exact, drawn);
        Assert.Equal(exact, drawn, 1);
        Assert.Equal(drawn, SignFlip.P(differences, Stream(), draws: 4000));
        Assert.Equal(1.0 / 10001, SignFlip.P([.. Enumerable.Repeat(1.0, 60)], Stream())!.Value, 12);
    }

    [Fact]
    public void Holm_multiplies_by_what_is_left_and_never_falls()
    {
        var corrected = SignFlip.Holm([0.04, 0.01, null, 0.03]);
        Assert.Equal([0.06, 0.03, 0.06], corrected.OfType<double>().Select(p => Math.Round(p, 12)));
        Assert.Null(corrected[2]);
        Assert.Equal([1, 1], SignFlip.Holm([0.7, 0.6]).OfType<double>());
    }

    [Fact]
    public void The_interval_covers_raters_and_items_and_is_the_same_every_time()
    {
        // Raters differ, items do not: resampling items alone would give an interval of no width.
        var values = (
            from r in Enumerable.Range(0, 10)
            from i in Enumerable.Range(0, 12)
            select ($"r{r}", $"i{i}", (double)(r % 5 + 1))
        ).ToList();
        string[] raters = [.. Enumerable.Range(0, 10).Select(r => $"r{r}")],
            items = [.. Enumerable.Range(0, 12).Select(i => $"i{i}")];
        var interval = TwoWayBootstrap.Interval(values, raters, items, Stream())!.Value;
        Assert.Equal(interval, TwoWayBootstrap.Interval(values, raters, items, Stream()));
        // Ten raters, standard deviation sqrt(2): 3 +- 1.96 * sqrt(2 / 10), within the noise of 2000 draws.
        Assert.InRange(interval.Low, 3 - 0.88 - 0.1, 3 - 0.88 + 0.15);
        Assert.InRange(interval.High, 3 + 0.88 - 0.15, 3 + 0.88 + 0.1);
        Assert.Null(TwoWayBootstrap.Interval([], raters, items, Stream()));
        Assert.Equal((4.0, 4.0), TwoWayBootstrap.Interval([("r1", "i1", 4)], raters, items, Stream()));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 2.5)]
    [InlineData(1, 4)]
    public void Quantiles_are_interpolated(double share, double expected) =>
        Assert.Equal(expected, TwoWayBootstrap.Quantile([1, 2, 3, 4], share));
}
