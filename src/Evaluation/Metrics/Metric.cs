using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>A number about one question's evidence.</summary>
/// <param name="Name">In files: <c>rouge1</c>.</param>
/// <param name="Label">For people: <c>Rouge1</c>.</param>
/// <param name="Of">The value; null where it is not defined. A pure function of the row.</param>
/// <param name="WeighedByBatch">Whether profile <c>paper</c> weighs rows by their batch when it takes the mean.</param>
public sealed record Metric(string Name, string Label, Func<AnswerRow, double?> Of, bool WeighedByBatch = false);

/// <summary>
/// All metrics that are computed and stored; which of them a table prints is said by its <see cref="MetricProfile"/>.
/// </summary>
public static class MetricCatalog
{
    /// <summary>
    /// One line a metric. Where a table prints it: on the forget set lower is better, on the others higher.
    /// </summary>
    public static IReadOnlyList<Metric> All { get; } =
    [
        Rouge1.Metric,
        Rouge1.UnderPaperLimit,
        Rouge1.F1,
        Probability.Metric,
        Probability.WithoutEnd,
        Probability.Raw,
        Probability.OfSaid,
        Probability.RawOfSaid,
        Probability.PrefixMaximum,
        Probability.AmongOptions,
        MeanReciprocalRank.Metric,
        MeanReciprocalRank.FreeRunning,
        MeanReciprocalRank.Compat,
        MeanReciprocalRank.CompatUnfiltered,
        HitRate.Metric,
        HitRate.FreeRunning,
        HitRate.Compat,
        HitRate.CompatUnfiltered,
        Refusal.Metric,
        AnswerForm.Length,
        AnswerForm.EntityMention,
        AnswerForm.Repetition,
        AnswerForm.NonWords,
    ];

    /// <summary>The metric of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static Metric Get(string name) =>
        All.FirstOrDefault(m => m.Name == name)
        ?? throw new ArgumentException($"There is no metric '{name}'.", nameof(name));
}
