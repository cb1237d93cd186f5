using static EditUnlearn.Reports.Claims.ClaimNumbers;

namespace EditUnlearn.Reports.Claims;

/// <summary>
/// The paper's six observations and three takeaways, as predicates: a statement for every sentence that numbers can
/// decide, and where it stands. docs/claims.md goes through them.
/// </summary>
/// <remarks>
/// Nothing here may be tuned until it passes. A statement says what the sentence says; where the paper's own numbers
/// contradict the sentence, a weaker reading that they bear out stands behind it, named as such, and does not count.
/// </remarks>
public static class ClaimCatalog
{
    private static readonly string[] Robust = ["wise", "alphaedit"];

    /// <summary>All claims, in the order of the paper.</summary>
    public static IReadOnlyList<Claim> All { get; } =
    [
        Observation1(),
        Observation2(),
        Observation3(),
        Observation4(),
        Observation5(),
        Observation6(),
        Takeaway1(),
        Takeaway2(),
        Takeaway3(),
    ];

    /// <summary>Decides all.</summary>
    public static IReadOnlyList<ClaimResult> Decide(ClaimNumbers numbers) =>
        [
            .. All.Select(c => new ClaimResult(
                c.Id,
                c.Title,
                [.. c.Statements.Select(s => new StatementResult(s, s.Decide(numbers)))]
            )),
        ];

    private static Statement Weaker(string text, string source, Func<ClaimNumbers, Finding> decide) =>
        new(text, source, decide) { Reading = Reading.Weaker };

    private static Claim Observation1() =>
        new(
            "observation1",
            "Unlearning can break a model, and some editing methods do not",
            [
                new(
                    "GA and KL each leave a broken model in some setting of Table 1",
                    "4.2, Ob1, sentence 2",
                    n => TableOneClaims.EachBreaks(n, "ga", "kl")
                ),
                new("so do ROME and MEMIT", "4.2, Ob1, sentence 2", n => TableOneClaims.EachBreaks(n, "rome", "memit")),
                new(
                    "no other method does",
                    "4.2, Ob1, sentence 2",
                    n => TableOneClaims.NoneBreaks(n, "gd", "dpo", "grace", "wise", "alphaedit")
                )
                {
                    Note = "the sentence names four; Table 1 has DPO at .00/.06 on contracts with Mistral, in grey",
                },
                Weaker(
                    "no other editing method does",
                    "4.2, Ob1, sentence 2",
                    n => TableOneClaims.NoneBreaks(n, "grace", "wise", "alphaedit")
                ),
                new(
                    "WISE and AlphaEdit do well in all settings: each forgets more than half and keeps more than half",
                    "4.2, Ob1, sentence 4",
                    n => TableOneClaims.EachDoesWell(n, Robust)
                )
                {
                    Note = "Table 1 has WISE at .05/.13 on facts with Mistral and at .68/.94 on contracts with Llama-2",
                },
                Weaker(
                    "WISE and AlphaEdit never break a model and never fail to forget",
                    "4.2, Ob1, sentence 4",
                    n => TableOneClaims.EachIsUsable(n, Robust)
                ),
            ]
        );

    private static Claim Observation2() =>
        new(
            "observation2",
            "Editing is a strong baseline, above all for knowledge from pretraining",
            [
                new(
                    "on facts GD, DPO, GRACE and WISE, and no others, are among the two best both at forgetting and at "
                        + "keeping",
                    "4.2, Ob2, sentence 2",
                    n => TableOneClaims.TheBestAre(n, n.Scope.Facts, "gd", "dpo", "grace", "wise")
                ),
                new(
                    "on contracts GA, GD, KL, DPO and WISE, and no others, are",
                    "4.2, Ob2, sentence 2",
                    n => TableOneClaims.TheBestAre(n, n.Scope.Contracts, "ga", "gd", "kl", "dpo", "wise")
                ),
                new(
                    "more editing methods are among them on facts than on contracts, and more unlearning methods on "
                        + "contracts than on facts",
                    "4.2, Ob2, sentence 3",
                    TableOneClaims.EditingPrefersFacts
                ),
            ]
        );

