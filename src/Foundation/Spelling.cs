namespace EditUnlearn.Foundation;

/// <summary>Finds what a person probably meant.</summary>
public static class Spelling
{
    /// <summary>
    /// The known word nearest to <paramref name="word"/>, or null where none is near: at most two edits, or a third of
    /// its letters.
    /// </summary>
    public static string? Nearest(string word, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(word);
        ArgumentNullException.ThrowIfNull(known);
        var bound = Math.Max(2, word.Length / 3);
        return known
            .Select(k => (Word: k, Distance: Distance(word.ToUpperInvariant(), k.ToUpperInvariant())))
            .Where(p => p.Distance <= bound)
            .OrderBy(p => p.Distance)
            .ThenBy(p => p.Word, StringComparer.Ordinal)
            .FirstOrDefault()
            .Word;
    }

    /// <summary>
    /// Insertions, deletions, replacements and swaps of neighbours between two words (restricted Damerau-Levenshtein).
    /// </summary>
    public static int Distance(string a, string b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++)
            d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
            for (var j = 1; j <= b.Length; j++)
            {
                d[i, j] = Math.Min(
                    Math.Min(d[i - 1, j], d[i, j - 1]) + 1,
                    d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                );
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        return d[a.Length, b.Length];
    }
}
