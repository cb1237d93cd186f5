using System.Numerics;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;

namespace EditUnlearn.Evaluation;

/// <summary>
/// From evidence to numbers: a row per question and metric, then means in both profiles that never travel without them.
/// </summary>
public static class Scores
{
    private const int Resamples = 2000;
    private const double LowerTail = 0.025;

    /// <summary>What the evidence does not say of its run.</summary>
    /// <param name="Data">Where the forget set was taken from.</param>
    /// <param name="Target"><c>plain</c>, <c>self-improved</c>, or empty where the method has no use for it.</param>
    /// <param name="Merge">Questions merged into one.</param>
    /// <param name="Diverged">Whether training left the finite numbers.</param>
    /// <param name="Seed">Of the model and of the method.</param>
    /// <param name="Repeats">The model that this one repeats with another seed, under whose name the scores then go;
    /// null for none.</param>
    public sealed record Run(
        string Data,
        string Target = "",
        int Merge = 1,
        bool Diverged = false,
        ulong Seed = 0,
        string? Repeats = null
    );

    /// <summary>
    /// Every metric of every row, by split, place and metric. The size of a set is the number of its questions in the
    /// split <c>forget</c>; 0 where that was not asked.
    /// </summary>
    public static IReadOnlyList<ScoreRow> Of(IReadOnlyCollection<AnswerRow> answers, Run run)
    {
        ArgumentNullException.ThrowIfNull(answers);
        ArgumentNullException.ThrowIfNull(run);
        var sizes = answers
            .Where(a => a.Split == SplitNames.Forget)
            .CountBy(a => (a.Model, a.Set, a.Method))
            .ToDictionary(g => g.Key, g => g.Value);
        return
        [
            .. answers
                .GroupBy(a => (a.Model, a.Set, a.Method, a.Split))
                .SelectMany(g => g.OrderBy(a => a.Order).ThenBy(a => a.Id, StringComparer.Ordinal))
                .SelectMany(a =>
                    MetricCatalog.All.Select(m => new ScoreRow
                    {
                        Seed = run.Seed,
                        Model = run.Repeats ?? a.Model,
                        Set = a.Set,
                        Data = run.Data,
                        Size = sizes.GetValueOrDefault((a.Model, a.Set, a.Method)),
                        Method = a.Method,
                        Target = run.Target,
                        Merge = run.Merge,
                        Split = a.Split,
                        Order = a.Order,
                        Id = a.Id,
                        Metric = m.Name,
                        Value = m.Of(a),
                    })
                ),
        ];
    }

    /// <summary>
    /// Means by model, set, method, split, metric and profile, with standard error and bootstrap interval; below them
    /// the score of each run, 1 - forget + retain. Where kept questions were set apart from methods, there are means of
    /// all kept ones too, in the order of their ids: <c>retain-all</c>.
    /// </summary>
    /// <param name="rows">In any order.</param>
    /// <param name="seed">Of the bootstrap. Every cell draws the same resamples of its split, so cells can be compared
    /// pair by pair.</param>
    /// <param name="diverged">Passed on.</param>
    public static IReadOnlyList<CellScore> Means(IEnumerable<ScoreRow> rows, Seed seed, bool diverged = false) =>
        [
            .. WithAllKept([.. rows])
                .GroupBy(r => (r.Model, r.Seed, r.Set, r.Method))
                .Select(run => run.GroupBy(r => r.Split).Select(s => (IReadOnlyList<ScoreRow>)[.. s]).ToList())
                .SelectMany(splits => MetricProfile.All.SelectMany(profile => Means(splits, profile, seed, diverged))),
        ];

    private static IEnumerable<ScoreRow> WithAllKept(IReadOnlyList<ScoreRow> rows)
    {
        var parted = rows.Where(r => r.Split == SplitNames.RetainTrained)
            .Select(r => (r.Model, r.Seed, r.Set, r.Method))
            .ToHashSet();
        return rows.Concat(
            rows.Where(r =>
                    r.Split is SplitNames.Retain or SplitNames.RetainTrained
                    && parted.Contains((r.Model, r.Seed, r.Set, r.Method))
                )
                .Select(r => r with { Split = SplitNames.RetainAll, Order = 0 })
        );
    }

    // Of one run in one profile.
    private static IEnumerable<CellScore> Means(
        IReadOnlyList<IReadOnlyList<ScoreRow>> splits,
        MetricProfile profile,
        Seed seed,
        bool diverged
    )
    {
        var resamples = new Dictionary<string, (CellScore Score, double[] Means)>(StringComparer.Ordinal);
        foreach (var split in splits)
            foreach (var (score, means) in OfSplit(split, profile, seed, diverged))
            {
                yield return score;
                if (score.Metric == profile.Metric(ColumnNames.Rouge1))
                    resamples[score.Split] = (score, means);
            }
        if (
            resamples.TryGetValue(SplitNames.Forget, out var forget)
            && resamples.TryGetValue(SplitNames.Retain, out var retain)
            && forget.Score.Mean is { } f
            && retain.Score.Mean is { } r
        )
            yield return Score(forget, retain, 1 - f + r);
    }

    // Forget and retain set are different questions, drawn apart: their resamples are combined one by one.
    private static CellScore Score(
        (CellScore Score, double[] Means) forget,
        (CellScore Score, double[] Means) retain,
        double mean
    )
    {
        double[] scores = [.. forget.Means.Zip(retain.Means, (f, r) => 1 - f + r)];
        var (low, high) = Interval(scores);
        return forget.Score with
        {
            Split = SplitNames.Both,
            Metric = MetricNames.Score,
            Mean = mean,
            StandardError = double.Hypot(forget.Score.StandardError, retain.Score.StandardError),
            CiLow = low,
            CiHigh = high,
            Count = forget.Score.Count + retain.Score.Count,
            Excluded = forget.Score.Excluded + retain.Score.Excluded,
        };
    }

