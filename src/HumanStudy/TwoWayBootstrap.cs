using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>
/// A 95 % interval of a pooled mean that would move both with other raters and with other questions: both are
/// resampled, and a rating counts as often as its rater times its question were drawn.
/// </summary>
/// <remarks>
/// Source: the percentile interval of Owen (2007), "The pigeonhole bootstrap".
/// </remarks>
internal static class TwoWayBootstrap
{
    /// <summary>Resamples of one interval.</summary>
    public const int Draws = 2000;

    /// <summary>The interval; null where nothing counts.</summary>
    /// <param name="values">Rater, question and value of every rating that counts.</param>
    /// <param name="raters">All raters, also those without a value here.</param>
    /// <param name="items">All questions.</param>
    /// <param name="stream">Of the draws.</param>
    /// <param name="draws">How many resamples.</param>
    public static (double Low, double High)? Interval(
        IReadOnlyList<(string Rater, string Item, double Value)> values,
        IReadOnlyList<string> raters,
        IReadOnlyList<string> items,
        SplitMix64 stream,
        int draws = Draws
    )
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(raters);
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(stream);
        if (values.Count == 0)
            return null;
        var (rater, item) = (Places(raters), Places(items));
        var cells = values.Select(v => (Rater: rater[v.Rater], Item: item[v.Item], v.Value)).ToArray();
        var means = new List<double>(draws);
        var (timesRater, timesItem) = (new int[raters.Count], new int[items.Count]);
        for (var d = 0; d < draws; d++)
        {
            Draw(timesRater, stream);
            Draw(timesItem, stream);
            double sum = 0,
                weight = 0;
            foreach (var (r, i, value) in cells)
            {
                double w = timesRater[r] * timesItem[i];
                sum += w * value;
                weight += w;
            }
            // A resample without any rating that counts has no mean and says nothing.
            if (weight > 0)
                means.Add(sum / weight);
        }
        if (means.Count == 0)
            return null;
        means.Sort();
        return (Quantile(means, 0.025), Quantile(means, 0.975));
    }

    /// <summary>A quantile of sorted values, interpolated between neighbours.</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double share)
    {
        ArgumentNullException.ThrowIfNull(sorted);
        var at = share * (sorted.Count - 1);
        var below = (int)at;
        return below + 1 < sorted.Count
            ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below])
            : sorted[below];
    }

    private static Dictionary<string, int> Places(IReadOnlyList<string> names) =>
        names.Index().ToDictionary(n => n.Item, n => n.Index, StringComparer.Ordinal);

    private static void Draw(int[] times, SplitMix64 stream)
    {
        Array.Clear(times);
        for (var i = 0; i < times.Length; i++)
            times[stream.Below(times.Length)]++;
    }
}
