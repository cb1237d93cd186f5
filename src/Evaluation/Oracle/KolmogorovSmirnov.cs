namespace EditUnlearn.Evaluation.Oracle;

/// <summary>
/// The two-sample test of Kolmogorov and Smirnov: could these two lists of numbers come from one distribution?
/// </summary>
/// <param name="D">Largest distance of the two empirical distribution functions; 0 to 1.</param>
/// <param name="P">
/// Chance of a distance at least as large, were both drawn from one distribution; two-sided, exact, ties regarded.
/// </param>
/// <remarks>
/// Every order of the pooled values is equally likely under the null hypothesis; an order is a path on a grid, and the
/// share of paths that somewhere reach the distance is counted step by step (Kim and Jennrich 1973; with ties Schroeer
/// and Trenkler 1995: a distance counts only where a run of equal values ends). Shares are summed and never taken from
/// 1, so that the smallest p-values keep all their digits. No package of the feed has this test.
/// </remarks>
internal readonly record struct KolmogorovSmirnov(double D, double P)
{
    /// <summary>Compares two samples; null where one of them is empty.</summary>
    public static KolmogorovSmirnov? Of(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        if (x.Concat(y).Any(double.IsNaN))
            throw new ArgumentException("A value that is no number has no place in an order.");
        if (x.Count == 0 || y.Count == 0)
            return null;
        var (m, n) = (x.Count, y.Count);
        double[] all = [.. x.Concat(y).Order()];
        // Where a run of equal values ends, after so many of both.
        var ends = new bool[m + n + 1];
        for (var k = 1; k <= m + n; k++)
            ends[k] = k == m + n || all[k - 1] < all[k];
        var seen = Distance(x, y, all, ends);
        return new KolmogorovSmirnov(seen / ((double)m * n), Reaching(m, n, seen, ends));
    }

    // max |i n - j m| over the ends of runs, where i of x and j of y are not larger: whole numbers, so that no rounding
    // decides whether two distances are equal.
    private static long Distance(IReadOnlyList<double> x, IReadOnlyList<double> y, double[] all, bool[] ends)
    {
        double[] a = [.. x.Order()],
            b = [.. y.Order()];
        long most = 0;
        int i = 0,
            j = 0;
        for (var k = 1; k <= all.Length; k++)
        {
            if (!ends[k])
                continue;
            while (i < a.Length && a[i] <= all[k - 1])
                i++;
            while (j < b.Length && b[j] <= all[k - 1])
                j++;
            most = Math.Max(most, Math.Abs((long)i * b.Length - (long)j * a.Length));
        }
        return most;
    }

    // Share of the paths from (0, 0) to (m, n) that reach the distance: of those to (i, j), a share i / (i + j) came
    // over (i - 1, j), the others over (i, j - 1).
    private static double Reaching(int m, int n, long distance, bool[] ends)
    {
        var share = new double[n + 1];
        for (var i = 0; i <= m; i++)
            for (var j = 0; j <= n; j++)
                if (i + j > 0)
                    share[j] =
                        ends[i + j] && Math.Abs((long)i * n - (long)j * m) >= distance ? 1
                        : i == 0 ? share[j - 1]
                        : j == 0 ? share[j]
                        : (i * share[j] + j * share[j - 1]) / (i + j);
        return Math.Min(1, share[n]);
    }
}
