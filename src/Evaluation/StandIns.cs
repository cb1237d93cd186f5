using System.Text.RegularExpressions;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation;

/// <summary>
/// What a machine can say about an answer before people are paid to judge it. Never mixed with human scores.
/// </summary>
/// <remarks>docs/metrics.md, "Stand-ins for people". The refusal rate is the metric <c>refusal</c>.</remarks>
public static partial class StandIns
{
    private static readonly HashSet<string> ShortWords = new(StringComparer.OrdinalIgnoreCase)
    {
        "a",
        "i",
        "o",
        "s",
        "m",
        "d",
        "t",
    }; // the last four after an apostrophe

    /// <summary>
    /// Share of the subject's words that the answer repeats, stemmed, 0 to 1; higher is better. Null where the subject
    /// has no word.
    /// </summary>
    /// <param name="generated">What the model said.</param>
    /// <param name="subject">What the question is about.</param>
    public static double? EntityMention(string generated, string subject)
    {
        var subjects = RougeTokens.Of(subject).Distinct().ToList();
        var said = RougeTokens.Of(generated).ToHashSet(StringComparer.Ordinal);
        return subjects.Count == 0 ? null : subjects.Count(said.Contains) / (double)subjects.Count;
    }

    /// <summary>1 - distinct bigrams / bigrams, 0 to 1; lower is better. Null for fewer than two words.</summary>
    public static double? Repetition(string generated)
    {
        var words = RougeTokens.Of(generated);
        return words.Count < 2 ? null : 1 - words.Zip(words.Skip(1)).Distinct().Count() / (double)(words.Count - 1);
    }

    /// <summary>
    /// Share of white-space parts that do not look like a word, a number or a quoted one, 0 to 1; lower is better. Null
    /// for an empty answer.
    /// </summary>
    /// <remarks>
    /// A word has a vowel, at most four consonants in a row, no capital after a small letter, no letter three times in
    /// a row. No dictionary is asked: names are invented here.
    /// </remarks>
    public static double? NonWordShare(string generated)
    {
        ArgumentNullException.ThrowIfNull(generated);
        var parts = generated.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 0 ? null : parts.Count(p => !IsWord(p)) / (double)parts.Length;
    }

    /// <summary>The stand-ins of one answer by name, in the order of reports; null where one is not defined.</summary>
    /// <param name="row">The evidence.</param>
    /// <param name="subject">What its question is about.</param>
    public static IReadOnlyList<KeyValuePair<string, double?>> Of(AnswerRow row, string subject)
    {
        ArgumentNullException.ThrowIfNull(row);
        return
        [
            new("refusalRate", RefusalPatterns.IsRefusal(row.Generated, row.Answer) ? 1 : 0),
            new("entityMention", EntityMention(row.Generated, subject)),
            new("repetition", Repetition(row.Generated)),
            new("nonWordShare", NonWordShare(row.Generated)),
        ];
    }

    private static bool IsWord(string part)
    {
        var core = Punctuation().Replace(part, "");
        if (core.Length == 0 || Number().IsMatch(core))
            return true;
        return core.Split('-', '\'', '\u2019', '.')
            .Where(w => w.Length > 0)
            .All(w =>
                Letters().IsMatch(w)
                && !Broken().IsMatch(w)
                && (w.Length > 1 || ShortWords.Contains(w) || char.IsUpper(w[0]))
                && (Vowel().IsMatch(w) || w.Length <= 3 || w.All(char.IsUpper))
            );
    }

    [GeneratedRegex(@"^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$")]
    private static partial Regex Punctuation();

    [GeneratedRegex(@"^[\p{N}.,:/-]+(%|st|nd|rd|th|s)?$")]
    private static partial Regex Number();

    [GeneratedRegex(@"^\p{L}+$")]
    private static partial Regex Letters();

    [GeneratedRegex(@"[bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ]{5}|(\p{L})\1\1|\p{Ll}\p{Ll}\p{Lu}")]
    private static partial Regex Broken();

    [GeneratedRegex(@"[aeiouy\u00C0-\u024F]", RegexOptions.IgnoreCase)]
    private static partial Regex Vowel();
}
