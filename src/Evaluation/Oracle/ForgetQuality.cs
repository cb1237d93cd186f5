using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;

namespace EditUnlearn.Evaluation.Oracle;

/// <summary>
/// How far a model that was made to forget is from one that never knew: pure functions of what both said and thought.
/// </summary>
/// <remarks>
/// Source of the truth ratio and of the test on it: Maini et al. (2024), section 2.2; docs/metrics.md, "Forget quality
/// against an oracle".
/// </remarks>
public static class ForgetQuality
{
    private const string Right = "right",
        Refused = "refused",
        Wrong = "wrong";

    /// <summary>One question put to two models.</summary>
    /// <param name="Ours">The evidence of the model that has to forget.</param>
    /// <param name="Oracle">That of the oracle.</param>
    public sealed record Pair(AnswerRow Ours, AnswerRow Oracle);

    /// <summary>What was read of one question beyond the evidence; what is no number is null.</summary>
    /// <param name="KlTruth">Mean over the true answer.</param>
    /// <param name="JsTruth">The same.</param>
    /// <param name="KlOracle">Mean over what the oracle says.</param>
    /// <param name="JsOracle">The same.</param>
    /// <param name="Wrong">Probability of each wrong answer, per token.</param>
    /// <param name="OracleWrong">The same under the oracle.</param>
    public sealed record Reading(
        double? KlTruth,
        double? JsTruth,
        double? KlOracle,
        double? JsOracle,
        IReadOnlyList<double> Wrong,
        IReadOnlyList<double> OracleWrong
    );

    /// <summary>The questions that both were asked in the same words, in the order of the first.</summary>
    /// <exception cref="ArgumentException">There is none, or one was asked twice.</exception>
    public static IReadOnlyList<Pair> Pairs(IReadOnlyList<AnswerRow> ours, IReadOnlyList<AnswerRow> oracle)
    {
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(oracle);
        var asked = oracle.ToDictionary(a => (a.Split, a.Id, a.Question));
        List<Pair> pairs =
        [
            .. ours.Where(a => asked.ContainsKey((a.Split, a.Id, a.Question)))
                .Select(a => new Pair(a, asked[(a.Split, a.Id, a.Question)])),
        ];
        return pairs.Count > 0
            ? pairs
            : throw new ArgumentException("The two models were asked no question in common.", nameof(oracle));
    }

    /// <summary>One question.</summary>
    public static ForgetQualityRow Row(Pair pair, Reading read)
    {
        ArgumentNullException.ThrowIfNull(pair);
        ArgumentNullException.ThrowIfNull(read);
        var (ours, oracle) = (pair.Ours, pair.Oracle);
        return new ForgetQualityRow
        {
            Model = ours.Model,
            Set = ours.Set,
            Method = ours.Method,
            Split = ours.Split,
            Id = ours.Id,
            Said = ours.Generated,
            OracleSaid = oracle.Generated,
            Kind = KindOf(ours),
            OracleKind = KindOf(oracle),
            Same = ours.Generated == oracle.Generated,
            F1 = Rouge1.Agreement(oracle.Generated, ours.Generated),
            Rouge1 = Rouge1.Recall(ours.Answer, ours.Generated),
            OracleRouge1 = Rouge1.Recall(oracle.Answer, oracle.Generated),
            KlTruth = read.KlTruth,
            JsTruth = read.JsTruth,
            KlOracle = read.KlOracle,
            JsOracle = read.JsOracle,
            LogProbability = Finite(PerToken(ours)),
            OracleLogProbability = Finite(PerToken(oracle)),
            TruthRatio = TruthRatio(PerToken(ours), read.Wrong),
            OracleTruthRatio = TruthRatio(PerToken(oracle), read.OracleWrong),
        };
    }

