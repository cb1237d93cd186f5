using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers.Patterns;
using EditUnlearn.Models.Tokenizers.Reading;
using EditUnlearn.Models.Tokenizers.Steps;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// The tokenizer of a <c>tokenizer.json</c>: byte-pair encoding with the steps that the file names before and after
/// it.
/// </summary>
/// <remarks>
/// Ids and places are those of the <c>tokenizers</c> library, by the golden files (docs/tokenizers.md).
/// </remarks>
public sealed class JsonTokenizer : ITokenizer, IReadsSpecial
{
    private readonly TokenizerJson _json;
    private readonly AddedTokens _added;
    private readonly TokenizerFiles _files;
    private readonly BpeModel _model;
    private readonly Dictionary<int, string> _words;
    private readonly AddedTokenMatcher _raw,
        _normalized;

    internal JsonTokenizer(TokenizerJson json, AddedTokens added, TokenizerFiles files)
    {
        (_json, _added, _files) = (json, added, files);
        _words = json.Model.Words.ToDictionary(p => p.Value, p => p.Key);
        _model = new BpeModel(json.Model, added.IsSpecial, json.IsByteLevel);
        _raw = new AddedTokenMatcher(added.All.Where(t => !t.Normalized).Select(t => (t.Name, t)));
        _normalized = new AddedTokenMatcher(
            added
                .All.Where(t => t.Normalized)
                .OrderBy(t => !t.Special)
                .Select(t => (Text: Normalize(t.Name), t))
                .Where(t => t.Text.Length > 0)
        );
        VocabSize = Math.Max(_words.Keys.Append(-1).Max(), added.HighestId) + 1;
    }

    /// <summary>
    /// A tokenizer with these merges, in order of rank, and the special tokens of <see cref="BpeTrainer"/>: the
    /// miniature's.
    /// </summary>
    public static JsonTokenizer OfMerges(IReadOnlyList<(string Left, string Right)> merges)
    {
        ArgumentNullException.ThrowIfNull(merges);
        var bytes = MiniatureTokenizerFile.Write(merges);
        var json = TokenizerJson.Read(TokenizerFiles.Json, bytes);
        return new JsonTokenizer(json, new AddedTokens(json.Added), TokenizerFiles.Made(TokenizerFiles.Json, bytes));
    }

    /// <inheritdoc/>
    public int VocabSize { get; }

    /// <inheritdoc/>
    public SpecialTokens Specials => _added.Specials;

    /// <summary>Parts of the file that are not followed, with the reason.</summary>
    public IReadOnlyList<string> Notes => _json.Notes;

