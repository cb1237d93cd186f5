using EditUnlearn.Artifacts;
using static EditUnlearn.Reports.Claims.ClaimNumbers;

namespace EditUnlearn.Reports.Claims;

/// <summary>What the paper says of Table 1 alone: who breaks, who does well, who is among the two best.</summary>
internal static class TableOneClaims
{
    private const double Half = 0.5;

    /// <summary>Each of the methods leaves a broken model in some setting.</summary>
    public static Finding EachBreaks(ClaimNumbers n, params IReadOnlyList<string> methods) =>
        Finding.Of(
            Judgement.All(methods.Select(m => Judgement.Any(n.Settings.Select(s => n.Breaks(s, m))))),
            () => string.Join("; ", methods.Select(m => $"{n.Label(m)}: {Broken(n, [m], s => s.Label)}")),
            "Table 1 lacks a setting of " + string.Join(" or ", methods.Select(n.Label))
        );

    /// <summary>None of the methods does.</summary>
    public static Finding NoneBreaks(ClaimNumbers n, params IReadOnlyList<string> methods) =>
        Finding.Of(
            Judgement.All(n.Settings.SelectMany(s => n.In(s, methods).Select(m => n.Survives(s, m)))),
            () => "broken: " + Broken(n, methods, null),
            "Table 1 lacks a setting of " + string.Join(" or ", methods.Select(n.Label))
        );

    /// <summary>Each of the methods forgets more than half and keeps more than half, in every setting.</summary>
    public static Finding EachDoesWell(ClaimNumbers n, params IReadOnlyList<string> methods) =>
        Finding.Of(
            Judgement.All(
                n.Settings.SelectMany(s =>
                    methods.SelectMany(m =>
                        (Judgement[])
                            [
                                Judgement.Below(n.Side(s, m, SplitNames.Forget), n.Sides(s, m).Forget, Half),
                                Judgement.Above(n.Side(s, m, SplitNames.Retain), n.Sides(s, m).Retain, Half),
                            ]
                    )
                )
            ),
            () => Both(n, methods),
            "Table 1 lacks a setting of " + string.Join(" or ", methods.Select(n.Label))
        );

    /// <summary>None of the methods is grey in any setting: broken, or without forgetting.</summary>
    public static Finding EachIsUsable(ClaimNumbers n, params IReadOnlyList<string> methods) =>
        Finding.Of(
            Judgement.All(
                n.Settings.SelectMany(s => methods.SelectMany(m => (Judgement[])[n.Survives(s, m), n.Forgets(s, m)]))
            ),
            () => Both(n, methods),
            "Table 1 lacks a setting of " + string.Join(" or ", methods.Select(n.Label))
        );

    /// <summary>The methods that are among the two best on both sides are these and no others.</summary>
    public static Finding TheBestAre(ClaimNumbers n, string set, params IReadOnlyList<string> methods)
    {
        var best = n.BestOnBothSides(set);
        return Finding.Of(
            Judgement.All(
                Every.Select(m =>
                    methods.Contains(m)
                        ? Judgement.Above($"{n.Label(m)} is among them", best.GetValueOrDefault(m), Half)
                        : Judgement.Below($"{n.Label(m)} is among them", best.GetValueOrDefault(m), Half)
                )
            ),
            () => Names(n, set),
            $"Table 1 lacks a method on {set}"
        );
    }

    /// <summary>
    /// More editing methods are among them on facts than on contracts, and more unlearning methods the other way round.
    /// </summary>
    public static Finding EditingPrefersFacts(ClaimNumbers n)
    {
        var (facts, contracts) = (n.Scope.Facts, n.Scope.Contracts);
        return Finding.Of(
            Judgement.All([
                Judgement.Above(
                    "editing methods, facts − contracts",
                    Number(Editing, facts) - Number(Editing, contracts)
                ),
                Judgement.Above(
                    "unlearning methods, contracts − facts",
                    Number(Unlearning, contracts) - Number(Unlearning, facts)
                ),
            ]),
            () => $"facts: {Names(n, facts)}; contracts: {Names(n, contracts)}",
            "Table 1 lacks a method on facts or contracts"
        );
        Quantity? Number(IReadOnlyList<string> methods, string set) =>
            Quantity.Of(methods.Select(m => n.BestOnBothSides(set).GetValueOrDefault(m)), x => x.Sum());
    }

    private static string Names(ClaimNumbers n, string set) =>
        n.BestOnBothSides(set).Where(b => b.Value.Value > Half).Select(b => n.Label(b.Key)).ToList()
            is { Count: > 0 } names
            ? string.Join(", ", names)
            : "none";

    private static string Broken(ClaimNumbers n, IReadOnlyList<string> methods, Func<Setting, string>? label)
    {
        var broken = n
            .Settings.SelectMany(s => methods.Select(m => (Setting: s, Method: m)))
            .Where(r =>
                n.Sides(r.Setting, r.Method) is ({ } f, { } k) && Tables.MarkingRule.IsBroken(f.Value, k.Value, 2)
            )
            .Select(r => label?.Invoke(r.Setting) ?? $"{n.Label(r.Method)} on {r.Setting.Label}")
            .ToList();
        return broken.Count > 0 ? string.Join(", ", broken) : "none";
    }

    private static string Both(ClaimNumbers n, IReadOnlyList<string> methods) =>
        "forget/retain: "
        + string.Join(
            ", ",
            n.Settings.SelectMany(s =>
                methods.Select(m =>
                    $"{n.Label(m)} {Text(n.Sides(s, m).Forget)}/{Text(n.Sides(s, m).Retain)} on {s.Label}"
                )
            )
        );
}
