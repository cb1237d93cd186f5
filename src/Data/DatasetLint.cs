using System.Text.RegularExpressions;
using EditUnlearn.Artifacts;

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

    /// <summary>All findings, in row order.</summary>
    public static IReadOnlyList<LintFinding> Of(IReadOnlyList<QaRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var findings = new List<LintFinding>();
        var words = rows.Select(r => Words(r.Question).ToHashSet(StringComparer.Ordinal)).ToList();
        var byAnswer = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var i = 0; i < rows.Count; i++)
        {
            var row = rows[i];
            var answer = Words(row.Answer).ToList();
            var normal = string.Join(' ', answer);
            if (byAnswer.TryGetValue(normal, out var others))
                foreach (var j in others)
                {
                    var overlap = words[i].Intersect(words[j]).Count() / (double)words[i].Union(words[j]).Count();
                    if (overlap >= TwinOverlap)
                        findings.Add(
                            new LintFinding(row.Id, "twin", $"may ask the same as {rows[j].Id}: '{rows[j].Question}'")
                        );
                }
            else
                byAnswer.Add(normal, others = []);
            others.Add(i);
            foreach (var text in row.Rephrasings.Prepend(row.Question))
            {
                if (answer.Count > 0 && Contains([.. Words(text)], answer))
                    findings.Add(new LintFinding(row.Id, "answer-in-question", $"'{row.Answer}' stands in '{text}'"));
                if (!text.Contains(row.Subject, StringComparison.Ordinal))
                    findings.Add(
                        new LintFinding(row.Id, "subject-missing", $"'{row.Subject}' does not stand in '{text}'")
                    );
            }
            if (answer.Count > LongAnswer)
                findings.Add(new LintFinding(row.Id, "long-answer", $"{answer.Count} words"));
            if (row.Rephrasings.Distinct().Count() != row.Rephrasings.Count || row.Rephrasings.Contains(row.Question))
                findings.Add(new LintFinding(row.Id, "repeated-phrasing", "two of its phrasings are equal"));
        }
        return findings;
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
