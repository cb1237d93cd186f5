using System.Globalization;
using EditUnlearn.Artifacts;
using static EditUnlearn.Reports.Claims.ClaimNumbers;

namespace EditUnlearn.Reports.Claims;

/// <summary>What the paper says of rephrased questions (Table 2) and larger forget sets (Figure 3).</summary>
internal static class RobustnessClaims
{
    private sealed record Rephrased(string Method, Quantity? After, Quantity? Rise);

    /// <summary>Every method forgets less when the question is rephrased; of the usable ones, or of all.</summary>
    public static Finding RephrasingHurts(ClaimNumbers n, bool usable)
    {
        var runs = Runs(n, usable);
        return Finding.Of(
            Judgement.All(runs.Select(r => Judgement.Above($"{n.Label(r.Method)} rephrased − forget", r.Rise))),
            () => Signed(n, runs),
            "Table 2 lacks a method"
        );
    }

    /// <summary>
    /// AlphaEdit leaves least under rephrased questions, and rises least; of the usable ones, or of all.
    /// </summary>
    public static Finding AlphaEditIsMostRobust(ClaimNumbers n, bool usable)
    {
        var runs = Runs(n, usable);
        var own = runs.FirstOrDefault(r => r.Method == "alphaedit");
        var others = runs.Where(r => r.Method != "alphaedit").ToList();
        return Finding.Of(
            Judgement.All(
                others.SelectMany(r =>
                    (Judgement[])
                        [
                            Judgement.Above($"{n.Label(r.Method)} − AlphaEdit, rephrased", r.After - own?.After),
                            Judgement.Above($"{n.Label(r.Method)} − AlphaEdit, rise", r.Rise - own?.Rise),
                        ]
                )
            ),
            () => string.Join(", ", runs.Select(r => $"{n.Label(r.Method)} {Text(r.After)} ({Signed(r.Rise)})")),
            "Table 2 lacks a method, or AlphaEdit is not usable or stands alone"
        );
    }

    // Whether a method is usable follows from its numbers as printed. One that was not run stays, as an unknown.
    private static List<Rephrased> Runs(ClaimNumbers n, bool usable) =>
        [
            .. Every
                .Select(m => (Method: m, Run: n.Run(m, n.Scope.Facts)))
                .Where(m => !usable || n.IsGrey("table1", m.Run) != true)
                .Select(m =>
                {
                    var after = n.Rouge("table2", m.Run, SplitNames.Rephrased);
                    return new Rephrased(m.Method, after, after - n.Rouge("table1", m.Run, SplitNames.Forget));
                }),
        ];

    private static string Signed(ClaimNumbers n, List<Rephrased> runs) =>
        string.Join(", ", runs.Select(r => $"{n.Label(r.Method)} {Signed(r.Rise)}"));

    private static string Signed(Quantity? rise) =>
        rise is null ? "none" : rise.Value.ToString("+0.000;-0.000;0.000", CultureInfo.InvariantCulture);

    /// <summary>
    /// The methods forget more and keep more of a larger forget set: at every step, or from the smallest to the
    /// largest.
    /// </summary>
    public static Finding EachGainsWithSize(ClaimNumbers n, bool everyStep, params IReadOnlyList<string> methods)
    {
        var sizes = n.Scope.Sizes;
        IReadOnlyList<string> stops = everyStep || sizes.Count < 2 ? sizes : [sizes[0], sizes[^1]];
        Quantity? At(string m, string set, string split) => n.Rouge("table5", n.Run(m, set), split);
        return Finding.Of(
            Judgement.All(
                methods.SelectMany(m =>
                    stops
                        .Zip(stops.Skip(1))
                        .SelectMany(step =>
                            (Judgement[])
                                [
                                    Judgement.Above(
                                        $"{n.Label(m)} forget, {step.First} − {step.Second}",
                                        At(m, step.First, SplitNames.Forget) - At(m, step.Second, SplitNames.Forget)
                                    ),
                                    Judgement.Above(
                                        $"{n.Label(m)} retain, {step.Second} − {step.First}",
                                        At(m, step.Second, SplitNames.Retain) - At(m, step.First, SplitNames.Retain)
                                    ),
                                ]
                        )
                )
            ),
            () =>
                "forget/retain: "
                + string.Join(
                    "; ",
                    methods.Select(m =>
                        $"{n.Label(m)} "
                        + string.Join(
                            ", ",
                            stops.Select(s =>
                                $"{Text(At(m, s, SplitNames.Forget))}/{Text(At(m, s, SplitNames.Retain))} at "
                                + Count(n, s)
                            )
                        )
                    )
                ),
            "WISE or AlphaEdit lacks a size, or there is one size only"
        );
    }

    private static string Count(ClaimNumbers n, string set) =>
        n.Scope.SetOf(set).Size?.ToString(CultureInfo.InvariantCulture) ?? set;

    /// <summary>The methods stand in this order in the mean of their scores over the sizes.</summary>
    public static Finding OrderOverSizes(ClaimNumbers n, params IReadOnlyList<string> methods)
    {
        var means = methods
            .Select(m =>
                (
                    Method: m,
                    Mean: n.Scope.Sizes.Count > 1
                        ? Quantity.Mean(n.Scope.Sizes.Select(s => n.Score("table5", n.Run(m, s))))
                        : null
                )
            )
            .ToList();
        return Finding.Of(
            Judgement.All(
                means
                    .Zip(means.Skip(1))
                    .Select(p =>
                        Judgement.Above(
                            $"{n.Label(p.First.Method)} − {n.Label(p.Second.Method)}",
                            p.First.Mean - p.Second.Mean
                        )
                    )
            ),
            () => n.List(means),
            "one of the four lacks a size"
        );
    }
}
