using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Probability in its variants.
/// </summary>
internal static class Probability
{
    private const string Origin = "Maini et al. (2024), section 2.2.2; docs/metrics.md, Probability";

    /// <summary>Of the true answer, per token, EOS included: what <c>strict</c> prints.</summary>
    public static Metric Metric { get; } =
        new("gt.norm", "Prob", row => PerToken(row.LogProbabilities))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>The same without EOS.</summary>
    public static Metric WithoutEnd { get; } =
        new("gt.norm.noEos", "Prob without EOS", row => PerToken([.. row.LogProbabilities.SkipLast(1)]))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>Of the whole true answer, EOS left out; falls with its length.</summary>
    public static Metric Raw { get; } =
        new("gt.raw", "Prob of the whole answer", row => Whole([.. row.LogProbabilities.SkipLast(1)]))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>Of what the model said, per token: its confidence, whatever it says.</summary>
    public static Metric OfSaid { get; } =
        new("gen.norm", "Confidence", row => PerToken(row.GeneratedLogProbabilities))
        {
            Source = Origin,
            Direction = Direction.Neither,
        };

    /// <summary>Of all the model said: the formula the paper prints.</summary>
    public static Metric RawOfSaid { get; } =
        new("gen.raw", "Prob of what was said", row => Whole(row.GeneratedLogProbabilities))
        {
            Source = Origin,
            Direction = Direction.Neither,
        };

    /// <summary>
    /// Mean of the highest probability over the first positions of the row: what the paper's tables hold. It looks at
    /// the question, not at the answer.
    /// </summary>
    public static Metric PrefixMaximum { get; } =
        new("prefixMax", "Prob (paper)", row => row.PrefixMaxima.Count == 0 ? null : row.PrefixMaxima.Average())
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>
    /// Share of the true answer's per-token probability among that of all options: TOFU's form where wrong answers are
    /// known.
    /// </summary>
    public static Metric AmongOptions { get; } =
        new(
            "gt.options",
            "Prob among options",
            row =>
                row.DistractorProbabilities.Count == 0
                || PerToken(row.LogProbabilities) is not { } own
                || own + row.DistractorProbabilities.Sum() is not (> 0 and var sum)
                    ? null
                    : own / sum
        )
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>exp of the mean log-probability; null without tokens.</summary>
    public static double? PerToken(IReadOnlyList<double> logProbabilities)
    {
        ArgumentNullException.ThrowIfNull(logProbabilities);
        return logProbabilities.Count == 0 ? null : Math.Exp(logProbabilities.Average());
    }

    /// <summary>
    /// exp of the sum; null without tokens, as an empty generation has no probability worth the name.
    /// </summary>
    public static double? Whole(IReadOnlyList<double> logProbabilities)
    {
        ArgumentNullException.ThrowIfNull(logProbabilities);
        return logProbabilities.Count == 0 ? null : Math.Exp(logProbabilities.Sum());
    }
}
