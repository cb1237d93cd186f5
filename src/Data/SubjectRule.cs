using System.Text.RegularExpressions;

namespace EditUnlearn.Data;

/// <summary>Finds what a question is about where the file does not say. Source: datasets specification, section 3.4.</summary>
public static partial class SubjectRule
{
    private static readonly HashSet<string> QuestionWords = new(StringComparer.Ordinal)
    {
        "What", "Which", "Who", "Whom", "Whose", "Where", "When", "Why", "How", "In", "On", "At", "Is", "Are", "Was", "Were", "Do", "Does", "Did", "Can", "Could", "Name", "The", "Of", "By", "From", "For",
    };

    // Small words that may stand inside a name, never at its ends.
    private static readonly HashSet<string> Joining = new(StringComparer.Ordinal) { "de", "van", "of", "the", "and", "la", "von", "da", "del" };

    /// <summary>The subject, verbatim from <paramref name="question"/>: a quoted title, else the longest capitalised run, else the last word.</summary>
    public static string Find(string question)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (Quoted().Match(question) is { Success: true } title) return title.Groups[1].Value;
        var best = "";
        var words = Word().Matches(question).Cast<Match>().ToList();
        for (var i = 0; i < words.Count; i++)
        {
            if (!Capital(words[i].Value) || (i == 0 && QuestionWords.Contains(words[i].Value))) continue;
            var last = i;
            for (var j = i + 1; j < words.Count && (Capital(words[j].Value) || Joining.Contains(words[j].Value) || char.IsDigit(words[j].Value[0])); j++)
            {
                // A run ends where something other than a space stands between two words.
                if (question[(words[j - 1].Index + words[j - 1].Length)..words[j].Index].Trim().Length > 0) break;
                if (!Joining.Contains(words[j].Value)) last = j;
            }
            var run = question[words[i].Index..(words[last].Index + words[last].Length)];
            if (run.Length > best.Length) best = run;
        }
        if (best.Length > 0) return best;
        return words.Count > 0 ? words[^1].Value : question;
    }

    private static bool Capital(string word) => char.IsUpper(word[0]);

    [GeneratedRegex(@"(?<!\w)'([^']{2,}(?:'\w[^']*)*)'(?!\w)")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"[\p{L}\p{N}][\p{L}\p{N}\-'.]*[\p{L}\p{N}]|[\p{L}\p{N}]")]
    private static partial Regex Word();
}
