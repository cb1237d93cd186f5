using EditUnlearn.Evaluation.Oracle;
using EditUnlearn.Foundation;

namespace EditUnlearn.Tests.Unit.Evaluation;

public sealed class KolmogorovSmirnovTests
{
    private static KolmogorovSmirnov Of(double[] x, double[] y) => KolmogorovSmirnov.Of(x, y)!.Value;

    // By hand: of the C(m + n, m) orders of the pooled values, how many have a distance at least as large.
    public static TheoryData<double[], double[], double, double> Known =>
        new()
        {
            { [1], [2], 1, 1 },
            { [1, 2], [3, 4], 1, 2 / 6.0 },
            { [1, 3], [2, 4], 0.5, 1 },
            { [1, 2, 3], [4, 5, 6], 1, 2 / 20.0 },
            // 12 of the 20 orders of three and three reach 2/3.
            { [1, 2, 4], [3, 5, 6], 2 / 3.0, 12 / 20.0 },
            { [1, 2], [3, 4, 5], 1, 2 / 10.0 },
            { [1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 1, 2 / 252.0 },
            { [1, 2, 3], [1, 2, 3], 0, 1 },
            // All values equal: one order that anybody can see, and no distance.
            { [7, 7], [7, 7, 7], 0, 1 },
        };

    [Theory]
    [MemberData(nameof(Known))]
    public void Small_samples_have_the_values_that_can_be_counted_by_hand(double[] x, double[] y, double d, double p)
    {
        var found = Of(x, y);
        Assert.Equal(d, found.D, 12);
        Assert.Equal(p, found.P, 12);
        Assert.Equal(found, Of(y, x));
    }

    [Fact]
    public void Every_assignment_of_the_pooled_values_gives_the_same_p_ties_or_not()
    {
        var stream = new Seed(5).Stream("ks");
        for (var round = 0; round < 60; round++)
        {
            var (m, n) = (1 + stream.Below(5), 1 + stream.Below(6));
            var values = 2 + stream.Below(12);
            double[] x = [.. Enumerable.Range(0, m).Select(_ => (double)stream.Below(values))];
            double[] y = [.. Enumerable.Range(0, n).Select(_ => (double)stream.Below(values))];
            var found = Of(x, y);
            Assert.Equal(Distance(x, y), found.D, 12);
            double[] all = [.. x, .. y];
            int reached = 0,
                total = 0;
            for (var mask = 0; mask < 1 << (m + n); mask++)
            {
                if (int.PopCount(mask) != m)
                    continue;
                total++;
                double[] a = [.. all.Where((_, i) => (mask >> i & 1) == 1)];
                double[] b = [.. all.Where((_, i) => (mask >> i & 1) == 0)];
                if (Distance(a, b) >= found.D - 1e-9)
                    reached++;
            }
            Assert.Equal(reached / (double)total, found.P, 10);
        }
    }

    [Fact]
    public void The_smallest_p_values_keep_their_digits()
    {
        // Two samples of 40 without overlap: 2 of the C(80, 40) orders.
        double[] low = [.. Enumerable.Range(0, 40).Select(i => (double)i)];
        var found = Of(low, [.. low.Select(v => v + 100)]);
        var orders = Enumerable.Range(1, 40).Aggregate(1.0, (c, k) => c * (40 + k) / k);
        Assert.Equal(1, found.P / (2 / orders), 9);
        Assert.InRange(found.P, 1e-23, 2e-23);
    }

    [Fact]
    public void Large_samples_approach_the_series_of_Kolmogorov()
    {
        // 400 and 400 evenly interleaved, one of them moved by 36 places: D = 0.09.
        double[] x = [.. Enumerable.Range(0, 400).Select(i => (double)i)];
        double[] y = [.. x.Select(v => v + 35.5)];
        var found = Of(x, y);
        Assert.Equal(0.09, found.D, 12);
        var lambda = found.D * Math.Sqrt(200);
        var series =
            2 * Enumerable.Range(1, 20).Sum(k => (k % 2 == 1 ? 1 : -1) * Math.Exp(-2 * lambda * lambda * k * k));
        Assert.InRange(found.P, series - 0.01, series + 0.01);
    }

    [Fact]
    public void Nothing_and_what_is_no_number_cannot_be_compared()
    {
        Assert.Null(KolmogorovSmirnov.Of([], [1, 2]));
        Assert.Throws<ArgumentException>(() => KolmogorovSmirnov.Of([double.NaN], [1]));
    }

    private static double Distance(double[] x, double[] y) =>
        x.Concat(y)
            .Max(v => Math.Abs(x.Count(a => a <= v) / (double)x.Length - y.Count(b => b <= v) / (double)y.Length));
}
