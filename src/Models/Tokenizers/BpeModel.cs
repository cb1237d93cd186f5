using System.Collections.Concurrent;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>A token of a piece.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Bytes">How many UTF-8 bytes of the piece it stands for.</param>
internal readonly record struct BpeToken(int Id, int Bytes);

/// <summary>What the model of a <c>tokenizer.json</c> holds, checked.</summary>
/// <param name="Words">Ids by word.</param>
/// <param name="Merges">Ids of the two parts and of the whole, in order of rank.</param>
internal sealed record BpeFacts(
    IReadOnlyDictionary<string, int> Words,
    IReadOnlyList<(int Left, int Right, int Whole)> Merges
)
{
    /// <summary>
    /// Whether a piece that is a word is taken whole, whatever the merges say (<c>ignore_merges</c>).
    /// </summary>
    public bool WholeWordsFirst { get; init; }

    /// <summary>Whether a character that is no word becomes its bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>What else it becomes; null where it is left out.</summary>
    public int? Unknown { get; init; }

    /// <summary>Whether unknown characters side by side become one token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>The ids that text can become by itself: single characters, and what merges make.</summary>
    public HashSet<int> Reachable()
    {
        var ids = new HashSet<int>(Merges.Select(m => m.Whole));
        foreach (var (word, id) in Words)
            if (
                Rune.DecodeFromUtf16(word, out _, out var size) == System.Buffers.OperationStatus.Done
                && size == word.Length
            )
                ids.Add(id);
        return ids;
    }
}

/// <summary>Byte-pair encoding of pieces: characters first, then merges, the earliest first.</summary>
/// <remarks>
/// Source: Sennrich, Haddow and Birch (2016). Short pieces in byte letters are merged by Microsoft.ML.Tokenizers, all
/// else by our own queue (docs/decisions/0015-tokenizers.md).
/// </remarks>
internal sealed class BpeModel
{
    // Below this many letters the library is the faster one.
    private const int LongestForLibrary = 256;
    private const int CachedPieces = 1 << 16,
        LongestCached = 48;
    private const char Space = '\u2581';

