using System.Text.RegularExpressions;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Data;

/// <summary>
/// Whether a text may stand in for a question: the same question in other words, that neither loses what it is about
/// nor tells the answer (docs/data.md, "Rephrasings").
/// </summary>
public static partial class RephraseFilter
{
    private const double LeastOverlap = 0.15,
        MostOverlap = 0.85,
        Shortest = 0.5,
        Longest = 2;

    private static readonly HashSet<string> Imperatives = new(StringComparer.OrdinalIgnoreCase)
    {
        "please",
        "name",
        "state",
        "tell",
        "give",
        "identify",
        "say",
        "specify",
        "provide",
        "list",
        "mention",
        "indicate",
    };

    /// <summary>Why a candidate is refused, or null when it is good.</summary>
    /// <param name="row">The question.</param>
    /// <param name="candidate">The other wording.</param>
    /// <param name="taken">All questions and rephrasings of the data set so far, by <see cref="Normal"/>.</param>
    public static string? Problem(QaRow row, string candidate, IReadOnlySet<string> taken)
    {
        ArgumentNullException.ThrowIfNull(row);
        ArgumentNullException.ThrowIfNull(candidate);
        ArgumentNullException.ThrowIfNull(taken);
        var words = Words(candidate);
        if (words.Count == 0)
            return "empty";
        if (taken.Contains(Normal(candidate)))
            return "repeated";
        if (!candidate.Contains(row.Subject, StringComparison.Ordinal))
            return "subject lost";
        if (Fixed().Matches(row.Question).Any(m => !candidate.Contains(m.Value, StringComparison.Ordinal)))
            return "number or title lost";
        if (row.Aliases.Prepend(row.Answer).Any(a => Contains(words, Words(a))))
            return "answer told";
        if (!candidate.EndsWith('?') && !Imperatives.Contains(words[0]))
            return "no question";
        if (candidate.Length < Shortest * row.Question.Length || candidate.Length > Longest * row.Question.Length)
            return "length";
        var (a, b) = (words.ToHashSet(StringComparer.Ordinal), Words(row.Question).ToHashSet(StringComparer.Ordinal));
        var overlap = a.Intersect(b).Count() / (double)a.Union(b).Count();
        return overlap < LeastOverlap ? "too far"
            : overlap > MostOverlap ? "too near"
            : null;
    }

    /// <summary>A text by its words, so that two wordings that differ in punctuation count as one.</summary>
    public static string Normal(string text) => string.Join(' ', Words(text));

    /// <summary>All questions and rephrasings of a data set, by <see cref="Normal"/>.</summary>
    public static HashSet<string> Taken(IReadOnlyList<QaRow> rows) =>
        rows.SelectMany(r => r.Rephrasings.Prepend(r.Question)).Select(Normal).ToHashSet(StringComparer.Ordinal);

    /// <summary>Takes candidates for a question until there are enough; counts why others were refused.</summary>
    /// <param name="row">The question; accepted ones are added to its rephrasings in the returned row.</param>
    /// <param name="candidates">In order of preference.</param>
    /// <param name="wanted">Rephrasings the row shall have.</param>
    /// <param name="taken">Of the data set; accepted ones are added.</param>
    /// <param name="refused">Counts by reason; added to.</param>
    public static QaRow Accept(
        QaRow row,
        IEnumerable<string> candidates,
        int wanted,
        HashSet<string> taken,
        IDictionary<string, int> refused
    )
    {
        ArgumentNullException.ThrowIfNull(row);
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(refused);
        var rephrasings = row.Rephrasings.ToList();
        foreach (var candidate in candidates)
        {
            if (rephrasings.Count >= wanted)
                break;
            if (Problem(row, candidate, taken) is { } problem)
            {
                refused[problem] = (refused.TryGetValue(problem, out var n) ? n : 0) + 1;
                continue;
            }
            rephrasings.Add(candidate);
            taken.Add(Normal(candidate));
        }
        return row with { Rephrasings = rephrasings };
    }

    private static List<string> Words(string text) => [.. Word().Matches(text.ToLowerInvariant()).Select(m => m.Value)];

    private static bool Contains(List<string> text, List<string> run) =>
        run.Count > 0
        && Enumerable
            .Range(0, Math.Max(0, text.Count - run.Count + 1))
            .Any(i => text.Skip(i).Take(run.Count).SequenceEqual(run));

    [GeneratedRegex(@"[\p{L}\p{N}]+")]
    private static partial Regex Word();

    // Dates and numbers as they stand, and titles in quotes.
    [GeneratedRegex(@"\p{N}+(?:[-./:,]\p{N}+)*|(?<!\w)'[^']{2,}(?:'\w[^']*)*'(?!\w)")]
    private static partial Regex Fixed();
}
