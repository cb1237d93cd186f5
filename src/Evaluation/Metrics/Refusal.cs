using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Share of answers that are refusals: a stand-in for the human study, never mixed with it.
/// </summary>
public static class Refusal
{
    private const string Origin = "docs/metrics.md, Stand-ins for people";

    /// <summary>1 for a refusal without the true answer in it.</summary>
    public static Metric Metric { get; } =
        new(MetricNames.Refusal, "Refusals", row => row.Refused ? 1 : 0)
        {
            Source = Origin,
            Direction = Direction.Refusal,
        };
}
