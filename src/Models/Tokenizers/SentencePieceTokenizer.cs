using System.Text;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// The tokenizer of Llama-2 and Mistral: byte-pair encoding by scores over text in which U+2581 stands for the space,
/// bytes for what the vocabulary lacks.
/// </summary>
/// <remarks>
/// Source: Kudo and Richardson (2018) and the encoder they released. Own code because Microsoft.ML.Tokenizers 2.0.1
/// joins the rightmost of equal-scored pairs where that encoder joins the leftmost, and counts offsets in the rewritten
/// text; <c>docs/tokenizers.md</c> says how far this reaches.
/// </remarks>
internal sealed class SentencePieceTokenizer : ITokenizer
{
    private const char Space = '\u2581',
        Replacement = '\uFFFD';
    private readonly SentencePieceModel _model;
    private readonly TokenizerFiles _files;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly int[] _bytes = new int[256];
    private readonly AddedTokens _added;
    private readonly NameMatcher _userDefined;
    private readonly int _longest;
    private readonly bool _cutAtSpaces;

    public SentencePieceTokenizer(SentencePieceModel model, AddedTokens added, TokenizerFiles files)
    {
        (_model, _added, _files) = (model, added, files);
        foreach (var (id, piece) in model.Pieces.Index())
            if (piece.Kind == PieceKind.Byte)
                _bytes[SentencePieceModel.ByteOf(piece.Text)!.Value] = id;
            // What the folder calls special is no text, whatever the vocabulary says.
            else if (piece.Kind is PieceKind.Normal or PieceKind.UserDefined && !added.IsSpecial(id))
                _ids.Add(piece.Text, id);
        _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _longest = _ids.Keys.Append("").Max(t => t.Length);
        _userDefined = new NameMatcher(_ids.Where(p => model.Pieces[p.Value].Kind == PieceKind.UserDefined));
        _cutAtSpaces = _userDefined.IsEmpty && !_ids.Keys.Any(CrossesSpace);
        VocabSize = Math.Max(model.Pieces.Count, added.HighestId + 1);
    }

    /// <inheritdoc/>
    public int VocabSize { get; }

