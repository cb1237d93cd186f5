using System.Text.RegularExpressions;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// Learns the merges of a small byte-level BPE from a corpus. Deterministic: equal counts are settled by the symbols
/// themselves.
/// </summary>
/// <remarks>
/// Source: Sennrich, Haddow and Birch (2016), algorithm 1, over bytes. All 256 bytes are words, so no text is lost.
/// </remarks>
public static class BpeTrainer
{
    /// <summary>Ids of the special tokens; they come first, as in Llama 2.</summary>
    public static IReadOnlyList<string> Specials { get; } = ["<unk>", "<s>", "</s>"];

    /// <summary>
    /// Splits text into pieces that no merge crosses: a word with the space before it, digits one by one, punctuation.
    /// </summary>
    public const string Pattern = @" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+";

    /// <summary>Learns until the vocabulary is full or nothing repeats.</summary>
    /// <param name="texts">The corpus.</param>
    /// <param name="vocabSize">V, specials and 256 bytes included.</param>
    public static JsonTokenizer Train(IEnumerable<string> texts, int vocabSize)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabSize, Specials.Count + 256);
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var pattern = new Regex(Pattern, RegexOptions.CultureInvariant);
        foreach (var text in texts)
            foreach (var piece in pattern.EnumerateMatches(text))
            {
                var symbols = ByteSymbols.Of(text.Substring(piece.Index, piece.Length));
                counts[symbols] = counts.GetValueOrDefault(symbols) + 1;
            }

        var words = counts
            .OrderBy(p => p.Key, StringComparer.Ordinal)
            .Select(p => (Parts: p.Key.Select(c => c.ToString()).ToList(), Count: p.Value))
            .ToList();
        var merges = new List<(string, string)>();
        var known = new HashSet<(string, string)>();
        while (Specials.Count + 256 + merges.Count < vocabSize)
        {
            var pairs = new Dictionary<(string, string), int>();
            foreach (var (parts, count) in words)
                for (var i = 0; i + 1 < parts.Count; i++)
                {
                    var pair = (parts[i], parts[i + 1]);
                    pairs[pair] = pairs.GetValueOrDefault(pair) + count;
                }
            var best = pairs
                .Where(p => p.Value > 1)
                .OrderByDescending(p => p.Value)
                .ThenBy(p => p.Key.Item1, StringComparer.Ordinal)
                .ThenBy(p => p.Key.Item2, StringComparer.Ordinal)
                .Select(p => p.Key)
                .FirstOrDefault();
            if (best.Item1 is null)
                break;
            // A pair can come up again once a later merge makes one of its parts anew; its rank stays the earlier one.
            if (known.Add(best))
                merges.Add(best);
            foreach (var (parts, _) in words)
                for (var i = 0; i + 1 < parts.Count; i++)
                    if (parts[i] == best.Item1 && parts[i + 1] == best.Item2)
                    {
                        parts[i] += parts[i + 1];
                        parts.RemoveAt(i + 1);
                    }
        }
        return JsonTokenizer.OfMerges(merges);
    }
}
