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
