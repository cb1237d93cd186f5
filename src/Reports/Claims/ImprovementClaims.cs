using EditUnlearn.Artifacts;
using static EditUnlearn.Reports.Claims.ClaimNumbers;

namespace EditUnlearn.Reports.Claims;

/// <summary>What the paper says of self-improved refusals and of people (left Figure 6).</summary>
internal static class ImprovementClaims
{
    private const double Slightly = 0.5; // of the five-point scale

    private const string Trust = "trustworthiness",
        Entailment = "entailment",
        NoRatings = "no human ratings";

    private static readonly string[] Both = ["wise", "alphaedit"];

    /// <summary>After self-improvement both leave less under rephrased questions.</summary>
    public static Finding Generalises(ClaimNumbers n)
    {
        Quantity? Of(string m, string set) => n.Rouge("table6", n.Run(m, set), SplitNames.Rephrased);
        var (first, second) = (n.Scope.BeforeImprovement, n.Scope.AfterImprovement);
        return Finding.Of(
            Judgement.All(
                Both.Select(m => Judgement.Above($"{n.Label(m)} before − after", Of(m, first) - Of(m, second)))
            ),
            () =>
                string.Join(
                    ", ",
                    Both.Select(m => $"{n.Label(m)} {Text(Of(m, first))} before, {Text(Of(m, second))} after")
                ),
            "Table 6 lacks WISE or AlphaEdit before or after"
        );
    }

    /// <summary>People see more entailment in the answers of both after it.</summary>
    public static Finding EntailmentRises(ClaimNumbers n) =>
        Rated(n, Entailment, Both, Both.Select(m => Rises(n, Entailment, m)));

    /// <summary>People trust the answers of both more after it.</summary>
    public static Finding TrustRises(ClaimNumbers n) => Rated(n, Trust, Both, Both.Select(m => Rises(n, Trust, m)));

    /// <summary>People trust AlphaEdit more, and WISE slightly less.</summary>
    public static Finding TrustRisesAndFalls(ClaimNumbers n)
    {
        var fall = n.Rated(Trust, "wise", false) - n.Rated(Trust, "wise", true);
        return Rated(
            n,
            Trust,
            Both,
            [
                Rises(n, Trust, "alphaedit"),
                Judgement.Above("WISE before − after", fall),
                Judgement.AtMost("WISE before − after", fall, Slightly),
            ]
        );
    }

    /// <summary>After it people trust WISE most of all.</summary>
    public static Finding WiseIsTrustedMost(ClaimNumbers n)
    {
        (string Method, bool After)[] others = [("gd", false), ("dpo", false), ("alphaedit", true)];
        return Finding.Of(
            Judgement.All(
                others.Select(o =>
                    Judgement.Above(
                        $"WISE − {n.Label(o.Method)}",
                        n.Rated(Trust, "wise", true) - n.Rated(Trust, o.Method, o.After)
                    )
                )
            ),
            () =>
                n.List([
                    ("wise", n.Rated(Trust, "wise", true)),
                    .. others.Select(o => (o.Method, n.Rated(Trust, o.Method, o.After))),
                ]),
            NoRatings
        );
    }

    /// <summary>People prefer DPO to GD in both measures.</summary>
    public static Finding DpoBeforeGd(ClaimNumbers n) => Prefers(n, "dpo", false, "gd");

    /// <summary>People prefer WISE after it to the unlearning methods in both measures.</summary>
    public static Finding WiseBeforeUnlearning(ClaimNumbers n) => Prefers(n, "wise", true, "gd", "dpo");

    private static Finding Prefers(ClaimNumbers n, string method, bool after, params IReadOnlyList<string> others)
    {
        string[] measures = [Trust, Entailment];
        return Finding.Of(
            Judgement.All(
                measures.SelectMany(measure =>
                    others.Select(o =>
                        Judgement.Above(
                            $"{n.Label(method)} − {n.Label(o)}, {measure}",
                            n.Rated(measure, method, after) - n.Rated(measure, o, false)
                        )
                    )
                )
            ),
            () =>
                string.Join(
                    "; ",
                    measures.Select(measure =>
                        $"{measure}: "
                        + n.List([
                            (method, n.Rated(measure, method, after)),
                            .. others.Select(o => (o, n.Rated(measure, o, false))),
                        ])
                    )
                ),
            NoRatings
        );
    }

    /// <summary>Both measures together rise for both methods.</summary>
    public static Finding AlignmentRises(ClaimNumbers n)
    {
        Quantity? Sum(string m, bool after) => n.Rated(Trust, m, after) + n.Rated(Entailment, m, after);
        return Finding.Of(
            Judgement.All(
                Both.Select(m => Judgement.Above($"{n.Label(m)} after − before", Sum(m, true) - Sum(m, false)))
            ),
            () =>
                string.Join(
                    ", ",
                    Both.Select(m => $"{n.Label(m)} {Text(Sum(m, false))} before, {Text(Sum(m, true))} after")
                ),
            NoRatings
        );
    }

    private static Judgement Rises(ClaimNumbers n, string measure, string method) =>
        Judgement.Above(
            $"{n.Label(method)} after − before",
            n.Rated(measure, method, true) - n.Rated(measure, method, false)
        );

    private static Finding Rated(
        ClaimNumbers n,
        string measure,
        IReadOnlyList<string> methods,
        IEnumerable<Judgement> parts
    ) =>
        Finding.Of(
            Judgement.All(parts),
            () =>
                string.Join(
                    ", ",
                    methods.Select(m =>
                        $"{n.Label(m)} {Text(n.Rated(measure, m, false))} before, "
                        + $"{Text(n.Rated(measure, m, true))} after"
                    )
                ),
            NoRatings
        );
}
