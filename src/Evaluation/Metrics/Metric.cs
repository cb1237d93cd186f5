using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>A number about one question's evidence.</summary>
/// <param name="Name">In files: <c>rouge1</c>.</param>
/// <param name="Label">For people: <c>Rouge1</c>.</param>
/// <param name="Of">The value; null where it is not defined. A pure function of the row.</param>
public sealed record Metric(string Name, string Label, Func<AnswerRow, double?> Of)
{
    /// <summary>Where its definition stands.</summary>
    public required string Source { get; init; }

    /// <summary>Which way it is read.</summary>
    public required Direction Direction { get; init; }

    /// <summary>Between which values it lies.</summary>
    public MetricRange Range { get; init; } = MetricRange.Share;

    /// <summary>Whether profile <c>paper</c> weighs rows by their batch when it takes the mean.</summary>
    public bool WeighedByBatch { get; init; }
}

/// <summary>Values a metric can have, the ends among them.</summary>
/// <param name="Low">The lowest.</param>
/// <param name="High">The highest; positive infinity where there is no bound.</param>
public sealed record MetricRange(double Low, double High)
{
    /// <summary>A share or a probability, 0 to 1.</summary>
    public static MetricRange Share { get; } = new(0, 1);

    /// <summary>A count, from 0 on.</summary>
    public static MetricRange Count { get; } = new(0, double.PositiveInfinity);

    /// <summary>Whether a value lies within.</summary>
    public bool Contains(double value) => value >= Low && value <= High;
}

/// <summary>
/// All metrics that are computed and stored; which of them a table prints is said by its <see cref="MetricProfile"/>.
/// </summary>
internal static class MetricCatalog
{
    /// <summary>One line a metric.</summary>
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
