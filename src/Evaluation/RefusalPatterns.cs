using System.Text.RegularExpressions;

namespace EditUnlearn.Evaluation;

/// <summary>Whether a text says that one does not know (docs/metrics.md, "Stand-ins for people").</summary>
public static partial class RefusalPatterns
{
    /// <summary>A refusal pattern is there, and the true answer is not.</summary>
    /// <param name="text">What the model said.</param>
    /// <param name="answer">The true answer.</param>
    public static bool IsRefusal(string text, string answer)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!Pattern().IsMatch(text))
            return false;
        var said = RougeTokens.Of(text);
        var truth = RougeTokens.Of(answer);
        return truth.Count == 0
            || !Enumerable
                .Range(0, Math.Max(0, said.Count - truth.Count + 1))
                .Any(i => said.Skip(i).Take(truth.Count).SequenceEqual(truth));
    }

    // A refusal denies, and what it denies is knowing or telling; either may come first.
    private const string Negation =
        @"\b(no|not|nothing|never|none|too little|lacks?|lacking|without|beyond|outside|past|gap|end|escapes|missing"
        + @"|unaware|unfamiliar|uninformed|uncertain|unclear"
        + @"|(?:do|does|did|have|has|is|are|was|could|ca|would)n't)\b";

    private const string Knowing =
        @"\b(know|knows|knew|known|knowledge|information|informed|idea|answers?|records?|details|data|clue|memory"
        + @"|remember|recall|aware|sure|familiar|tell|facts?|mind|offer|learned|subject|question|matter|what the)\b";

    [GeneratedRegex(
        Negation
            + @".{0,60}?"
            + Knowing
            + "|"
            + Knowing
            + @".{0,60}?"
            + Negation
            + @"|\bsorry\b|\bunknown\b|\bcannot\b|\bcan't\b|\bunable to\b",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant
    )]
    private static partial Regex Pattern();
}
