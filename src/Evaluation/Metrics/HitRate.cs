using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Share of the true answer's tokens among the model's 100 most likely.
/// </summary>
internal static class HitRate
{
    private const string Origin = "the study's section 4.1; variants in docs/metrics.md, MRR and Hit-Rate";

    /// <summary>m of the paper's tables.</summary>
    public const int Cutoff = 100;

    /// <summary>Teacher forced, on in-context ids: what <c>strict</c> prints.</summary>
    public static Metric Metric { get; } =
        new("hit", "Hit-Rate", row => Of(Ranks.WithoutEnd(row), Cutoff))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <inheritdoc cref="MeanReciprocalRank.FreeRunning"/>
    public static Metric FreeRunning { get; } =
        new("hit.free", "Hit-Rate, free running", row => Of(row.FreeRanks, Cutoff))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <inheritdoc cref="MeanReciprocalRank.Compat"/>
    public static Metric Compat { get; } =
        new("hit.compat", "Hit-Rate (paper)", row => Of(row.CompatFilteredRanks, Cutoff))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <inheritdoc cref="MeanReciprocalRank.CompatUnfiltered"/>
    public static Metric CompatUnfiltered { get; } =
        new("hit.compat.unfiltered", "Hit-Rate (paper), no filter", row => Of(row.CompatRanks, Cutoff))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
            WeighedByBatch = true,
        };

    /// <summary>(1/n) sum [rank &lt;= m], a rank of 0 counting as nothing; null without tokens.</summary>
    public static double? Of(IReadOnlyList<int> ranks, int cutoff)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        return ranks.Count == 0 ? null : ranks.Average(r => r > 0 && r <= cutoff ? 1.0 : 0.0);
    }
}

/// <summary>The ranks that count.</summary>
internal static class Ranks
{
    /// <summary>All but that of EOS, which ends every target.</summary>
    public static IReadOnlyList<int> WithoutEnd(AnswerRow row) => [.. row.Ranks.SkipLast(1)];
}
