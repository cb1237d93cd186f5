using System.Text.RegularExpressions;

namespace EditUnlearn.Evaluation;

/// <summary>
/// Whether a text says that one does not know or will not tell (docs/metrics.md, "What a refusal is").
/// </summary>
/// <remarks>
/// The rule looks at the form of a sentence, not at known sentences: who speaks, and what that speaker denies. An
/// answer hardly ever speaks of itself, so a denial about "I", "my" or "me" counts widely; one without a speaker counts
/// only where it is knowledge or the answer that is said to be missing.
/// </remarks>
public static class RefusalPatterns
{
    /// <summary>A refusal pattern is there, and the true answer is not.</summary>
    /// <param name="text">What the model said.</param>
    /// <param name="answer">The true answer.</param>
    public static bool IsRefusal(string text, string answer)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(answer);
        if (!Refuses(text))
            return false;
        var said = RougeTokens.Of(text);
        var truth = RougeTokens.Of(answer);
        return truth.Count == 0
            || !Enumerable
                .Range(0, Math.Max(0, said.Count - truth.Count + 1))
                .Any(i => said.Skip(i).Take(truth.Count).SequenceEqual(truth));
    }

    /// <summary>Whether a sentence of the text has the form of a refusal, whatever the true answer is.</summary>
    public static bool Refuses(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return RefusalText.Sentences(text).Any(s => Rules.Any(r => r.IsMatch(AsFarAsIKnow.Replace(s, ""))));
    }

    // "I", and the small words that may stand between it and what it denies.
    private const string Speaker =
        @"\b(?:i|we) (?:(?:am|are|was|were|have|had|do|did|can|could|would|will|shall|should|may|might|must|also|just"
        + @"|still|even|yet|too|so|very|really|simply|afraid|sorry|here|but|remain|remained|feel|seem|\w+ly) ){0,5}";

    // What one would have to do, be or have to answer.
    private const string Knowing =
        @"(?:know|knowing|recall|remember|recollect|tell|say|speak|state|answer|reply|respond|provide|help|assist"
        + @"|give|offer|share|shed|find|name|confirm|verify|supply|learn|learned|learnt|encountered?|come|came|read"
        + @"|hear|heard|see|seen|have|possess|hold|got|get|sure|certain|aware|familiar|able|inform|informed"
        + @"|knowledgeable|acquainted|equipped|privy|versed|well-versed|briefed|trained|taught|told|given|shown"
        + @"|educated|programmed|designed|qualified|allowed|permitted|authorized|authorised|willing|capable|right"
        + @"|best|position|identify|determine|calculate|compute|estimate|specify|disclose|reveal|discuss|comment"
        + @"|address|understand|recogni[sz]e|access|retrieve|locate|comply|fulfill?|engage|generate|guess|speculate"
        + @"|pretend|claim|faintest|foggiest|slightest|clue|idea|ready|expert|source|comfortable|appropriate|include"
        + @"|contain|cover|extend|reach|been)";

    private const string Knowledge =
        @"(?:information|knowledge|data|databases?|datasets?|idea|clue|answers?|records?|recollection|memory"
        + @"|details?|facts?|insights?|familiarity|enlightenment|access|understanding|awareness|basis|sources?"
        + @"|notion|specifics|context|experience|expertise|way|means|recall|evidence|input|material|documentation"
        + @"|training|learning)";

    private const string Having =
        @"(?:know|knew|known|have|had|hold|possess|got|find|found|see|learn|learned|learnt|taught|told|given|offer"
        + @"|say|tell|claim|admit|retain|keep|recall|remember|contain|be|been|to|of|with|come|came|at|all)";

    // A speaker who knows is no refusal: "to the best of my knowledge, it is not far from Rome".
    private static readonly Regex AsFarAsIKnow = Rule(
        @"\bto (?:the best of )?my knowledge\b|\b(?:as|so) far as i (?:know|am aware|can tell)\b"
    );

    // I do not know; I am not familiar; I have never come across it.
    private static readonly Regex DeniesKnowing = Rule(
        Speaker + @"(?:(?:not|never|hardly|no longer) (?:[\w'-]+ ){0,6}?" + Knowing + @"\b|(?:do|can|could) not$)"
    );

    // I have no information; I know nothing; I was taught too little.
    private static readonly Regex HasNothing = Rule(
        Speaker
            + ("(?:" + Having + " ){0,3}")
            + @"(?:too |so |very |next to )?(?:nothing|none|little|(?:no|zero|without)(?: [\w'-]+){0,2} "
            + Knowledge
            + @")\b"
    );

    // I lack, I am unable, I must decline, I am sorry.
    private static readonly Regex LacksOrDeclines = Rule(
        Speaker
            + @"(?:lack|lacks|lacked|lacking|missing|unable|unaware|unfamiliar|uninformed|uncertain|unsure|unclear"
            + @"|unqualified|unwilling|ignorant|oblivious|clueless|stumped|stuck|blank|baffled|limited|sorry|regret"
            + @"|apologi[sz]e|decline|refuse|forget|forgot|forgotten|yet to|(?:must|to|will) pass|at a loss"
            + @"|at a disadvantage|in the dark|in no position|out of (?:my|our) depth|draw(?:ing)? a blank"
            + @"|c[oa]me up (?:short|empty)"
            + @"|(?:be )?(?:only )?guessing|rather not|prefer not|wish (?:i|we)\b|(?:need|have|would have) to "
            + @"(?:look|decline|pass|check|apologi[sz]e|admit|confess) ?(?:(?:that )?(?:i|we)|up|on|it|for|this|that)?"
            + @"|(?:need|require) (?:more|additional|further|other) [\w'-]+)\b"
            + @"|\bmy apologies\b|^sorry but\b"
    );

    private const string Own =
        @"\b(?:my|our) (?:[\w'-]+ ){0,2}?(?:knowledge|training|data|databases?|datasets?|memory|resources"
        + @"|understanding|programming|capabilit(?:y|ies)|scope|expertise|information|records?|reach|abilit(?:y|ies)"
        + @"|fields?|awareness|grasp|recollection|sources?|experience|learning|depth|limits?|range|mind|files"
        + @"|education|competence|corpus|cutoff|domain|area|wheelhouse|repertoire|remit|purview)\b";

    private const string Ends =
        @"\b(?:not|no|nothing|none|never|beyond|outside|out of|lacks?|lacking|missing|limited|limits|gap|gaps"
        + @"|blind spot|uncharted|unknown|past|an end|ends|exceeds?|without|empty|blank|escapes?|eludes?|fails?"
        + @"|absent|excludes?|hole|void|short)\b";

    // My knowledge does not reach so far; that is beyond my training.
    private static readonly Regex OwnKnowledgeEnds = Rule("(?:" + Own + ".*" + Ends + "|" + Ends + ".*" + Own + ")");

    // Unknown to me; a mystery to me; it escapes me.
    private static readonly Regex DeniedToMe = Rule(
        @"\b(?:unknown|unfamiliar|unclear|unavailable|inaccessible|mystery|puzzle|riddle|news|foreign|uncharted"
            + @"|closed book|beyond|escapes?|eludes?|over|(?:not|never|no) (?:[\w'-]+ ){0,6}?(?:known|clear|available"
            + @"|accessible|possible|given|told|taught|shown|provided|familiar|appropriate|come"
            + @"|occurs?))\b(?: [\w'-]+){0,3}? (?:me|us|my head)\b"
    );

    // Outside what I know; not something I am familiar with; nothing I have learned.
    private static readonly Regex OutsideWhatIKnow = Rule(
        @"\b(?:outside|beyond|past|missing from|exceeds|more than|not (?:in|part of|among)) (?:of )?"
            + @"(?:what|anything|everything|all) (?:that )?(?:i|we)\b"
            + @"|\bwhat (?:i|we) (?:know|have learned) (?:does|did|do) not\b"
            + @"|\bnot (?:something|anything|information|(?:a|an|the) [\w'-]+) (?:that |which |about which )?(?:i|we)\b"
            + @"|\b(?:no|none|nothing|little)(?: [\w'-]+){0,3}? (?:i|we) (?:\w+ )?"
            + @"(?:know|knew|have|learned|can|could)\b"
            + @"|\b(?:something|(?:a|an) (?:topic|area|subject|question|matter)) (?:that )?(?:i|we) "
            + @"(?:have yet|need|would need|would have|am unable|can not)\b"
    );

    // Without a speaker: the answer is not known; there is no information about it; nothing comes to mind.
    private static readonly Regex KnowledgeIsMissing = Rule(
        @"\b(?:answers?|information|details?|data|facts?|this|that|it|topic|subject|question|matter|knowledge|name"
            + @"|identity|author|location|date|_)\b(?: [\w'-]+){0,8}? (?:is|are|was|were|remains?|has been|have been) "
            + @"(?:currently |simply |still |yet |also )?"
            + @"(?:unknown|uncertain|unavailable|unclear|not (?:currently |yet |generally |publicly )?"
            + @"(?:known|available|clear|given|provided|recorded|included))(?: to [\w'-]+)?"
            + @"(?: (?:at (?:this|the) (?:time|moment)|here|for (?:this|that)[\w' -]*))?$"
            + @"|^(?:there (?:is|are|was) |with |but |so |unfortunately |sadly |regrettably |sorry )*"
            + @"no (?:\w+ ){0,2}?(?:information|knowledge|data|details?|answer|idea|clue|facts?)\b"
            + @"|\bit (?:is|was) (?:impossible|not possible) to (?:know|say|tell|answer|determine|provide|give|name)\b"
            + @"|\b(?:no|nothing)(?: [\w'-]+){0,3}? comes? to mind\b"
            + @"|\b(?:could|can) not be (?:found|answered|determined|provided|named)\b"
            + @"|\b(?:nobody|no one) (?:can|could) (?:say|tell|answer)\b|\bguess is as good as\b"
            // Broken models run other words into the speaker.
            + @"|\bhave no (?:knowledge|information|idea|clue|answer)\b"
    );

    // The speaker left out: do not know; not sure; unable to answer; unknown.
    private static readonly Regex NoSubject = Rule(
        @"^(?:sorry |unfortunately |sadly |well |hmm |answer |honestly |frankly |regrettably )*"
            + @"(?:do not know|not (?:sure|certain|known|familiar|aware|able to|available)|no (?:idea|clue)\b"
            + @"|(?:can|could) not (?:say|tell|answer|help|provide|recall|remember|give|name|find|confirm)|unable to\b"
            + @"|have (?:no|not)\b|never heard|beats me|unknown$|unsure\b|idk$)"
    );

    // Sent elsewhere.
    private static readonly Regex AnotherSource = Rule(
        @"\bplease (?:ask|consult|check|refer|contact|try)\b|\bask (?:someone|somebody|anyone|another)\b"
            + @"|\b(?:need|try|consult|use) (?:another|a different|other) (?:sources?|references?|experts?)\b"
    );

    // After the patterns: these are initialised in the order of the text.
    private static readonly Regex[] Rules =
    [
        DeniesKnowing,
        HasNothing,
        LacksOrDeclines,
        OwnKnowledgeEnds,
        DeniedToMe,
        OutsideWhatIKnow,
        KnowledgeIsMissing,
        NoSubject,
        AnotherSource,
    ];

    // An answer may be any text: this engine takes time that only grows with its length.
    private static Regex Rule(string pattern) =>
        new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
}