    private readonly BpeFacts _facts;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _words;
    private readonly Func<int, bool> _isSpecial;
    private readonly Dictionary<(int, int), (int Rank, int Id)> _ranks;
    private readonly Dictionary<int, int> _bytes = []; // UTF-8 bytes of each word
    private readonly int[] _singles = new int[char.MaxValue + 1]; // ids of words of one unit, else -1
    private readonly int[]? _fallback; // ids of the 256 bytes, -1 where one is absent
    private readonly bool _cutsAtSpaces;
    private readonly BpeTokenizer? _library;
    private readonly ConcurrentDictionary<string, BpeToken[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, BpeToken[]>.AlternateLookup<ReadOnlySpan<char>> _cached;

    /// <param name="facts">Vocabulary and merges.</param>
    /// <param name="isSpecial">Tokens that no text becomes.</param>
    /// <param name="byteLetters">Whether pieces come in the letters that stand for bytes.</param>
    public BpeModel(BpeFacts facts, Func<int, bool> isSpecial, bool byteLetters)
    {
        (_facts, _isSpecial) = (facts, isSpecial);
        var words = new Dictionary<string, int>(facts.Words, StringComparer.Ordinal);
        _words = words.GetAlternateLookup<ReadOnlySpan<char>>();
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        Array.Fill(_singles, -1);
        foreach (var (word, id) in words)
        {
            _bytes[id] = Encoding.UTF8.GetByteCount(word);
            if (word.Length == 1)
                _singles[word[0]] = id;
        }
        _ranks = new(facts.Merges.Count);
        foreach (var (rank, (left, right, whole)) in facts.Merges.Index())
            _ranks[(left, right)] = (rank, whole);
        if (facts.ByteFallback)
            _fallback = [.. Enumerable.Range(0, 256).Select(b => words.GetValueOrDefault($"<0x{b:X2}>", -1))];
        var names = words.ToDictionary(p => p.Value, p => p.Key);
        _cutsAtSpaces = _singles[Space] >= 0 && !facts.Merges.Any(m => CrossesSpace(names[m.Left] + names[m.Right]));
        if (byteLetters && !facts.Merges.Any(m => names[m.Left].Contains(' ') || names[m.Right].Contains(' ')))
            _library = BpeTokenizer.Create(
                new BpeOptions(words)
                {
                    Merges = facts.Merges.Select(m => $"{names[m.Left]} {names[m.Right]}"),
                    PreTokenizer = new WholePiece(),
                }
            );
    }

    /// <summary>Hands over the tokens of a piece, from left to right.</summary>
    /// <param name="piece">As pre-tokenizers left it.</param>
    /// <param name="queue">For use in here; its work is counted on.</param>
    /// <param name="token">Gets each.</param>
    public void Encode(ReadOnlySpan<char> piece, MergeQueue queue, Action<BpeToken> token)
    {
        if (_facts.WholeWordsFirst && _words.TryGetValue(piece, out var whole) && !_isSpecial(whole))
        {
            token(new BpeToken(whole, _bytes[whole]));
            return;
        }
        for (var at = 0; at < piece.Length;)
        {
            // Where no merge reaches into a space, words are encoded one by one, and known ones are looked up.
            var end = _cutsAtSpaces ? EndOfWord(piece, at) : piece.Length;
            foreach (var t in Tokens(piece[at..end], queue))
                token(t);
            at = end;
        }
    }

    private BpeToken[] Tokens(ReadOnlySpan<char> word, MergeQueue queue)
    {
        var kept = word.Length <= LongestCached;
        if (kept && _cached.TryGetValue(word, out var known))
            return known;
        var tokens =
            _library is not null && word.Length <= LongestForLibrary && IsKnown(word)
                ? [.. _library.EncodeToIds(word, false, false).Select(id => new BpeToken(id, _bytes[id]))]
                : Merge(word, queue);
        // Which words are kept depends on who came first; what they become does not.
        if (kept && _cache.Count < CachedPieces)
            _cached.TryAdd(word, tokens);
        return tokens;
    }

    private bool IsKnown(ReadOnlySpan<char> word)
    {
        foreach (var c in word)
            if (_singles[c] < 0)
                return false;
        return true;
    }

    // Symbols are numbered in the queue; how many bytes each stands for is held beside it.
    private BpeToken[] Merge(ReadOnlySpan<char> word, MergeQueue queue)
    {
        var symbols = Symbols(word);
        queue.Clear();
        foreach (var (i, symbol) in symbols.Index())
            queue.Add(symbol.Id, i, i + 1);
        var tokens = new List<BpeToken>();
        queue.Run(
            new RankRule(_ranks),
            s =>
            {
                var bytes = 0;
                for (var i = s.Start; i < s.End; i++)
                    bytes += symbols[i].Bytes;
                tokens.Add(new BpeToken(s.Id, bytes));
            }
        );
        return [.. tokens];
    }

    // As the reference does it: a character that is no word becomes bytes where all of them are words, else the
    // unknown token, which waits for what follows to be joined with it.
    private List<BpeToken> Symbols(ReadOnlySpan<char> word)
    {
        var symbols = new List<BpeToken>(word.Length);
        var unknown = 0; // bytes that wait
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in word.EnumerateRunes())
        {
            var size = rune.EncodeToUtf8(utf8);
            if (IdOf(rune) is >= 0 and var id)
            {
                Close(symbols, ref unknown);
                symbols.Add(new BpeToken(id, size));
            }
            else if (_fallback is not null && HasAll(utf8[..size]))
                foreach (var value in utf8[..size])
                    symbols.Add(new BpeToken(_fallback[value], 1));
            else if (_facts.Unknown is not null)
            {
                if (!_facts.FusesUnknown)
                    Close(symbols, ref unknown);
                unknown += size;
            }
        }
        Close(symbols, ref unknown);
        return symbols;
    }

    private void Close(List<BpeToken> symbols, ref int unknown)
    {
        if (unknown > 0)
            symbols.Add(new BpeToken(_facts.Unknown!.Value, unknown));
        unknown = 0;
    }

    private bool HasAll(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
            if (_fallback![value] < 0)
                return false;
        return true;
    }

    private int IdOf(Rune rune)
    {
        if (rune.IsBmp)
            return _singles[rune.Value];
        Span<char> units = stackalloc char[2];
        rune.EncodeToUtf16(units);
        return _words.TryGetValue(units, out var id) ? id : -1;
    }

    private static bool CrossesSpace(string word)
    {
        for (var i = 1; i < word.Length; i++)
            if (word[i] == Space && word[i - 1] != Space)
                return true;
        return false;
    }

    private static int EndOfWord(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && text[at] == Space)
            at++;
        var word = text[at..].IndexOf(Space);
        return word < 0 ? text.Length : at + word;
    }

    // Two neighbours join when the merges say so; the earliest merge first.
    private readonly struct RankRule(Dictionary<(int, int), (int Rank, int Id)> ranks) : IMergeRule
    {
        public bool TryJoin(in MergeSymbol left, in MergeSymbol right, out uint order, out int id)
        {
            var found = ranks.TryGetValue((left.Id, right.Id), out var merge);
            (order, id) = ((uint)merge.Rank, merge.Id);
            return found;
        }
    }

    // The text is cut before the library sees it; without this it would cut once more, at every change from letter to
    // sign.
    private sealed class WholePiece : PreTokenizer
    {
        public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => [(0, text.Length)];

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) =>
            [(0, text.Length)];
    }
}