    private static Claim Observation3() =>
        new(
            "observation3",
            "Some editing methods stand rephrasing and larger forget sets",
            [
                new(
                    "every method forgets less when the question is rephrased",
                    "4.3, Obs3, sentence 1",
                    n => RobustnessClaims.RephrasingHurts(n, usable: false)
                )
                {
                    Note = "Table 2 has GA, KL and ROME where they were, and MEMIT lower, all of them broken",
                },
                Weaker(
                    "every usable method does",
                    "4.3, Obs3, sentence 1",
                    n => RobustnessClaims.RephrasingHurts(n, usable: true)
                ),
                new(
                    "AlphaEdit has the lowest Rouge1 on rephrased questions, and the smallest rise, of all",
                    "4.3, Obs3, sentence 1",
                    n => RobustnessClaims.AlphaEditIsMostRobust(n, usable: false)
                )
                {
                    Note = "the broken models of Table 2 are lower and do not rise",
                },
                Weaker(
                    "of the usable methods",
                    "4.3, Obs3, sentence 1",
                    n => RobustnessClaims.AlphaEditIsMostRobust(n, usable: true)
                ),
                new(
                    "WISE and AlphaEdit forget more and keep more at every step to a larger forget set",
                    "4.3, Obs3, sentence 2",
                    n => RobustnessClaims.EachGainsWithSize(n, everyStep: true, Robust)
                )
                {
                    Note = "Table 5 has WISE at .258, .275, .389, .340, .184 on the forget set",
                },
                Weaker(
                    "they do from the smallest set to the largest",
                    "4.3, Obs3, sentence 2",
                    n => RobustnessClaims.EachGainsWithSize(n, everyStep: false, Robust)
                ),
                new(
                    "averaged over sizes AlphaEdit scores best, then GD, then WISE, then DPO",
                    "4.3, Obs3, sentence 3",
                    n => RobustnessClaims.OrderOverSizes(n, "alphaedit", "gd", "wise", "dpo")
                ),
            ]
        );

    private static Claim Observation4() =>
        new(
            "observation4",
            "WISE and AlphaEdit are the best editing methods overall",
            [
                new(
                    "in every setting of Table 1 they have the two best scores of the editing methods",
                    "4.3, Obs4, sentence 4",
                    n => ScoreClaims.EachBeats(n, n.Settings, Robust, ["rome", "memit", "grace"])
                ),
                new(
                    "on facts, with both models, both score higher than every unlearning method",
                    "4.3, Obs4, sentence 5",
                    n => ScoreClaims.EachBeats(n, n.SettingsOf(n.Scope.Facts), Robust, Unlearning)
                )
                {
                    Note = "with Mistral Table 1 has WISE at 1.08, AlphaEdit and DPO at 1.40, GD at 1.52",
                },
                Weaker(
                    "they do with the main model",
                    "4.3, Obs4, sentence 5",
                    n => ScoreClaims.EachBeats(n, [n.SettingsOf(n.Scope.Facts)[0]], Robust, Unlearning)
                ),
                new(
                    "on contracts, with both models, WISE scores higher than KL and DPO, and AlphaEdit than DPO",
                    "4.3, Obs4, sentence 6",
                    n => ScoreClaims.BeatSomeOnContracts(n, second: false)
                )
                {
                    Note = "with Llama-2 Table 1 has DPO at 1.68, WISE at 1.26, AlphaEdit at 1.20",
                },
                Weaker(
                    "they do with the second model",
                    "4.3, Obs4, sentence 6",
                    n => ScoreClaims.BeatSomeOnContracts(n, second: true)
                ),
                new(
                    "of GD, DPO, WISE and AlphaEdit the last leads in forgetting, forgetting when rephrased, and "
                        + "keeping",
                    "4.3, Obs4, sentence 8",
                    ScoreClaims.AlphaEditLeads
                )
                {
                    Note = "Table 1 has WISE at .76 on the retain set, AlphaEdit at .69",
                },
                Weaker(
                    "it leads in forgetting, forgetting when rephrased, and the mean of all three",
                    "4.3, Obs4, sentence 8",
                    ScoreClaims.AlphaEditLeadsOverall
                ),
                new(
                    "WISE forgets as GD and DPO do, also when rephrased (within 0.1), and keeps more",
                    "4.3, Obs4, sentence 9",
                    ScoreClaims.WiseKeepsMore
                ),
            ]
        );

