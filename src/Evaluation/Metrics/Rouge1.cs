using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation.Metrics;

/// <summary>
/// Share of the true answer's words that the model said.
/// </summary>
public static class Rouge1
{
    private const string Origin = "Lin (2004); docs/metrics.md, ROUGE-1";

    /// <summary>Recall; what the tables print.</summary>
    public static Metric Metric { get; } =
        new(MetricNames.Rouge1, "Rouge1", row => Readable(row, () => Recall(row.Answer, row.Generated)))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>Recall of what was said under the paper's limit; the same text where that was not asked for.</summary>
    public static Metric UnderPaperLimit { get; } =
        new(
            "rouge1.long",
            "Rouge1 (paper)",
            row => Readable(row, () => Recall(row.Answer, row.GeneratedLong ?? row.Generated))
        )
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>F1, because recall rewards saying much.</summary>
    public static Metric F1 { get; } =
        new(MetricNames.Rouge1F1, "Rouge1 F1", row => Readable(row, () => Score(row.Answer, row.Generated).F1))
        {
            Source = Origin,
            Direction = Direction.Knowledge,
        };

    /// <summary>sum_v min(c_ref(v), c_gen(v)) / sum_v c_ref(v); 0 for an empty reference.</summary>
    public static double Recall(string reference, string candidate) => Score(reference, candidate).Recall;

    /// <summary>
    /// Whether ROUGE can read a true answer. What it cannot read has no value: 0 would say that it was forgotten.
    /// </summary>
    public static bool CanRead(string answer) => RougeTokens.Read(answer);

    private static double? Readable(AnswerRow row, Func<double> value) => CanRead(row.Answer) ? value() : null;

    /// <summary>F1 of two answers, whichever comes first; two without a word agree.</summary>
    public static double Agreement(string one, string other) =>
        RougeTokens.Of(one).Count == 0 && RougeTokens.Of(other).Count == 0 ? 1 : Score(one, other).F1;

    private static (double Recall, double F1) Score(string reference, string candidate)
    {
        var expected = RougeTokens.Of(reference);
        var said = RougeTokens.Of(candidate);
        var left = said.GroupBy(t => t, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        var hits = 0;
        foreach (var token in expected)
            if (left.TryGetValue(token, out var n) && n > 0)
            {
                hits++;
                left[token] = n - 1;
            }
        var recall = hits / (double)Math.Max(1, expected.Count);
        var precision = hits / (double)Math.Max(1, said.Count);
        return (recall, recall + precision == 0 ? 0 : 2 * recall * precision / (recall + precision));
    }
}
