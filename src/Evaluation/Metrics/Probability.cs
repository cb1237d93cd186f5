namespace EditUnlearn.Evaluation.Metrics;

/// <summary>Probability of the true answer, per token: the geometric mean over its tokens and EOS. Source: Maini et al. (2024), section 2.2.2; <c>gt.norm</c> of the evaluation specification, section 5.</summary>
public static class Probability
{
    /// <summary>What the <c>strict</c> profile prints.</summary>
    public static Metric Metric { get; } = new("probability", "Prob", row => Normalised(row.LogProbabilities), InTables: true);

    /// <summary>exp of the mean log-probability; null without tokens.</summary>
    public static double? Normalised(IReadOnlyList<double> logProbabilities)
    {
        ArgumentNullException.ThrowIfNull(logProbabilities);
        return logProbabilities.Count == 0 ? null : Math.Exp(logProbabilities.Average());
    }
}
