using System.Buffers;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>Cuts a text at names of tokens: from the left, the longest name at each place.</summary>
internal sealed class NameMatcher
{
    private readonly Dictionary<char, (string Name, int Id)[]> _names;
    private readonly SearchValues<char> _first;

    /// <param name="names">Ids by name; the empty name is left out.</param>
    public NameMatcher(IEnumerable<KeyValuePair<string, int>> names)
    {
        _names = names
            .Where(n => n.Key.Length > 0)
            .GroupBy(n => n.Key[0])
            .ToDictionary(
                g => g.Key,
                g =>
                    g.Select(n => (n.Key, n.Value))
                        .OrderByDescending(n => n.Key.Length)
                        .ThenBy(n => n.Key, StringComparer.Ordinal)
                        .ToArray()
            );
        _first = SearchValues.Create([.. _names.Keys]);
    }

    public bool IsEmpty => _names.Count == 0;

    /// <summary>The stretches of a text, none empty: names with their id, and what lies between with null.</summary>
    public IEnumerable<(int Start, int Length, int? Id)> Split(string text)
    {
        var open = 0; // start of the stretch that is not a name
        for (var at = 0; at < text.Length;)
        {
            var step = text.AsSpan(at).IndexOfAny(_first);
            if (step < 0)
                break;
            at += step;
            if (Longest(text, at) is not { } found)
            {
                at++;
                continue;
            }
            if (at > open)
                yield return (open, at - open, null);
            yield return (at, found.Name.Length, found.Id);
            at = open = at + found.Name.Length;
        }
        if (open < text.Length)
            yield return (open, text.Length - open, null);
    }

    /// <summary>The longest name that stands at a place, or null.</summary>
    public (int Length, int Id)? At(string text, int at) =>
        Longest(text, at) is { } found ? (found.Name.Length, found.Id) : null;

    private (string Name, int Id)? Longest(string text, int at)
    {
        if (!_names.TryGetValue(text[at], out var candidates))
            return null;
        foreach (var candidate in candidates)
            if (string.CompareOrdinal(text, at, candidate.Name, 0, candidate.Name.Length) == 0)
                return candidate;
        return null;
    }
}