    /// <summary>
    /// Mean probability of the wrong answers over that of the true one: 0 where only the truth is likely, 1 where it is
    /// as likely as they. Null without wrong answers, or where it is no number.
    /// </summary>
    /// <param name="logProbability">Of the true answer, per token.</param>
    /// <param name="wrong">Probability of each wrong answer, per token.</param>
    public static double? TruthRatio(double? logProbability, IReadOnlyList<double> wrong)
    {
        ArgumentNullException.ThrowIfNull(wrong);
        return wrong.Count == 0 || logProbability is not { } truth ? null : Finite(wrong.Average() / Math.Exp(truth));
    }

    /// <summary>A row for each split, in the order of the rows.</summary>
    /// <param name="rows">Of one run.</param>
    public static IReadOnlyList<ForgetQualityMean> Means(IReadOnlyList<ForgetQualityRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return [.. rows.GroupBy(r => r.Split).Select(g => Mean([.. g]))];
    }

    private static ForgetQualityMean Mean(IReadOnlyList<ForgetQualityRow> rows)
    {
        double Share(Func<ForgetQualityRow, bool> holds) => rows.Average(r => holds(r) ? 1.0 : 0);
        double Both(string kind) => Share(r => r.Kind == kind && r.OracleKind == kind);
        var (probability, ratio) = (
            Test(rows, r => r.LogProbability, r => r.OracleLogProbability),
            Test(rows, r => r.TruthRatio, r => r.OracleTruthRatio)
        );
        return new ForgetQualityMean
        {
            Model = rows[0].Model,
            Set = rows[0].Set,
            Method = rows[0].Method,
            Split = rows[0].Split,
            Count = rows.Count,
            Same = Share(r => r.Same),
            SameError = Error([.. rows.Select(r => r.Same ? 1.0 : 0)]),
            F1 = rows.Average(r => r.F1),
            BothRefuse = Both(Refused),
            BothRight = Both(Right),
            BothWrong = Both(Wrong),
            OracleRefuses = Share(r => r.OracleKind == Refused),
            Rouge1 = rows.Average(r => r.Rouge1),
            OracleRouge1 = rows.Average(r => r.OracleRouge1),
            KlTruth = rows.Average(r => r.KlTruth),
            KlTruthError = Error([.. rows.Select(r => r.KlTruth).OfType<double>()]),
            JsTruth = rows.Average(r => r.JsTruth),
            KlOracle = rows.Average(r => r.KlOracle),
            JsOracle = rows.Average(r => r.JsOracle),
            Finite = rows.Count(r => r.KlTruth is not null),
            ProbabilityD = probability?.D,
            ProbabilityP = probability?.P,
            TruthRatios = rows.Count(r => r.TruthRatio is not null && r.OracleTruthRatio is not null),
            TruthRatioD = ratio?.D,
            TruthRatioP = ratio?.P,
        };
    }

    // Over the questions that have a value under both, so that both samples are of the same questions.
    private static KolmogorovSmirnov? Test(
        IReadOnlyList<ForgetQualityRow> rows,
        Func<ForgetQualityRow, double?> ours,
        Func<ForgetQualityRow, double?> oracle
    )
    {
        var both = rows.Where(r => ours(r) is not null && oracle(r) is not null).ToList();
        return KolmogorovSmirnov.Of([.. both.Select(r => ours(r)!.Value)], [.. both.Select(r => oracle(r)!.Value)]);
    }

    private static string KindOf(AnswerRow row) =>
        row.Refused ? Refused
        : Rouge1.Recall(row.Answer, row.Generated) >= 1 ? Right
        : Wrong;

    private static double? PerToken(AnswerRow row) =>
        row.LogProbabilities.Count == 0 ? null : row.LogProbabilities.Average();

    private static double? Finite(double? value) => value is { } v && double.IsFinite(v) ? v : null;

    // Standard error of a mean; 0 for a single value.
    private static double Error(IReadOnlyList<double> values)
    {
        if (values.Count < 2)
            return 0;
        var mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1) / values.Count);
    }
}
