using System.Text;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers.Steps;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>What a <c>tokenizer.json</c> says, checked: the model and the steps around it.</summary>
/// <param name="Model">Vocabulary and merges.</param>
/// <param name="Decoder">From tokens to text.</param>
/// <param name="Added">Added tokens, special and plain.</param>
internal sealed record TokenizerJson(BpeFacts Model, IDecoder Decoder, IReadOnlyList<AddedToken> Added)
{
    /// <summary>Ids above this belong to no model that config.json can describe.</summary>
    public const int HighestId = 1 << 24;

    /// <summary>What to do about a refusal.</summary>
    public const string Hint =
        "byte-pair encodings of the byte-level and the SentencePiece kind are read from tokenizer.json "
        + "(docs/tokenizers.md lists their steps)";

    private const string Again = "download it again";

    /// <summary>Rewrites a text; null where it stays as it is.</summary>
    public INormalizer? Normalizer { get; init; }

    /// <summary>Cuts a text; null where it is one piece.</summary>
    public IPreTokenizer? PreTokenizer { get; init; }

    /// <summary>Whether pieces come in the letters that stand for bytes.</summary>
    public bool IsByteLevel { get; init; }

    /// <summary>What is done to the tokens in the end.</summary>
    public PostProcessing Post { get; init; } = PostProcessing.None;

    /// <summary>Parts of the file that are not followed, with the reason.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Reads a file.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="bytes">The file.</param>
    /// <exception cref="InputException">It is not a tokenizer.json, contradicts itself, or says things that are not
    /// supported; all of them.</exception>
    public static TokenizerJson Read(string path, byte[] bytes)
    {
        var text = bytes.AsMemory();
        if (text.Span.StartsWith(Encoding.UTF8.Preamble))
            text = text[Encoding.UTF8.Preamble.Length..];
        try
        {
            using var document = JsonDocument.Parse(
                text,
                new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false }
            );
            var problems = new List<InputProblem>();
            var json = Read(JsonPart.Root(document.RootElement, path, problems));
            return problems.Count == 0 && json is not null ? json : throw new InputException(problems);
        }
        catch (JsonException e)
        {
            var place = ((int)(e.LineNumber ?? -1) + 1, (int)(e.BytePositionInLine ?? -1) + 1);
            throw new InputException(
                new InputProblem(path, place.Item1, place.Item2, "is not valid JSON: " + Brief(e), Again)
            );
        }
        catch (InvalidOperationException)
        {
            throw new InputException(path, "holds text that is no valid Unicode", Again);
        }
    }

    private static TokenizerJson? Read(JsonPart root)
    {
        if (root.Json.ValueKind != JsonValueKind.Object || root.Object("model") is not { } model)
        {
            root.Refuse("is not a tokenizer.json: there is no object 'model'", Again);
            return null;
        }
        var added = AddedTokensReader.Read(root);
        var normalizer = root.Find("normalizer") is { } rewriting ? NormalizerReader.Read(rewriting) : null;
        var isByteLevel = false;
        var cutter = root.Find("pre_tokenizer") is { } cutting
            ? PreTokenizerReader.Read(cutting, out isByteLevel)
            : null;
        var facts = BpeModelReader.Read(model, added, isByteLevel);
        return new TokenizerJson(
            facts,
            root.Find("decoder") is { } decoder ? DecoderReader.Read(decoder)
                : isByteLevel ? new ByteLevelDecoder()
                : new SpaceBetween(),
            added
        )
        {
            Normalizer = normalizer,
            PreTokenizer = cutter,
            IsByteLevel = isByteLevel,
            Post = root.Find("post_processor") is { } post ? PostProcessorReader.Read(post) : PostProcessing.None,
            Notes =
            [
                .. new[] { "truncation", "padding" }
                    .Where(name => root.Find(name) is not null)
                    .Select(name => $"'{name}' is not followed: rows are cut and filled where they are used"),
            ],
        };
    }

    // The library's own text ends with its place, which the problem says already.
    private static string Brief(JsonException e)
    {
        var end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? e.Message : e.Message[..end];
    }
}
