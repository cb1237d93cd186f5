using System.Collections.Concurrent;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// The tokenizer of Llama-3.1 and of the miniature: byte-level BPE by merges, stored as <c>tokenizer.json</c>.
/// </summary>
/// <remarks>
/// Source: Radford et al. (2019), released encoder. Pieces are merged by Microsoft.ML.Tokenizers. Own code are the
/// cutting of characters beyond U+FFFF, the offsets and the merging of long pieces, for which the library's time grows
/// with the square; <c>docs/tokenizers.md</c>.
/// </remarks>
public sealed class ByteLevelBpe : ITokenizer
{
    // Below this many bytes the library is the faster one.
    private const int LongestForLibrary = 256;
    private const int CachedPieces = 1 << 16,
        LongestCached = 48;

    private readonly TokenizerFiles _files;
    private readonly TokenizerJson _json;
    private readonly AddedTokens _added;
    private readonly PiecePattern _pattern;
    private readonly Dictionary<int, string> _words;
    private readonly char[] _lacking; // letters of bytes that are no words
    private readonly BpeTokenizer _library;
    private readonly Lazy<Dictionary<(int, int), (int Rank, int Id)>> _ranks;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);

    internal ByteLevelBpe(TokenizerJson json, AddedTokens added, TokenizerFiles files)
    {
        (_json, _added, _files) = (json, added, files);
        _words = json.Vocabulary.ToDictionary(p => p.Value, p => p.Key);
        _pattern = new PiecePattern(files.PathOf(TokenizerFiles.Json), json.Patterns);
        _lacking = [.. ByteSymbols.All.Where(b => !json.Vocabulary.ContainsKey(b.ToString()))];
        _library = BpeTokenizer.Create(
            new BpeOptions(json.Vocabulary)
            {
                Merges = json.Merges.Select(m => $"{_words[m.Left]} {_words[m.Right]}"),
                PreTokenizer = new WholePiece(),
            }
        );
        _ranks = new(() =>
            json
                .Merges.Index()
                .ToDictionary(m => m.Item, m => (m.Index, json.Vocabulary[_words[m.Item.Left] + _words[m.Item.Right]]))
        );
        VocabSize = Math.Max(_words.Keys.Append(-1).Max(), added.HighestId) + 1;
    }

    /// <summary>
    /// A tokenizer with these merges, in order of rank, and the special tokens of <see cref="BpeTrainer"/>: the
    /// miniature's.
    /// </summary>
    public static ByteLevelBpe OfMerges(IReadOnlyList<(string Left, string Right)> merges)
    {
        ArgumentNullException.ThrowIfNull(merges);
        var bytes = MiniatureTokenizerFile.Write(merges);
        var json = TokenizerJson.Read(TokenizerFiles.Json, bytes);
        return new ByteLevelBpe(json, new AddedTokens(json.Added), TokenizerFiles.Made(TokenizerFiles.Json, bytes));
    }

    /// <inheritdoc/>
    public int VocabSize { get; }

    /// <inheritdoc/>
    public SpecialTokens Specials => _added.Specials;

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text)
    {
        var ids = new List<int>();
        Walk(text, (_, _, tokens) => ids.AddRange(tokens), (_, _, id) => ids.Add(id));
        return ids;
    }

    /// <inheritdoc/>
    public IReadOnlyList<TokenSpan> EncodeWithOffsets(string text)
    {
        var spans = new List<TokenSpan>();
        Walk(
            text,
            (start, length, tokens) =>
                ByteOffsets.Add(text.AsSpan(start, length), start, tokens, id => _words[id].Length, spans),
            (start, length, id) => spans.Add(new TokenSpan(id, start, start + length))
        );
        return spans;
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeContinuation(string text) => Encode(text);

    /// <inheritdoc/>
    public string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>();
        foreach (var id in ids)
            if (_added.TextOf(id) is { } plain)
                bytes.AddRange(Encoding.UTF8.GetBytes(plain));
            else if (!_added.IsSpecial(id) && _words.TryGetValue(id, out var word))
                bytes.AddRange(ByteSymbols.ToBytes(word));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <inheritdoc/>
    public void Save(string folder) => _files.Save(folder);

    // Every piece with its tokens, every added token, from left to right.
    private void Walk(string text, Action<int, int, IReadOnlyList<int>> piece, Action<int, int, int> addedToken)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (var (start, length, id) in _added.Plain.Split(text))
        {
            if (id is { } added)
            {
                addedToken(start, length, added);
                continue;
            }
            var stretch = length == text.Length ? text : text.Substring(start, length);
            foreach (var (from, size) in _pattern.Split(stretch))
                piece(start + from, size, Tokens(stretch.Substring(from, size)));
        }
    }

    private IReadOnlyList<int> Tokens(string piece)
    {
        if (_cache.TryGetValue(piece, out var known))
            return known;
        var symbols = ByteSymbols.Of(piece);
        if (_lacking.Length > 0 && symbols.AsSpan().ContainsAny(_lacking))
            symbols = string.Concat(symbols.Where(s => !_lacking.Contains(s)));
        int[] tokens =
            _json.WholeWordsFirst && _json.Vocabulary.TryGetValue(symbols, out var whole) && !_added.IsSpecial(whole)
                ? [whole]
            : symbols.Length <= LongestForLibrary
                ? [.. _library.EncodeToIds(symbols, considerPreTokenization: false, considerNormalization: false)]
            : Merge(symbols);
        // Which pieces are kept depends on who came first; what they become does not.
        if (piece.Length <= LongestCached && _cache.Count < CachedPieces)
            _cache.TryAdd(piece, tokens);
        return tokens;
    }

    private int[] Merge(string symbols)
    {
        var queue = new MergeQueue();
        for (var i = 0; i < symbols.Length; i++)
            queue.Add(_json.Vocabulary[symbols[i].ToString()], i, i + 1);
        var ids = new List<int>();
        queue.Run(new RankRule(_ranks.Value), s => ids.Add(s.Id));
        return [.. ids];
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
