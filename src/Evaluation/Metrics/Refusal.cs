namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Share of answers that are refusals: a stand-in for the human study, never mixed with it (docs/metrics.md, "Stand-ins
/// for people").
/// </summary>
public static class Refusal
{
    /// <summary>1 for a refusal without the true answer in it.</summary>
    public static Metric Metric { get; } = new("refusal", "Refusals", row => row.Refused ? 1 : 0);
}