    // Of the rows of one split in one profile, each with the means of its resamples.
    private static IEnumerable<(CellScore Score, double[] Means)> OfSplit(
        IReadOnlyList<ScoreRow> split,
        MetricProfile profile,
        Seed seed,
        bool diverged
    )
    {
        var run = split[0];
        var metrics = split
            .GroupBy(r => r.Metric)
            .Select(g =>
                (
                    Name: g.Key,
                    Rows: (IReadOnlyList<ScoreRow>)
                        [
                            .. g.OrderBy(r => r.Order)
                                .ThenBy(r => r.Id, StringComparer.Ordinal)
                                .Take(profile.Rows ?? int.MaxValue),
                        ]
                )
            )
            .ToList();
        var columns = metrics
            .Select(m => new Column([.. m.Rows.Select(r => r.Value)], Weights(m.Name, m.Rows.Count, profile)))
            .ToList();
        var resampled = Resampled(columns, seed.Stream("bootstrap/" + run.Split));
        var intervals = resampled.Select(Interval).ToList();
        return metrics.Select(
            (m, i) =>
                (
                    new CellScore
                    {
                        Seed = run.Seed,
                        Model = run.Model,
                        Set = run.Set,
                        Data = run.Data,
                        Size = run.Size,
                        Method = run.Method,
                        Target = run.Target,
                        Merge = run.Merge,
                        Split = run.Split,
                        Metric = m.Name,
                        Profile = profile.Name,
                        Mean = columns[i].Mean,
                        StandardError = columns[i].StandardError,
                        CiLow = intervals[i].Low,
                        CiHigh = intervals[i].High,
                        Count = columns[i].Count,
                        Excluded = m.Rows.Count - columns[i].Count,
                        Diverged = diverged,
                    },
                    resampled[i]
                )
        );
    }

    private static int[] Weights(string metric, int count, MetricProfile profile) =>
        [.. profile.WeightsOf(metric, count)];

    // Values and weights of one metric, row by row; a row without a value has no weight.
    private sealed class Column(IReadOnlyList<double?> values, int[] weights)
    {
        public double[] Weighted { get; } = [.. values.Select((v, i) => v is { } x ? x * weights[i] : 0)];

        public double[] Weights { get; } = [.. values.Select((v, i) => v is null ? 0.0 : weights[i])];

        public int Count { get; } = values.Count(v => v is not null);

        public double? Mean => Weights.Sum() is > 0 and var w ? Weighted.Sum() / w : null;

        // Of a weighted mean: sqrt(n/(n-1) sum w^2 (x - m)^2) / sum w, which for equal weights is the usual one.
        public double StandardError
        {
            get
            {
                if (Count < 2 || Mean is not { } mean)
                    return 0;
                var squares = values
                    .Select((v, i) => v is { } x ? weights[i] * (x - mean) * weights[i] * (x - mean) : 0)
                    .Sum();
                return Math.Sqrt(squares * Count / (Count - 1)) / Weights.Sum();
            }
        }
    }

    // The means of each metric. Rows are drawn once per resample for all metrics of a split; all columns of a row are
    // added at once, each in the order of the rows.
    private static double[][] Resampled(List<Column> columns, SplitMix64 draw)
    {
        var n = columns.Count == 0 ? 0 : columns[0].Weights.Length;
        var width = Vector<double>.Count;
        var lanes = (((2 * columns.Count) + width - 1) / width) * width;
        var rows = new double[n * lanes];
        foreach (var (c, column) in columns.Index())
            for (var i = 0; i < n; i++)
                (rows[(i * lanes) + c], rows[(i * lanes) + columns.Count + c]) = (
                    column.Weighted[i],
                    column.Weights[i]
                );
        var means = columns.Select(_ => new List<double>(Resamples)).ToList();
        var times = new int[n];
        var sums = new double[lanes];
        for (var b = 0; b < Resamples && n > 0; b++)
        {
            Array.Clear(times);
            for (var i = 0; i < n; i++)
                times[draw.Below(n)]++;
            Array.Clear(sums);
            for (var i = 0; i < n; i++)
            {
                if (times[i] == 0)
                    continue;
                var drawn = new Vector<double>(times[i]);
                for (var c = 0; c < lanes; c += width)
                    (new Vector<double>(sums, c) + (drawn * new Vector<double>(rows, (i * lanes) + c))).CopyTo(sums, c);
            }
            for (var c = 0; c < columns.Count; c++)
                if (sums[columns.Count + c] is > 0 and var weight)
                    means[c].Add(sums[c] / weight);
        }
        return [.. means.Select(m => m.ToArray())];
    }

    // Of resampled means, which keep their order; nulls where there are none.
    private static (double? Low, double? High) Interval(double[] means)
    {
        if (means.Length == 0)
            return (null, null);
        double[] sorted = [.. means];
        Array.Sort(sorted);
        return (Percentile(sorted, LowerTail), Percentile(sorted, 1 - LowerTail));
    }

    private static double Percentile(double[] sorted, double share)
    {
        var at = share * (sorted.Length - 1);
        var below = (int)Math.Floor(at);
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((at - below) * (sorted[above] - sorted[below]));
    }
}
