using System.Text.RegularExpressions;

namespace EditUnlearn.Evaluation;

/// <summary>
/// A text as the refusal rule reads it: sentences in lower case, without contractions, quotes and names.
/// </summary>
/// <remarks>
/// A word that starts with a capital inside a sentence belongs to a name or a title and becomes <c>_</c>, and so does
/// what stands in quotes: the title "I Don't Know How She Does It" is no refusal.
/// </remarks>
internal static partial class RefusalText
{
    private const string Name = "_";

    private static readonly (Regex Written, string Means)[] Contractions =
    [
        (CanNot(), "can not"),
        (WillNot(), "will not"),
        (AmNot(), "am not"),
        (Not(), " not"),
        (BareNot(), "$1 not"),
        (Am(), "i am"),
        (Have(), " have"),
        (Will(), " will"),
        (Would(), " would"),
        (Are(), " are"),
        (Is(), "$1 is"),
    ];

    /// <summary>The sentences of a text: words with single spaces, nothing else.</summary>
    public static IEnumerable<string> Sentences(string text)
    {
        var plain = Plain(text.Trim());
        // Shouting hides which words are names.
        if (!plain.Any(char.IsLower))
            plain = plain.ToLowerInvariant();
        return SentenceEnd().Split(Quoted().Replace(plain, Name)).Select(Words).Where(s => s.Length > 0);
    }

    // One kind of apostrophe and quote; a pair around the whole text says nothing.
    private static string Plain(string text)
    {
        var plain = text.Replace('\u2019', '\'')
            .Replace('\u2018', '\'')
            .Replace('\u02BC', '\'')
            .Replace('`', '\'')
            .Replace('\u201C', '"')
            .Replace('\u201D', '"');
        return plain.Length > 1 && plain[0] is '"' or '\'' && plain[^1] == plain[0] && plain.Count(c => c == '"') <= 2
            ? plain[1..^1]
            : plain;
    }

    private static string Words(string sentence)
    {
        var words = Word()
            .Matches(sentence)
            .Select((m, i) => i == 0 || !IsName(m.Value) ? m.Value.ToLowerInvariant() : Name);
        var joined = string.Join(' ', words);
        foreach (var (written, means) in Contractions)
            joined = written.Replace(joined, means);
        return joined;
    }

    private static bool IsName(string word) =>
        char.IsUpper(word[0]) && word is not ("I" or "AI" or "A.I") && !word.StartsWith("I'", StringComparison.Ordinal);

    [GeneratedRegex(@"(?<=[.!?;:])\s+|[\r\n]+", RegexOptions.CultureInvariant)]
    private static partial Regex SentenceEnd();

    // An apostrophe inside a word opens and closes nothing.
    [GeneratedRegex(@"(?<!\w)'(?=\S)[^\r\n]{1,120}?(?<=\S)'(?!\w)|""[^""\r\n]{1,120}""", RegexOptions.CultureInvariant)]
    private static partial Regex Quoted();

    [GeneratedRegex(@"[\p{L}\p{N}_](?:[\p{L}\p{N}_'.-]*[\p{L}\p{N}_])?", RegexOptions.CultureInvariant)]
    private static partial Regex Word();

    [GeneratedRegex(@"\bcan(?:'t|t|not)\b", RegexOptions.CultureInvariant)]
    private static partial Regex CanNot();

    [GeneratedRegex(@"\bwo(?:n't)\b", RegexOptions.CultureInvariant)]
    private static partial Regex WillNot();

    [GeneratedRegex(@"\bain'?t\b", RegexOptions.CultureInvariant)]
    private static partial Regex AmNot();

    [GeneratedRegex(@"n't\b", RegexOptions.CultureInvariant)]
    private static partial Regex Not();

    [GeneratedRegex(@"\b(do|does|did|have|has|is|was|could|would)nt\b", RegexOptions.CultureInvariant)]
    private static partial Regex BareNot();

    [GeneratedRegex(@"\bi'?m\b", RegexOptions.CultureInvariant)]
    private static partial Regex Am();

    [GeneratedRegex(@"'ve\b", RegexOptions.CultureInvariant)]
    private static partial Regex Have();

    [GeneratedRegex(@"'ll\b", RegexOptions.CultureInvariant)]
    private static partial Regex Will();

    [GeneratedRegex(@"'d\b", RegexOptions.CultureInvariant)]
    private static partial Regex Would();

    [GeneratedRegex(@"'re\b", RegexOptions.CultureInvariant)]
    private static partial Regex Are();

    [GeneratedRegex(@"\b(that|this|it|there|here|what|he|she)'s\b", RegexOptions.CultureInvariant)]
    private static partial Regex Is();
}
