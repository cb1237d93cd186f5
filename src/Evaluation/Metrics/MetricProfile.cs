using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Which metric stands behind each column of a table, and how rows become one number; docs/metrics.md opens with both
/// profiles side by side.
/// </summary>
/// <param name="Name"><c>strict</c> or <c>paper</c>.</param>
/// <param name="Columns">Column of the tables and the metric behind it, in print order.</param>
/// <param name="Rows">How many rows of a split count, from the first; null for all.</param>
/// <param name="BatchRows">Rows of a batch for batch-cumulative weights; null for a plain mean.</param>
public sealed record MetricProfile(
    string Name,
    IReadOnlyList<KeyValuePair<string, string>> Columns,
    int? Rows,
    int? BatchRows
)
{
    /// <summary>What the names say: probability and rank of the true answer, over every row.</summary>
    public static MetricProfile Strict { get; } =
        new(
            ProfileNames.Strict,
            [
                new(ColumnNames.Rouge1, Rouge1.Metric.Name),
                new(ColumnNames.Probability, Probability.Metric.Name),
                new(ColumnNames.ReciprocalRank, MeanReciprocalRank.Metric.Name),
                new(ColumnNames.HitRate, HitRate.Metric.Name),
                new(ColumnNames.Refusals, Refusal.Metric.Name),
            ],
            null,
            null
        );

    /// <summary>What the paper's code computes. Reproduce with this one, decide with the other.</summary>
    public static MetricProfile Paper { get; } =
        new(
            ProfileNames.Paper,
            [
                new(ColumnNames.Rouge1, Rouge1.UnderPaperLimit.Name),
                new(ColumnNames.Probability, Probability.PrefixMaximum.Name),
                new(ColumnNames.ReciprocalRank, MeanReciprocalRank.Compat.Name),
                new(ColumnNames.HitRate, HitRate.Compat.Name),
                new(ColumnNames.Refusals, Refusal.Metric.Name),
            ],
            FreeRunning.FirstRows,
            FreeRunning.BatchRows
        );

    /// <summary>Both.</summary>
    public static IReadOnlyList<MetricProfile> All { get; } = [Strict, Paper];

    /// <summary>The metric behind a column.</summary>
    public string Metric(string column) => Columns.First(c => c.Key == column).Value;

    /// <summary>How often each row of a split counts in the mean of a metric.</summary>
    public IReadOnlyList<int> WeightsOf(string metric, int count) =>
        BatchRows is { } batch && MetricCatalog.All.Any(m => m.Name == metric && m.WeighedByBatch)
            ? CumulativeWeights(count, batch)
            : [.. Enumerable.Repeat(1, count)];

    /// <summary>
    /// Weight of each of <paramref name="count"/> rows: with B batches, a row of the b-th counts B - b + 1 times, since
    /// the paper's code appends its list again at each batch.
    /// </summary>
    public static IReadOnlyList<int> CumulativeWeights(int count, int batchRows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchRows);
        var batches = (count + batchRows - 1) / batchRows;
        return [.. Enumerable.Range(0, count).Select(i => batches - i / batchRows)];
    }
}
