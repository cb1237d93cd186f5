using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>Share of the true answer's tokens among the model's 100 most likely. Source: the study's section 4.1; evaluation specification, section 6.</summary>
public static class HitRate
{
    /// <summary>m of the paper's tables.</summary>
    public const int Cutoff = 100;

    /// <summary>Teacher forced, on in-context ids.</summary>
    public static Metric Metric { get; } = new("hit", "Hit-Rate", row => Of(Ranks.WithoutEnd(row), Cutoff), InTables: true);

    /// <summary>(1/n) sum [rank &lt;= m]; null without tokens.</summary>
    public static double? Of(IReadOnlyList<int> ranks, int cutoff)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        return ranks.Count == 0 ? null : ranks.Average(r => r <= cutoff ? 1.0 : 0.0);
    }
}

/// <summary>The ranks that count.</summary>
internal static class Ranks
{
    /// <summary>All but that of EOS, which ends every target.</summary>
    public static IReadOnlyList<int> WithoutEnd(AnswerRow row) => [.. row.Ranks.SkipLast(1)];
}
