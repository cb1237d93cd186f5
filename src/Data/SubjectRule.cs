using System.Text.RegularExpressions;

namespace EditUnlearn.Data;

/// <summary>
/// Finds what a question is about where the file does not say (docs/data.md, "Subjects").
/// </summary>
public static partial class SubjectRule
{
    private static readonly HashSet<string> QuestionWords = new(StringComparer.Ordinal)
    {
        "What",
        "Which",
        "Who",
        "Whom",
        "Whose",
        "Where",
        "When",
        "Why",
        "How",
        "In",
        "On",
        "At",
        "Is",
        "Are",
        "Was",
        "Were",
        "Do",
        "Does",
        "Did",
        "Can",
        "Could",
        "Name",
        "The",
        "Of",
        "By",
        "From",
        "For",
    };

    // Small words that may stand inside a name, never at its ends.
    private static readonly HashSet<string> Joining = new(StringComparer.Ordinal)
    {
        "de",
        "van",
        "of",
        "the",
        "and",
        "la",
        "von",
        "da",
        "del",
    };

    /// <summary>
    /// The subject, verbatim from <paramref name="question"/>: a quoted title, else the longest capitalised run, else
    /// the last word.
    /// </summary>
    public static string Find(string question)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (Quoted().Match(question) is { Success: true } title)
            return title.Groups[1].Value;
        var best = "";
        var words = Word().Matches(question).Cast<Match>().ToList();
        for (var i = 0; i < words.Count; i++)
        {
            if (!Capital(words[i].Value) || (i == 0 && QuestionWords.Contains(words[i].Value)))
                continue;
            var last = i;
            for (
                var j = i + 1;
                j < words.Count
                    && (Capital(words[j].Value) || Joining.Contains(words[j].Value) || char.IsDigit(words[j].Value[0]));
                j++
            )
            {
                // A run ends where something other than a space stands between two words.
                if (question[(words[j - 1].Index + words[j - 1].Length)..words[j].Index].Trim().Length > 0)
                    break;
                if (!Joining.Contains(words[j].Value))
                    last = j;
            }
            var run = question[words[i].Index..(words[last].Index + words[last].Length)];
            if (run.Length > best.Length)
                best = run;
        }
        if (best.Length > 0)
            return best;
        return words.Count > 0 ? words[^1].Value : question;
    }

    /// <summary>
    /// The party a contract question is about: the first one of "between X and Y", else the last one named after
    /// "contract with"; null where there is neither.
    /// </summary>
    /// <remarks>
    /// docs/data.md, "Subjects": the first party for ordinary clauses, the party that the question names for names and
    /// addresses.
    /// </remarks>
    public static string? FindParty(string question)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (Between().Match(question) is { Success: true } both)
            return both.Groups[1].Value;
        return With().Matches(question) is { Count: > 0 } named ? named[^1].Groups[1].Value : null;
    }

    /// <summary>
    /// Where a subject stands in a question: its first place as a word of its own, else its first at all (scripts
    /// without spaces, endings that are joined to a name); -1 for none.
    /// </summary>
    public static int Place(string question, string subject)
    {
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(subject);
        if (subject.Length == 0)
            return -1;
        for (var at = 0; (at = question.IndexOf(subject, at, StringComparison.Ordinal)) >= 0; at++)
            if (IsWord(question, at, subject.Length))
                return at;
        return question.IndexOf(subject, StringComparison.Ordinal);
    }

    /// <summary>Places of a subject as a word of its own.</summary>
    public static int Places(string question, string subject)
    {
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(subject);
        var count = 0;
        if (subject.Length > 0)
            for (var at = 0; (at = question.IndexOf(subject, at, StringComparison.Ordinal)) >= 0; at++)
                count += IsWord(question, at, subject.Length) ? 1 : 0;
        return count;
    }

    // Whether no word goes on at either end of a stretch.
    private static bool IsWord(string text, int start, int length)
    {
        bool Joined(int left, int right) =>
            left >= 0 && right < text.Length && IsLetter(text, left) && IsLetter(text, right);
        return !Joined(start - 1, start) && !Joined(start + length - 1, start + length);
    }

    // Marks belong to the letter before them.
    private static bool IsLetter(string text, int at) =>
        char.IsLetterOrDigit(text[at])
        || char.IsSurrogate(text[at])
        || char.GetUnicodeCategory(text[at])
            is System.Globalization.UnicodeCategory.NonSpacingMark
                or System.Globalization.UnicodeCategory.SpacingCombiningMark;

    private static bool Capital(string word) => char.IsUpper(word[0]);

    [GeneratedRegex(@"\bbetween (\p{Lu}[\w.]*(?: \p{Lu}[\w.]*)*) and \p{Lu}")]
    private static partial Regex Between();

    [GeneratedRegex(@"\bcontract with (\p{Lu}[\w.]*(?: \p{Lu}[\w.]*)*)")]
    private static partial Regex With();

    [GeneratedRegex(@"(?<!\w)'([^']{2,}(?:'\w[^']*)*)'(?!\w)")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"[\p{L}\p{N}][\p{L}\p{N}\-'.]*[\p{L}\p{N}]|[\p{L}\p{N}]")]
    private static partial Regex Word();
}
