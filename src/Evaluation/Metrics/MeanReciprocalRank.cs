using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Mean of 1 / rank over the true answer's tokens, EOS left out.
/// </summary>
internal static class MeanReciprocalRank
{
    private const string Origin = "the study's section 4.1; variants in docs/metrics.md, MRR and Hit-Rate";

    /// <summary>Teacher forced, on in-context ids: what <c>strict</c> prints.</summary>
    public static Metric Metric { get; } =
        new("mrr", "MRR", row => Of(Ranks.WithoutEnd(row)))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <summary>At the steps of the model's own answer; steps after its end count as nothing.</summary>
    public static Metric FreeRunning { get; } =
        new("mrr.free", "MRR, free running", row => Of(row.FreeRanks))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <summary>
    /// As the paper's code does it: free running, stand-alone ids, in a batch, after the family's filter.
    /// </summary>
    public static Metric Compat { get; } =
        new("mrr.compat", "MRR (paper)", row => Of(row.CompatFilteredRanks))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <summary>The same without the filter.</summary>
    public static Metric CompatUnfiltered { get; } =
        new("mrr.compat.unfiltered", "MRR (paper), no filter", row => Of(row.CompatRanks))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <summary>(1/n) sum 1 / rank, a rank of 0 counting as nothing; null without tokens.</summary>
    public static double? Of(IReadOnlyList<int> ranks)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        return ranks.Count == 0 ? null : ranks.Average(r => r == 0 ? 0 : 1.0 / r);
    }
}