    private static Claim Observation5() =>
        new(
            "observation5",
            "Self-improved refusals generalise better and suit people better",
            [
                new(
                    "people see more entailment in the answers of WISE and AlphaEdit after self-improvement",
                    "4.4, Obs5, sentence 1",
                    ImprovementClaims.EntailmentRises
                ),
                new("people trust the answers of both more", "4.4, Obs5, heading", ImprovementClaims.TrustRises)
                {
                    Note = "sentence 2 says that trust in WISE declines slightly",
                },
                Weaker(
                    "people trust AlphaEdit more, and WISE less by no more than half a point",
                    "4.4, Obs5, sentence 2",
                    ImprovementClaims.TrustRisesAndFalls
                ),
                new(
                    "people trust WISE most of all after it",
                    "4.4, Obs5, sentence 2",
                    ImprovementClaims.WiseIsTrustedMost
                ),
                new(
                    "after self-improvement WISE and AlphaEdit leave less under rephrased questions",
                    "4.4, Obs5, sentence 4",
                    ImprovementClaims.Generalises
                ),
                new(
                    "people prefer the answers of DPO to those of GD, in trust and in entailment",
                    "4.4, Obs5, sentence 5",
                    ImprovementClaims.DpoBeforeGd
                ),
            ]
        );

    private static Claim Observation6() =>
        new(
            "observation6",
            "Merging queries rescues ROME and MEMIT",
            [
                new(
                    "the best merged score of each is above its score without merging by more than 0.25",
                    "4.4, Obs6, heading",
                    MergingClaims.HelpsGreatly
                ),
                new("both peak at 5 into 1", "4.4, Obs6, sentence 1", n => MergingClaims.PeakAt(n, 5))
                {
                    Note = "the sentence quotes 1.632 for MEMIT; Table 7 has 1.646 at 5 into 1, and 1.632 at 4 into 1",
                },
                new(
                    "their peaks are above GD and DPO at the same size",
                    "4.4, Obs6, sentence 1",
                    n => MergingClaims.PeaksBeat(n, "gd", "dpo")
                ),
                new("and close to AlphaEdit (within 0.05)", "4.4, Obs6, sentence 1", MergingClaims.PeaksNearAlphaEdit),
            ]
        );

    private static Claim Takeaway1() =>
        new(
            "takeaway1",
            "WISE and AlphaEdit are strong baselines for unlearning what was learned in pretraining",
            [
                new(
                    "on facts, with both models, both score higher than every unlearning method",
                    "1, takeaway 1",
                    n => ScoreClaims.EachBeats(n, n.SettingsOf(n.Scope.Facts), Robust, Unlearning)
                )
                {
                    Note = "with Mistral Table 1 has WISE at 1.08, AlphaEdit and DPO at 1.40, GD at 1.52",
                },
                Weaker(
                    "they do with the main model",
                    "1, takeaway 1",
                    n => ScoreClaims.EachBeats(n, [n.SettingsOf(n.Scope.Facts)[0]], Robust, Unlearning)
                ),
                new(
                    "with both models the lead of each over the best unlearning method is larger on facts than on "
                        + "contracts",
                    "1, takeaway 1",
                    n => ScoreClaims.LeadIsLargerOnFacts(n, mainOnly: false, Robust)
                )
                {
                    Note = "with Mistral WISE is .44 behind on facts and .23 behind on contracts",
                },
                Weaker(
                    "it is with the main model",
                    "1, takeaway 1",
                    n => ScoreClaims.LeadIsLargerOnFacts(n, mainOnly: true, Robust)
                ),
            ]
        );

    private static Claim Takeaway2() =>
        new(
            "takeaway2",
            "Some editing methods suit people better than unlearning does",
            [
                new(
                    "people prefer the answers of WISE, after self-improvement, to those of GD and DPO, in trust "
                        + "and in entailment",
                    "1, takeaway 2",
                    ImprovementClaims.WiseBeforeUnlearning
                ),
            ]
        );

    private static Claim Takeaway3() =>
        new(
            "takeaway3",
            "Self-improvement and merging adapt editing to unlearning",
            [
                new(
                    "trust and entailment together rise for WISE and AlphaEdit after self-improvement",
                    "1, takeaway 3, sentence 1",
                    ImprovementClaims.AlignmentRises
                ),
                new(
                    "after self-improvement WISE and AlphaEdit leave less under rephrased questions",
                    "1, takeaway 3, sentence 1",
                    ImprovementClaims.Generalises
                ),
                new(
                    "merged, ROME and MEMIT score higher than every unlearning method at the same size",
                    "1, takeaway 3, sentence 2",
                    n => MergingClaims.PeaksBeat(n, Unlearning)
                )
                {
                    Note = "Table 5 has GA and KL for 20 and 40 facts only, so the paper's numbers cannot decide",
                },
                Weaker(
                    "higher than GD and DPO",
                    "1, takeaway 3, sentence 2",
                    n => MergingClaims.PeaksBeat(n, "gd", "dpo")
                ),
            ]
        );
}
