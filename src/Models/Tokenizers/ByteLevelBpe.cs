using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using Microsoft.ML.Tokenizers;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>The miniature's tokenizer: byte-level BPE with Llama's special tokens, run by Microsoft.ML.Tokenizers, stored as <c>tokenizer.json</c>.</summary>
public sealed class ByteLevelBpe : ITokenizer
{
    private const string FileName = "tokenizer.json";
    private readonly IReadOnlyList<(string Left, string Right)> _merges;
    private readonly Dictionary<string, int> _vocabulary = new(StringComparer.Ordinal);
    private readonly string[] _symbols;
    private readonly BpeTokenizer _tokenizer;

    /// <summary>A tokenizer with these merges, in order of rank.</summary>
    public ByteLevelBpe(IReadOnlyList<(string Left, string Right)> merges)
    {
        ArgumentNullException.ThrowIfNull(merges);
        _merges = merges;
        foreach (var word in BpeTrainer.Specials.Concat(ByteSymbols.All.Select(c => c.ToString())).Concat(merges.Select(m => m.Left + m.Right)))
            _vocabulary.TryAdd(word, _vocabulary.Count);
        _symbols = [.. _vocabulary.OrderBy(p => p.Value).Select(p => p.Key)];
        _tokenizer = BpeTokenizer.Create(new BpeOptions(_vocabulary)
        {
            Merges = merges.Select(m => $"{m.Left} {m.Right}"),
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(new Regex(BpeTrainer.Pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled), null),
        });
    }

    /// <inheritdoc/>
    public int VocabSize => _symbols.Length;

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text) => _tokenizer.EncodeToIds(text, considerNormalization: false);

    /// <inheritdoc/>
    public IReadOnlyList<TokenSpan> EncodeWithOffsets(string text) =>
        [.. _tokenizer.EncodeToTokens(text, out _, considerNormalization: false).Select(t => new TokenSpan(t.Id, t.Offset.Start.Value, t.Offset.End.Value))];

    /// <inheritdoc/>
    public string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>();
        foreach (var id in ids)
            if (id >= BpeTrainer.Specials.Count && id < _symbols.Length) bytes.AddRange(ByteSymbols.ToBytes(_symbols[id]));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <inheritdoc/>
    public void Save(string folder)
    {
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. BpeTrainer.Specials.Select((s, i) => new JsonObject { ["id"] = i, ["content"] = s, ["special"] = true })]),
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = BpeTrainer.Pattern }, ["behavior"] = "Isolated", ["invert"] = false },
                    new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false }),
            },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = new JsonObject(_vocabulary.OrderBy(p => p.Value).Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
                ["merges"] = new JsonArray([.. _merges.Select(m => (JsonNode)$"{m.Left} {m.Right}")]),
            },
        };
        File.WriteAllText(Path.Combine(folder, FileName), json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
    }

    /// <summary>Reads <c>tokenizer.json</c> as <see cref="Save"/> writes it.</summary>
    /// <exception cref="InputException">The file is absent.</exception>
    /// <exception cref="DamagedFileException">It is not such a tokenizer.</exception>
    public static ByteLevelBpe Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) throw new InputException(path, "there is no such file", "a model folder holds its tokenizer beside the weights");
        try
        {
            var root = JsonNode.Parse(File.ReadAllBytes(path), documentOptions: new JsonDocumentOptions { MaxDepth = 32 });
            var merges = new List<(string, string)>();
            foreach (var node in root?["model"]?["merges"]?.AsArray() ?? throw new JsonException("there is no model.merges"))
            {
                var parts = node is JsonArray pair ? [.. pair.Select(p => p!.GetValue<string>())] : node!.GetValue<string>().Split(' ');
                if (parts.Length != 2) throw new JsonException($"the merge {node.ToJsonString()} does not have two parts");
                merges.Add((parts[0], parts[1]));
            }
            var tokenizer = new ByteLevelBpe(merges);
            var stored = root["model"]!["vocab"]!.AsObject();
            if (stored.Count != tokenizer.VocabSize || stored.Any(p => !tokenizer._vocabulary.TryGetValue(p.Key, out var id) || id != p.Value!.GetValue<int>()))
                throw new JsonException("its vocabulary does not follow from its merges");
            return tokenizer;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NullReferenceException or KeyNotFoundException)
        {
            throw new DamagedFileException(path, "is not a byte-level BPE this program can use: " + e.Message, "only the miniature's own tokenizer is read from tokenizer.json so far", e);
        }
    }
}
