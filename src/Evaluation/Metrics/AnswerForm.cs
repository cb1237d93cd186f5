using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// What can be said about an answer's form without a person reading it: a look before the human study, never mixed with
/// it.
/// </summary>
/// <remarks>
/// The rules themselves are in <see cref="StandIns"/>.
/// </remarks>
internal static class AnswerForm
{
    private const string Origin = "docs/metrics.md, Stand-ins for people";

    /// <summary>Tokens the model said; recall rewards saying much, so it is reported beside it.</summary>
    public static Metric Length { get; } =
        new(MetricNames.Length, "Tokens", row => row.NewTokens)
        {
            Source = Origin,
            Direction = Direction.Neither,
            Range = MetricRange.Count,
        };

    /// <summary>
    /// Share of the subject's words in the answer; null without a subject. Stands in for semantic entailment.
    /// </summary>
    public static Metric EntityMention { get; } =
        new("entityMention", "Entity named", row => StandIns.EntityMention(row.Generated, row.Subject))
        {
            Source = Origin,
            Direction = Direction.HigherIsBetter,
        };

    /// <summary>Share of bigrams that repeat; null for less than two words.</summary>
    public static Metric Repetition { get; } =
        new("repetition", "Repetition", row => StandIns.Repetition(row.Generated))
        {
            Source = Origin,
            Direction = Direction.LowerIsBetter,
        };

    /// <summary>Share of words that look like none; null without words.</summary>
    public static Metric NonWords { get; } =
        new("nonWordShare", "Non-words", row => StandIns.NonWordShare(row.Generated))
        {
            Source = Origin,
            Direction = Direction.LowerIsBetter,
        };
}
