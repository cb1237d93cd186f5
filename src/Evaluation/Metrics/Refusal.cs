namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Share of answers that are refusals: a stand-in for the human study, never mixed with it. Source: evaluation
/// specification, section 10.5.
/// </summary>
public static class Refusal
{
    /// <summary>1 for a refusal without the true answer in it.</summary>
    public static Metric Metric { get; } = new("refusal", "Refusals", row => row.Refused ? 1 : 0);
}