    /// <inheritdoc/>
    public SpecialTokens Specials => _added.Specials;

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text) => [.. EncodeWithOffsets(text).Select(s => s.Id)];

    /// <inheritdoc/>
    public IReadOnlyList<TokenSpan> EncodeWithOffsets(string text) => EncodeAll(text, _model.AddDummyPrefix);

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeContinuation(string text) => [.. EncodeAll(text, prefix: false).Select(s => s.Id)];

    /// <inheritdoc/>
    public string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>();
        foreach (var id in ids)
            if (_added.TextOf(id) is { } plain)
                bytes.AddRange(Encoding.UTF8.GetBytes(plain));
            else if (id >= 0 && id < _model.Pieces.Count && !_added.IsSpecial(id))
            {
                var piece = _model.Pieces[id];
                if (piece.Kind == PieceKind.Byte)
                    bytes.Add(SentencePieceModel.ByteOf(piece.Text)!.Value);
                else
                    bytes.AddRange(Encoding.UTF8.GetBytes(piece.Text.Replace(Space, ' ')));
            }
        var text = Encoding.UTF8.GetString([.. bytes]);
        return _model.AddDummyPrefix && text.StartsWith(' ') ? text[1..] : text;
    }

    /// <inheritdoc/>
    public void Save(string folder) => _files.Save(folder);

    private List<TokenSpan> EncodeAll(string text, bool prefix)
    {
        ArgumentNullException.ThrowIfNull(text);
        var spans = new List<TokenSpan>(text.Length / 3 + 2);
        var queue = new MergeQueue();
        foreach (var (start, length, id) in _added.Plain.Split(text))
        {
            if (id is { } added)
                spans.Add(new TokenSpan(added, start, start + length));
            else
                EncodeStretch(text.AsSpan(start, length), start, prefix, queue, spans);
            prefix = _model.AddDummyPrefix;
        }
        return spans;
    }

    private void EncodeStretch(ReadOnlySpan<char> text, int start, bool prefix, MergeQueue queue, List<TokenSpan> spans)
    {
        var shift = prefix ? 1 : 0;
        var written = Rewrite(text, prefix);
        var rule = new ScoreRule(this, written);
        void Emit(MergeSymbol s)
        {
            var (from, to) = (start + Math.Max(0, s.Start - shift), start + Math.Max(0, s.End - shift));
            if (s.Id >= 0)
                spans.Add(new TokenSpan(s.Id, from, to));
            else
                AddBytes(written.AsSpan(s.Start, s.End - s.Start), from, to, spans);
        }
        for (var at = 0; at < written.Length;)
        {
            var end = _cutAtSpaces ? EndOfWord(written, at) : written.Length;
            queue.Clear();
            while (at < end)
                at = AddSymbol(written, at, queue);
            queue.Run(rule, Emit);
        }
    }

    // Every character keeps its place, so offsets differ from the text's by the added space alone.
    private static string Rewrite(ReadOnlySpan<char> text, bool prefix)
    {
        var written = new char[text.Length + (prefix ? 1 : 0)];
        if (prefix)
            written[0] = Space;
        var target = written.AsSpan(prefix ? 1 : 0);
        for (var i = 0; i < text.Length; i++)
        {
            var paired = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            target[i] =
                text[i] == ' ' ? Space
                : char.IsSurrogate(text[i]) && !paired ? Replacement
                : text[i];
            if (paired)
                target[i + 1] = text[++i];
        }
        return new string(written);
    }

    // No piece of a vocabulary trained on words reaches from a word into the space behind it, so words can be encoded
    // one by one.
    private static bool CrossesSpace(string piece)
    {
        for (var i = 1; i < piece.Length; i++)
            if (piece[i] == Space && piece[i - 1] != Space)
                return true;
        return false;
    }

    private static int EndOfWord(string text, int at)
    {
        while (at < text.Length && text[at] == Space)
            at++;
        var word = text.AsSpan(at).IndexOf(Space);
        return word < 0 ? text.Length : at + word;
    }

    private int AddSymbol(string text, int at, MergeQueue queue)
    {
        if (!_userDefined.IsEmpty && _userDefined.At(text, at) is { } whole)
        {
            queue.Add(whole.Id, at, at + whole.Length, frozen: true);
            return at + whole.Length;
        }
        var end = at + (char.IsHighSurrogate(text[at]) ? 2 : 1);
        queue.Add(_lookup.TryGetValue(text.AsSpan(at, end - at), out var id) ? id : -1, at, end);
        return end;
    }

    private void AddBytes(ReadOnlySpan<char> character, int start, int end, List<TokenSpan> spans)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var count = Encoding.UTF8.GetBytes(character, utf8);
        for (var i = 0; i < count; i++)
            spans.Add(new TokenSpan(_bytes[utf8[i]], start, i == count - 1 ? end : start));
    }

    // Two neighbours join when their text is a piece; the highest score first.
    private readonly struct ScoreRule(SentencePieceTokenizer tokenizer, string text) : IMergeRule
    {
        public bool TryJoin(in MergeSymbol left, in MergeSymbol right, out uint order, out int id)
        {
            (order, id) = (0, -1);
            if (left.Frozen || right.Frozen || right.End - left.Start > tokenizer._longest)
                return false;
            if (!tokenizer._lookup.TryGetValue(text.AsSpan(left.Start, right.End - left.Start), out id))
                return false;
            // Bits of a float, turned so that the highest comes first. Adding zero makes -0 and 0 one.
            var bits = BitConverter.SingleToUInt32Bits(tokenizer._model.Pieces[id].Score + 0f);
            order = (bits & 0x8000_0000) != 0 ? bits : ~(bits | 0x8000_0000);
            return true;
        }
    }
}
