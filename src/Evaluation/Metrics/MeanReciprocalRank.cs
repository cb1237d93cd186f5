namespace EditUnlearn.Evaluation.Metrics;

/// <summary>Mean of 1 / rank over the true answer's tokens, EOS left out. Source: the study's section 4.1; evaluation specification, section 6.</summary>
public static class MeanReciprocalRank
{
    /// <summary>Teacher forced, on in-context ids.</summary>
    public static Metric Metric { get; } = new("mrr", "MRR", row => Of(Ranks.WithoutEnd(row)), InTables: true);

    /// <summary>(1/n) sum 1 / rank; null without tokens.</summary>
    public static double? Of(IReadOnlyList<int> ranks)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        return ranks.Count == 0 ? null : ranks.Average(r => 1.0 / r);
    }
}
