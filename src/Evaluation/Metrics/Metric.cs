using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>A number about one question's evidence.</summary>
/// <param name="Name">In files: <c>rouge1</c>.</param>
/// <param name="Label">In tables: <c>Rouge1</c>.</param>
/// <param name="Of">The value; null where it is not defined. A pure function of the row.</param>
/// <param name="InTables">Whether the paper's tables print it.</param>
public sealed record Metric(string Name, string Label, Func<AnswerRow, double?> Of, bool InTables);

/// <summary>All metrics, in the order of the tables.</summary>
public static class MetricCatalog
{
    /// <summary>One line a metric. All lie in [0, 1]; on the forget set lower is better, on the others higher.</summary>
    public static IReadOnlyList<Metric> All { get; } = [Rouge1.Metric, Probability.Metric, MeanReciprocalRank.Metric, HitRate.Metric, Rouge1.F1, Refusal.Metric];
}
