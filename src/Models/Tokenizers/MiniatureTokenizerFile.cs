using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// Writes the <c>tokenizer.json</c> of a tokenizer learned here, in the layout of published byte-level ones.
/// </summary>
internal static class MiniatureTokenizerFile
{
    // The writer's options stay the same object: System.Text.Json caches by it.
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// The file of a tokenizer with these merges, in order of rank: specials first, then bytes, then what the merges
    /// make.
    /// </summary>
    public static byte[] Write(IReadOnlyList<(string Left, string Right)> merges)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (
            var word in BpeTrainer
                .Specials.Concat(ByteSymbols.All.Select(c => c.ToString()))
                .Concat(merges.Select(m => m.Left + m.Right))
        )
            vocabulary.TryAdd(word, vocabulary.Count);
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([
                .. BpeTrainer.Specials.Select(
                    (s, i) =>
                        new JsonObject
                        {
                            ["id"] = i,
                            ["content"] = s,
                            ["special"] = true,
                        }
                ),
            ]),
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        ["pattern"] = new JsonObject { ["Regex"] = BpeTrainer.Pattern },
                        ["behavior"] = "Isolated",
                        ["invert"] = false,
                    },
                    new JsonObject
                    {
                        ["type"] = "ByteLevel",
                        ["add_prefix_space"] = false,
                        ["trim_offsets"] = true,
                        ["use_regex"] = false,
                    }
                ),
            },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = new JsonObject(
                    vocabulary.OrderBy(p => p.Value).Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))
                ),
                ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)$"{m.Left} {m.Right}")]),
            },
        };
        return Encoding.UTF8.GetBytes(json.ToJsonString(Readable) + "\n");
    }
}