    /// <summary>
    /// What the file puts in front of a text and behind it. Templates do that, so that no prompt gets it twice.
    /// </summary>
    internal PostProcessing Post => _json.Post;

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text) => Ids(Run(text, special: false, goesOn: false, out _));

    /// <inheritdoc/>
    public IReadOnlyList<TokenSpan> EncodeWithOffsets(string text) => Run(text, special: false, goesOn: false, out _);

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeContinuation(string text) => Ids(Run(text, special: false, goesOn: true, out _));

    IReadOnlyList<TokenSpan> IReadsSpecial.ParseSpecial(string text) => Run(text, special: true, goesOn: false, out _);

    /// <summary>Steps that encoding a text takes: of patterns, and pairs that are looked at.</summary>
    internal long WorkOf(string text)
    {
        Run(text, special: false, goesOn: false, out var work);
        return work;
    }

    /// <inheritdoc/>
    public string Decode(IEnumerable<int> ids) => Decode(ids, withSpecial: false);

    /// <summary>The text of ids, with or without the names of special tokens.</summary>
    internal string Decode(IEnumerable<int> ids, bool withSpecial)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var special = Specials.Ids.DistinctBy(p => p.Value).ToDictionary(p => p.Value, p => p.Key);
        var parts = new List<DecodedPart>();
        foreach (var id in ids)
            if (_added.TextOf(id) is { } plain)
                parts.Add(new DecodedPart(plain, IsText: true));
            else if (special.TryGetValue(id, out var name))
            {
                if (withSpecial)
                    parts.Add(new DecodedPart(name, IsText: true));
            }
            else if (_words.TryGetValue(id, out var word))
                parts.Add(new DecodedPart(word));
        return string.Concat(_json.Decoder.Decode(parts).Select(p => p.Text));
    }

    /// <inheritdoc/>
    public void Save(string folder) => _files.Save(folder);

    private static List<int> Ids(List<TokenSpan> spans) => spans.ConvertAll(s => s.Id);

    private string Normalize(string name) =>
        _json.Normalizer?.Normalize(AlignedText.Of(name), goesOn: false).Text ?? name;

    // Added tokens first, in the text as it is; then in the normalized stretches between them; then the pieces.
    private List<TokenSpan> Run(string text, bool special, bool goesOn, out long work)
    {
        ArgumentNullException.ThrowIfNull(text);
        var output = new Output(this, text);
        try
        {
            var whole = AlignedText.Of(text);
            foreach (var (start, length, token) in _raw.Split(whole.Text, special))
            {
                if (token is { } added)
                {
                    output.Add(added, whole, start, length);
                    continue;
                }
                var stretch = whole.Slice(start, length);
                var goes = goesOn && start == 0;
                var normalized = _json.Normalizer?.Normalize(stretch, goes) ?? stretch;
                foreach (var (from, size, inner) in _normalized.Split(normalized.Text, special))
                    if (inner is { } found)
                        output.Add(found, normalized, from, size);
                    else
                        output.Add(normalized.Slice(from, size), goes && from == 0);
            }
        }
        catch (PatternWorkException)
        {
            throw new InputException(
                _files.PathOf(TokenizerFiles.Json),
                "a pattern of it takes too long on a text",
                "a pattern that backtracks without end is either damaged or meant to do harm"
            );
        }
        work = output.Work;
        return output.Spans;
    }

    // Collects the tokens of one text.
    private sealed class Output(JsonTokenizer tokenizer, string text)
    {
        private readonly MergeQueue _queue = new();
        private long _steps;

        public List<TokenSpan> Spans { get; } = new(text.Length / 3 + 2);

        public long Work => _steps + _queue.Considered;

        public void Add(AddedToken token, AlignedText stretch, int start, int size)
        {
            if (size > 0)
                Add(token.Id, stretch.Around(start, size), stretch.Text.Substring(start, size));
        }

        public void Add(AlignedText stretch, bool goesOn)
        {
            var pieces = new Pieces(stretch, goesOn);
            tokenizer._json.PreTokenizer?.Apply(pieces);
            _steps += pieces.Steps;
            var trims = tokenizer._json.Post.Trims;
            foreach (var range in pieces.Ranges)
            {
                var places = new BytePlaces(pieces.Text, range.Start, range.Length);
                tokenizer._model.Encode(
                    pieces.Of(range),
                    _queue,
                    t => Add(t.Id, places.Take(t.Bytes), trims ? tokenizer._words[t.Id] : "")
                );
            }
        }

        private void Add(int id, Place place, string token)
        {
            var span = new TokenSpan(id, place.From, place.To);
            Spans.Add(tokenizer._json.Post.Trim(span, token, Spans.Count == 0, text));
        }
    }

    // Walks over a piece token by token, in UTF-8 bytes: a token may hold a part of a character, and it has the place
    // of every character that it holds a part of.
    private sealed class BytePlaces(AlignedText text, int start, int length)
    {
        private readonly int _end = start + length;
        private int _unit = start, // the character in which the next token begins
            _before; // bytes of the piece before it
        private int _taken; // bytes of the tokens so far

        public Place Take(int bytes)
        {
            Reach(_taken);
            var from = text.Places[_unit].From;
            _taken += bytes;
            Reach(_taken - 1);
            return new Place(from, text.Places[_unit].To);
        }

        private void Reach(int place)
        {
            while (_unit < _end)
            {
                var c = text.Text[_unit];
                var (units, bytes) =
                    c < 0x80 ? (1, 1)
                    : c < 0x800 ? (1, 2)
                    : char.IsHighSurrogate(c) ? (2, 4)
                    : (1, 3);
                if (_before + bytes > place || _unit + units >= _end)
                    return;
                _unit += units;
                _before += bytes;
            }
        }
    }
}
