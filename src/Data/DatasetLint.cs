using System.Text.RegularExpressions;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>Something about a row that a person should look at.</summary>
/// <param name="Id">Of the question.</param>
/// <param name="Rule">Short name of the rule.</param>
/// <param name="Message">What was found.</param>
public sealed record LintFinding(string Id, string Rule, string Message);

/// <summary>
/// Reports what looks wrong with the content of a data set; it changes nothing (docs/data.md, "Lint").
/// </summary>
public static partial class DatasetLint
{
    private const int LongAnswer = 12;
    private const double TwinOverlap = 0.5;

    // Twins of a row that are looked for; with few distinct answers nearly all rows may be.
    private const int MostTwins = 3;

    /// <summary>All findings, in row order.</summary>
    /// <param name="rows">The questions.</param>
    /// <param name="cancelled">Looked at between rows.</param>
    public static IReadOnlyList<LintFinding> Of(IReadOnlyList<QaRow> rows, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var findings = new List<LintFinding>();
        var twins = new Twins(rows);
        for (var i = 0; i < rows.Count; i++)
        {
            cancelled.ThrowIfCancellationRequested();
            var row = rows[i];
            void Found(string rule, string message) => findings.Add(new LintFinding(row.Id, rule, message));
            var answer = Words(row.Answer).ToList();
            var like = twins.Before(i);
            if (like.Count > 0)
                Found(
                    "twin",
                    $"may ask the same as {like[0].Id}: '{like[0].Question}'"
                        + (like.Count == 1 ? "" : $", and {(like.Count < MostTwins ? "" : "at least ")}"
                            + $"{like.Count - 1} more")
                );
            foreach (var text in row.Rephrasings.Prepend(row.Question))
            {
                if (answer.Count > 0 && Contains([.. Words(text)], answer))
                    Found("answer-in-question", $"'{row.Answer}' stands in '{text}'");
                if (!text.Contains(row.Subject, StringComparison.Ordinal))
                    Found("subject-missing", $"'{row.Subject}' does not stand in '{text}'");
                if (text.Contains("  ", StringComparison.Ordinal))
                    Found("double-space", $"two spaces in a row in '{text}'");
            }
            Subject(row, Found);
            if (!LatinScript.IsMostOf(row.Answer))
                Found(
                    "script",
                    $"'{row.Answer}' is in a script that ROUGE does not read: Rouge1 has no value for this row"
                );
            if (answer.Count > LongAnswer)
                Found("long-answer", $"{answer.Count} words");
            if (row.Rephrasings.Distinct().Count() != row.Rephrasings.Count || row.Rephrasings.Contains(row.Question))
                Found("repeated-phrasing", "two of its phrasings are equal");
        }
        return findings;
    }

    // A method looks the subject up at one place.
    private static void Subject(QaRow row, Action<string, string> found)
    {
        var places = SubjectRule.Places(row.Question, row.Subject);
        if (places > 1)
            found(
                "subject-twice",
                $"'{row.Subject}' stands {places} times in '{row.Question}'; the first is looked up"
            );
        else if (places == 0 && row.Question.Contains(row.Subject, StringComparison.Ordinal))
            found("subject-in-word", $"'{row.Subject}' stands in '{row.Question}' as part of a word only");
    }

    /// <summary>
    /// Questions with one answer and at least half of their words in common. Found by their rarest words: two sets of
    /// which at least a share t is common have one of the first (1 - t) n + 1 words, rarest first, in common.
    /// </summary>
    /// <remarks>Source: Chaudhuri, Ganti and Kaushik (2006), prefix filtering.</remarks>
    private sealed class Twins
    {
        private readonly IReadOnlyList<QaRow> _rows;
        private readonly List<string[]> _words = [];
        private readonly List<string> _answers = [];
        private readonly Dictionary<(string Answer, string Word), List<int>> _byWord = [];

        public Twins(IReadOnlyList<QaRow> rows)
        {
            _rows = rows;
            var sets = rows.Select(r => Words(r.Question).Distinct(StringComparer.Ordinal).ToArray()).ToList();
            var count = sets.SelectMany(w => w).CountBy(w => w, StringComparer.Ordinal).ToDictionary();
            foreach (var set in sets)
                _words.Add([.. set.OrderBy(w => count[w]).ThenBy(w => w, StringComparer.Ordinal)]);
            _answers.AddRange(rows.Select(r => string.Join(' ', Words(r.Answer))));
        }

        /// <summary>
        /// Some of the earlier rows that may ask the same, in their order; each row is asked for once.
        /// </summary>
        public IReadOnlyList<QaRow> Before(int row)
        {
            var (words, found, seen) = (_words[row], new SortedSet<int>(), new HashSet<int>());
            var own = words.ToHashSet(StringComparer.Ordinal);
            var prefix = words.Length - (int)Math.Ceiling(TwinOverlap * words.Length) + 1;
            foreach (var word in words.Take(prefix))
            {
                if (!_byWord.TryGetValue((_answers[row], word), out var others))
                    _byWord.Add((_answers[row], word), others = []);
                foreach (var other in others)
                    if (found.Count < MostTwins && seen.Add(other) && Overlap(own, _words[other]) >= TwinOverlap)
                        found.Add(other);
                others.Add(row);
            }
            return [.. found.Select(f => _rows[f])];
        }

        private static double Overlap(HashSet<string> one, string[] other)
        {
            var common = other.Count(one.Contains);
            return common / (double)(one.Count + other.Length - common);
        }
    }

    private static bool Contains(List<string> text, List<string> run) =>
        Enumerable
            .Range(0, Math.Max(0, text.Count - run.Count + 1))
            .Any(i => text.Skip(i).Take(run.Count).SequenceEqual(run));

    private static IEnumerable<string> Words(string text) =>
        Word().Matches(text.ToLowerInvariant()).Select(m => m.Value);

    [GeneratedRegex(@"[\p{L}\p{N}]+")]
    private static partial Regex Word();
}
