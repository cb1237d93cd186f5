using System.Globalization;
using System.Text;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// What kind of text a piece of a SentencePiece vocabulary is. Source: <c>sentencepiece_model.proto</c>.
/// </summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One entry of the vocabulary; its id is its place.</summary>
internal readonly record struct Piece(string Text, float Score, PieceKind Kind);

/// <summary>The vocabulary of a SentencePiece BPE model, checked.</summary>
/// <param name="Pieces">By id.</param>
/// <param name="BosId">Begins a text; null for none.</param>
/// <param name="EosId">Ends a text; null for none.</param>
/// <param name="AddDummyPrefix">Whether a space is put before every text.</param>
internal sealed record SentencePieceModel(IReadOnlyList<Piece> Pieces, int? BosId, int? EosId, bool AddDummyPrefix)
{
    // No published piece is longer than a few dozen bytes; a bound keeps every look-up of the encoder short.
    private const int LongestPiece = 4096;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Reads <c>tokenizer.model</c>.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="bytes">The file.</param>
    /// <exception cref="DamagedFileException">It is not a SentencePiece model.</exception>
    /// <exception cref="InputException">It is one of a kind that is not supported.</exception>
    public static SentencePieceModel Read(string path, byte[] bytes)
    {
        try
        {
            var pieces = new List<Piece>();
            var settings = new Settings();
            var message = new ProtobufReader(bytes);
            while (message.Next())
                switch (message.Field)
                {
                    case 1:
                        pieces.Add(ReadPiece(message.AsBytes()));
                        break;
                    case 2:
                        settings.ReadTrainer(message.AsBytes());
                        break;
                    case 3:
                        settings.ReadNormalizer(message.AsBytes());
                        break;
                }
            CheckPieces(pieces);
            var problems = settings
                .Problems(pieces)
                .Select(p => new InputProblem(
                    path,
                    0,
                    0,
                    p,
                    "only byte-pair models with byte fallback, as Llama-2 and Mistral have them, are read"
                ))
                .ToList();
            if (problems.Count > 0)
                throw new InputException(problems);
            return new SentencePieceModel(
                pieces,
                Settings.IdOf(pieces, settings.Bos),
                Settings.IdOf(pieces, settings.Eos),
                settings.AddDummyPrefix
            );
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            throw new DamagedFileException(path, "is not a SentencePiece model: " + e.Message, "download it again", e);
        }
    }

    private static Piece ReadPiece(ReadOnlySpan<byte> bytes)
    {
        var (text, score, kind) = ("", 0f, PieceKind.Normal);
        var message = new ProtobufReader(bytes);
        while (message.Next())
            switch (message.Field)
            {
                case 1:
                    if (message.AsBytes().Length > LongestPiece)
                        throw new FormatException(
                            $"a piece of {message.Bytes.Length} bytes is longer than {LongestPiece}"
                        );
                    text = Strict.GetString(message.Bytes);
                    break;
                case 2:
                    score = message.AsSingle();
                    break;
                case 3:
                    kind = (PieceKind)message.AsInteger();
                    break;
            }
        if (text.Length == 0)
            throw new FormatException("a piece is empty");
        if (float.IsNaN(score))
            throw new FormatException($"the score of '{text}' is not a number");
        if (kind is < PieceKind.Normal or > PieceKind.Byte)
            throw new FormatException($"'{text}' is of the unknown kind {(int)kind}");
        return new Piece(text, score, kind);
    }

    private static void CheckPieces(List<Piece> pieces)
    {
        if (pieces.Count == 0)
            throw new FormatException("it holds no pieces");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var piece in pieces)
        {
            if (!seen.Add(piece.Text))
                throw new FormatException($"the piece '{piece.Text}' stands twice");
            if (piece.Kind == PieceKind.Byte && ByteOf(piece.Text) is null)
                throw new FormatException($"'{piece.Text}' is called a byte and is none");
        }
        if (pieces.Count(p => p.Kind == PieceKind.Unknown) != 1)
            throw new FormatException("it does not hold exactly one piece for the unknown");
    }

    /// <summary>The byte that <c>&lt;0x0A&gt;</c> names, or null.</summary>
    public static byte? ByteOf(string text) =>
        text.Length == 6
        && text.StartsWith("<0x", StringComparison.Ordinal)
        && text[5] == '>'
        && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;

    // Trainer and normaliser settings, with the defaults of sentencepiece_model.proto.
    private sealed class Settings
    {
        private long _modelType = 1;
        private bool _byteFallback,
            _spaceAsSuffix,
            _charsMap,
            _removeExtraSpaces = true,
            _escapeSpaces = true;

        public long Bos { get; private set; } = 1;

        public long Eos { get; private set; } = 2;

        public bool AddDummyPrefix { get; private set; } = true;

        public void ReadTrainer(ReadOnlySpan<byte> bytes)
        {
            var message = new ProtobufReader(bytes);
            while (message.Next())
                switch (message.Field)
                {
                    case 3:
                        _modelType = message.AsInteger();
                        break;
                    case 24:
                        _spaceAsSuffix = message.AsInteger() != 0;
                        break;
                    case 35:
                        _byteFallback = message.AsInteger() != 0;
                        break;
                    case 41:
                        Bos = (int)message.AsInteger();
                        break;
                    case 42:
                        Eos = (int)message.AsInteger();
                        break;
                }
        }

        public void ReadNormalizer(ReadOnlySpan<byte> bytes)
        {
            var message = new ProtobufReader(bytes);
            while (message.Next())
                switch (message.Field)
                {
                    case 2:
                        _charsMap = message.AsBytes().Length > 0;
                        break;
                    case 3:
                        AddDummyPrefix = message.AsInteger() != 0;
                        break;
                    case 4:
                        _removeExtraSpaces = message.AsInteger() != 0;
                        break;
                    case 5:
                        _escapeSpaces = message.AsInteger() != 0;
                        break;
                }
        }

        // A control piece, else none: trainers write -1 where a model has no such token.
        public static int? IdOf(List<Piece> pieces, long id) =>
            id >= 0 && id < pieces.Count && pieces[(int)id].Kind == PieceKind.Control ? (int)id : null;

        public IEnumerable<string> Problems(List<Piece> pieces)
        {
            if (_modelType != 2)
                yield return "is a SentencePiece model of type "
                    + (
                        _modelType switch
                        {
                            1 => "unigram",
                            3 => "word",
                            4 => "char",
                            var other => other.ToString(CultureInfo.InvariantCulture),
                        }
                    );
            if (!_byteFallback || pieces.Count(p => p.Kind == PieceKind.Byte) != 256)
                yield return "has no byte fallback: characters outside its vocabulary would be lost";
            if (_charsMap)
                yield return "rewrites characters before it cuts them (precompiled_charsmap)";
            if (_removeExtraSpaces)
                yield return "drops repeated spaces (remove_extra_whitespaces)";
            if (!_escapeSpaces)
                yield return "keeps spaces as they are (escape_whitespaces)";
            if (_spaceAsSuffix)
                yield return "puts spaces behind words (treat_whitespace_as_suffix)";
            if (pieces.Any(p => p.Kind == PieceKind.Unused))
                yield return "has pieces marked unused, such as "
                    + $"'{pieces.First(p => p.Kind == PieceKind.Unused).Text}'";
        }
    }
}
