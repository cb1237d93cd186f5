using System.Globalization;
using static EditUnlearn.Reports.Claims.ClaimNumbers;

namespace EditUnlearn.Reports.Claims;

/// <summary>What the paper says of merged queries (right Figure 6).</summary>
internal static class MergingClaims
{
    // A quarter of the way from a useless model, 1, to the ideal, 2.
    private const double Greatly = 0.25,
        Close = 0.05;

    private static readonly string[] Merged = ["rome", "memit"];

    private static Quantity? At(ClaimNumbers n, string method, string set) => n.Score("table7", n.Run(method, set));

    private static Quantity? Alone(ClaimNumbers n, string method) => n.Score("table5", n.Run(method, n.Scope.Unmerged));

    // The best of all merged sets; in each resample the best of that resample.
    private static Quantity? Peak(ClaimNumbers n, string method) =>
        Quantity.Max(n.Scope.Merged.Select(s => At(n, method, s)));

    /// <summary>The best merged score of each lies far above its score without merging.</summary>
    public static Finding HelpsGreatly(ClaimNumbers n) =>
        Finding.Of(
            Judgement.All(
                Merged.Select(m =>
                    Judgement.Above($"{n.Label(m)} at its best − without", Peak(n, m) - Alone(n, m), Greatly)
                )
            ),
            () => $"{Peaks(n)}; without {n.List(Merged.Select(m => (m, Alone(n, m))))}",
            "Table 7, or ROME or MEMIT without merging, is not complete"
        );

    /// <summary>Both are best at this number of queries in one.</summary>
    public static Finding PeakAt(ClaimNumbers n, int merge)
    {
        var best = n.Scope.Merged.Where(s => n.Scope.SetOf(s).Merge == merge).ToList();
        return Finding.Of(
            Judgement.All(
                Merged.SelectMany(m =>
                    n.Scope.Merged.Except(best)
                        .Select(s =>
                            Judgement.Above(
                                $"{n.Label(m)} at {merge} − at {n.Scope.SetOf(s).Merge}",
                                best.Count == 1 ? At(n, m, best[0]) - At(n, m, s) : null
                            )
                        )
                )
            ),
            () => Peaks(n),
            "Table 7 is not complete"
        );
    }

    /// <summary>The best of each lies above the methods at the same size, without merging.</summary>
    public static Finding PeaksBeat(ClaimNumbers n, params IReadOnlyList<string> others) =>
        Finding.Of(
            Judgement.All(
                Merged.SelectMany(m =>
                    others.Select(o => Judgement.Above($"{n.Label(m)} − {n.Label(o)}", Peak(n, m) - Alone(n, o)))
                )
            ),
            () => $"{Peaks(n)}; {n.List(others.Select(o => (o, Alone(n, o))))}",
            $"Table 7, or {string.Join(" or ", others.Select(n.Label))} at its size, is not complete"
        );

    /// <summary>The best of each lies close to AlphaEdit, on either side.</summary>
    public static Finding PeaksNearAlphaEdit(ClaimNumbers n) =>
        Finding.Of(
            Judgement.All(
                Merged.SelectMany(m =>
                {
                    var apart = Peak(n, m) - Alone(n, "alphaedit");
                    return (Judgement[])
                        [
                            Judgement.AtLeast($"{n.Label(m)} − AlphaEdit", apart, -Close),
                            Judgement.AtMost($"{n.Label(m)} − AlphaEdit", apart, Close),
                        ];
                })
            ),
            () => $"{Peaks(n)}; {n.List([("alphaedit", Alone(n, "alphaedit"))])}",
            "Table 7, or AlphaEdit at its size, is not complete"
        );

    private static string Peaks(ClaimNumbers n) =>
        string.Join(
            ", ",
            Merged.Select(m =>
            {
                var best = n.Scope.Merged.MaxBy(s => At(n, m, s)?.Value);
                var merge = best is null ? 0 : n.Scope.SetOf(best).Merge;
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{n.Label(m)} {Text(Peak(n, m))} at {merge} into 1"
                );
            })
        );
}
