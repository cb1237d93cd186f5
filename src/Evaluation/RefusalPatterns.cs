using System.Text.RegularExpressions;

namespace EditUnlearn.Evaluation;

/// <summary>Whether a text says that one does not know. Source: evaluation specification, section 10.5.</summary>
public static partial class RefusalPatterns
{
    /// <summary>A refusal pattern is there, and the true answer is not.</summary>
    /// <param name="text">What the model said.</param>
    /// <param name="answer">The true answer.</param>
    public static bool IsRefusal(string text, string answer)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!Pattern().IsMatch(text)) return false;
        var said = RougeTokens.Of(text);
        var truth = RougeTokens.Of(answer);
        return truth.Count == 0 || !Enumerable.Range(0, Math.Max(0, said.Count - truth.Count + 1)).Any(i => said.Skip(i).Take(truth.Count).SequenceEqual(truth));
    }

    [GeneratedRegex(@"\b(no (knowledge|information|idea|answer|record|details|data|way of knowing|clue|memory)|(do|does|did) not (know|have|recall|remember)|don't (know|have|recall)|not (know|known|aware|able|sure|familiar|something|in a position|within)|unknown|unable|unaware|unfamiliar|uncertain|cannot|can't|could not|sorry|know nothing|knows nothing|nothing (about|on)|beyond (me|my|what)|outside (of )?(my|what)|never (learned|heard|came|read|studied)|lack(s|ing)?|without (any )?(knowledge|information)|escapes me|mystery|missing from|in the dark|have not)\b",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
