using EditUnlearn.Artifacts;
using static EditUnlearn.Reports.Claims.ClaimNumbers;

namespace EditUnlearn.Reports.Claims;

/// <summary>What the paper says of the score 1 - forget + retain, and of its radar (Figure 4).</summary>
internal static class ScoreClaims
{
    private const double Alike = 0.1;
    private static readonly string[] Compared = ["gd", "dpo", "wise", "alphaedit"];

    private static Quantity? Score(ClaimNumbers n, Setting setting, string method) =>
        n.Score("table1", setting.Run(method));

    /// <summary>Each of the own methods scores higher than each of the others, in every setting.</summary>
    public static Finding EachBeats(
        ClaimNumbers n,
        IReadOnlyList<Setting> settings,
        IReadOnlyList<string> own,
        IReadOnlyList<string> others
    ) =>
        Finding.Of(
            Judgement.All(
                settings.SelectMany(s =>
                    own.SelectMany(m =>
                        n.In(s, others)
                            .Select(o =>
                                Judgement.Above(
                                    $"{n.Label(m)} − {n.Label(o)} on {s.Label}",
                                    Score(n, s, m) - Score(n, s, o)
                                )
                            )
                    )
                )
            ),
            () => Scores(n, settings, [.. own, .. others]),
            "Table 1 lacks a method on " + string.Join(" or ", settings.Select(s => s.Label))
        );

    private static string Scores(ClaimNumbers n, IReadOnlyList<Setting> settings, IReadOnlyList<string> methods) =>
        string.Join(
            "; ",
            settings.Select(s =>
                $"{s.Label}: "
                + n.List(
                    n.In(s, methods)
                        .Select(m => (Method: m, Number: Score(n, s, m)))
                        .OrderByDescending(m => m.Number?.Value)
                )
            )
        );

    /// <summary>On contracts WISE scores higher than KL and DPO, and AlphaEdit than DPO.</summary>
    public static Finding BeatSomeOnContracts(ClaimNumbers n, bool second)
    {
        var settings = n.SettingsOf(n.Scope.Contracts).Skip(second ? 1 : 0).ToList();
        (string Method, string Other)[] pairs = [("wise", "kl"), ("wise", "dpo"), ("alphaedit", "dpo")];
        return Finding.Of(
            Judgement.All(
                settings.SelectMany(s =>
                    pairs.Select(p =>
                        Judgement.Above(
                            $"{n.Label(p.Method)} − {n.Label(p.Other)} on {s.Label}",
                            Score(n, s, p.Method) - Score(n, s, p.Other)
                        )
                    )
                )
            ),
            () => Scores(n, settings, ["wise", "kl", "alphaedit", "dpo"]),
            "one of the four was not run on " + string.Join(" or ", settings.Select(s => s.Label))
        );
    }

    /// <summary>
    /// The distance of each method to the best unlearning method is better on facts than on contracts; with all models,
    /// or with the main one.
    /// </summary>
    public static Finding LeadIsLargerOnFacts(ClaimNumbers n, bool mainOnly, params IReadOnlyList<string> methods)
    {
        var models = n.SettingsOf(n.Scope.Facts)
            .Zip(n.SettingsOf(n.Scope.Contracts), (facts, contracts) => (Facts: facts, Contracts: contracts))
            .Take(mainOnly ? 1 : 2)
            .ToList();
        Quantity? Lead(Setting s, string m) => Score(n, s, m) - Quantity.Max(Unlearning.Select(u => Score(n, s, u)));
        return Finding.Of(
            Judgement.All(
                models.SelectMany(s =>
                    methods.Select(m =>
                        Judgement.Above(
                            $"lead of {n.Label(m)} on {s.Facts.Label} − on {s.Contracts.Label}",
                            Lead(s.Facts, m) - Lead(s.Contracts, m)
                        )
                    )
                )
            ),
            () =>
                "leads over the best unlearning method: "
                + string.Join(
                    "; ",
                    models
                        .SelectMany(s => (Setting[])[s.Facts, s.Contracts])
                        .Select(s => $"{s.Label}: {n.List(methods.Select(m => (m, Lead(s, m))))}")
                ),
            "Table 1 lacks WISE, AlphaEdit or an unlearning method"
        );
    }

    // 1 - Rouge1 on what is to be forgotten, Rouge1 on what is to be kept.
    private static Quantity? Side(ClaimNumbers n, string method, string split)
    {
        var rouge = n.Rouge(split == SplitNames.Rephrased ? "table2" : "table1", n.Run(method, n.Scope.Facts), split);
        return SplitNames.IsToBeForgotten(split) ? 1 - rouge : rouge;
    }

    private static IEnumerable<Judgement> Leads(ClaimNumbers n, string method, params IReadOnlyList<string> splits) =>
        splits.SelectMany(split =>
            Compared
                .Where(o => o != method)
                .Select(o =>
                    Judgement.Above(
                        $"{n.Label(method)} − {n.Label(o)}, {split}",
                        Side(n, method, split) - Side(n, o, split)
                    )
                )
        );

    private static readonly string[] Sides = [SplitNames.Forget, SplitNames.Rephrased, SplitNames.Retain];

    private static string Radar(ClaimNumbers n) =>
        "forgotten, rephrased, kept: "
        + string.Join(
            "; ",
            Compared.Select(m => $"{n.Label(m)} {string.Join(", ", Sides.Select(s => Text(Side(n, m, s))))}")
        );

    private const string NoRadar = "one of GD, DPO, WISE, AlphaEdit lacks forget, rephrased or retain";

    /// <summary>AlphaEdit leads on all three sides.</summary>
    public static Finding AlphaEditLeads(ClaimNumbers n) =>
        Finding.Of(Judgement.All(Leads(n, "alphaedit", Sides)), () => Radar(n), NoRadar);

    /// <summary>AlphaEdit leads at forgetting, also when rephrased, and in the mean of the three sides.</summary>
    public static Finding AlphaEditLeadsOverall(ClaimNumbers n)
    {
        Quantity? Mean(string m) => Quantity.Mean(Sides.Select(s => Side(n, m, s)));
        return Finding.Of(
            Judgement.All([
                .. Leads(n, "alphaedit", SplitNames.Forget, SplitNames.Rephrased),
                .. Compared
                    .Where(o => o != "alphaedit")
                    .Select(o => Judgement.Above($"AlphaEdit − {n.Label(o)}, mean", Mean("alphaedit") - Mean(o))),
            ]),
            () => $"{Radar(n)}; means {n.List(Compared.Select(m => (m, Mean(m))))}",
            NoRadar
        );
    }

    /// <summary>WISE forgets about as much as GD and DPO, also when rephrased, and keeps more.</summary>
    public static Finding WiseKeepsMore(ClaimNumbers n)
    {
        string[] others = ["gd", "dpo"];
        return Finding.Of(
            Judgement.All([
                .. others.SelectMany(o =>
                    ((string[])[SplitNames.Forget, SplitNames.Rephrased]).SelectMany(s =>
                    {
                        var apart = Side(n, "wise", s) - Side(n, o, s);
                        return (Judgement[])
                            [
                                Judgement.AtLeast($"WISE − {n.Label(o)}, {s}", apart, -Alike),
                                Judgement.AtMost($"WISE − {n.Label(o)}, {s}", apart, Alike),
                            ];
                    })
                ),
                .. others.Select(o =>
                    Judgement.Above(
                        $"WISE − {n.Label(o)}, kept",
                        Side(n, "wise", SplitNames.Retain) - Side(n, o, SplitNames.Retain)
                    )
                ),
            ]),
            () => Radar(n),
            NoRadar
        );
    }
}
