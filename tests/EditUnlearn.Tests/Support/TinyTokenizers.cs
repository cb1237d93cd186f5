using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EditUnlearn.Tests.Support;

/// <summary>Tokenizer files small enough for properties, of both kinds, written from nothing.</summary>
public static class TinyTokenizers
{
    private const string Llama3Pieces =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Kinds of pieces in a SentencePiece model.</summary>
    public const int Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6;

    /// <summary>
    /// A SentencePiece vocabulary: unknown, BOS, EOS, further controls, 256 bytes, then the pieces with their scores.
    /// </summary>
    public static List<(string Text, float Score, int Kind)> Pieces(
        IEnumerable<(string Text, float Score)> pieces,
        params string[] controls
    ) =>
        [
            ("<unk>", 0, Unknown),
            ("<s>", 0, Control),
            ("</s>", 0, Control),
            .. controls.Select(c => (c, 0f, Control)),
            .. Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0f, Byte)),
            .. pieces.Select(p => (p.Text, p.Score, Normal)),
        ];

    /// <summary>The bytes of <c>tokenizer.model</c>.</summary>
    public static byte[] Model(
        IEnumerable<(string Text, float Score, int Kind)> pieces,
        int modelType = 2,
        bool byteFallback = true,
        bool removeExtraSpaces = false,
        string charsMap = ""
    )
    {
        var file = new List<byte>();
        foreach (var (text, score, kind) in pieces)
        {
            var bits = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(bits, score);
            AddBytes(file, 1, [.. Bytes(1, Encoding.UTF8.GetBytes(text)), .. Tag(2, 5), .. bits, .. Number(3, kind)]);
        }
        AddBytes(
            file,
            2,
            [.. Number(3, modelType), .. Number(35, byteFallback ? 1 : 0), .. Number(41, 1), .. Number(42, 2)]
        );
        AddBytes(
            file,
            3,
            [
                .. Bytes(1, "identity"u8.ToArray()),
                .. Bytes(2, Encoding.UTF8.GetBytes(charsMap)),
                .. Number(3, 1),
                .. Number(4, removeExtraSpaces ? 1 : 0),
                .. Number(5, 1),
            ]
        );
        return [.. file];
    }

    /// <summary>
    /// Letters a to d with the space, and every pair and triple of a few of them, in an order of scores that has ties.
    /// </summary>
    public static List<(string Text, float Score)> Words()
    {
        var words = new List<(string, float)>();
        foreach (var c in "\u2581abcd")
            words.Add((c.ToString(), -100));
        string[] joined =
        [
            "ab",
            "aa",
            "\u2581a",
            "bc",
            "aab",
            "\u2581ab",
            "\u2581\u2581",
            "cd",
            "abab",
            "aaaa",
            "\u2581\u2581\u2581",
            "dd",
            "ddd",
        ];
        foreach (var (i, word) in joined.Index())
            words.Add((word, -(i / 3))); // three at a time share a score
        return words;
    }

    /// <summary>The letter that stands for a byte in byte-level files.</summary>
    public static char Letter(int value)
    {
        static bool Shown(int b) => b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
        return Shown(value) ? (char)value : (char)(256 + Enumerable.Range(0, value).Count(b => !Shown(b)));
    }

    /// <summary>A byte-level <c>tokenizer.json</c> with Llama-3's pattern and marks.</summary>
    public static JsonObject ByteLevel(
        IEnumerable<(string Left, string Right)> merges,
        bool pairs = false,
        bool wholeWordsFirst = false,
        params string[] words
    )
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (
            var word in Enumerable
                .Range(0, 256)
                .Select(b => Letter(b).ToString())
                .Concat(merges.Select(m => m.Left + m.Right))
                .Concat(words)
        )
            vocabulary.TryAdd(word, vocabulary.Count);
        var marks = new[]
        {
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
        };
        return new JsonObject
        {
            ["added_tokens"] = new JsonArray([
                .. marks.Select(
                    (m, i) =>
                        new JsonObject
                        {
                            ["id"] = vocabulary.Count + i,
                            ["content"] = m,
                            ["special"] = true,
                            ["lstrip"] = false,
                        }
                ),
            ]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = JsonNode.Parse(
                $$"""
                {"type":"Sequence","pretokenizers":[
                 {"type":"Split","pattern":{"Regex":{{JsonSerializer.Serialize(Llama3Pieces)}}},
                  "behavior":"Isolated","invert":false},
                 {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
                """
            ),
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["ignore_merges"] = wholeWordsFirst,
                ["vocab"] = new JsonObject(vocabulary.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
                ["merges"] = new JsonArray([
                    .. merges.Select(m => pairs ? new JsonArray(m.Left, m.Right) : (JsonNode)$"{m.Left} {m.Right}"),
                ]),
            },
        };
    }

    /// <summary>The bytes of a byte-level <c>tokenizer.json</c> with every kind of step.</summary>
    public static byte[] AllSteps()
    {
        var json = ByteLevel(Merges);
        json["normalizer"] = JsonNode.Parse(
            """
            {"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Lowercase"},{"type":"StripAccents"},
             {"type":"Strip","strip_left":false,"strip_right":true},{"type":"Prepend","prepend":"a"},
             {"type":"Replace","pattern":{"Regex":"[0-9]{2,}"},"content":"b"}]}
            """
        );
        json["pre_tokenizer"] = JsonNode.Parse(
            """
            {"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
             {"type":"Punctuation","behavior":"Contiguous"},
             {"type":"Split","pattern":{"Regex":"(?i:'s)|\\p{L}+(?!x)|[^a-f&&\\S]++"},"behavior":"MergedWithNext"},
             {"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":true},
             {"type":"ByteLevel","add_prefix_space":true,"use_regex":true}]}
            """
        );
        json["post_processor"] = JsonNode.Parse(
            """
            {"type":"Sequence","processors":[{"type":"ByteLevel","trim_offsets":true,"add_prefix_space":true},
             {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],
              "special_tokens":{"x":{"ids":[269]}}}]}
            """
        );
        json["added_tokens"]!
            .AsArray()
            .Add(
                JsonNode.Parse(
                    """{"id":280,"content":"aad","special":false,"lstrip":true,"single_word":true,"normalized":true}"""
                )
            );
        return Bytes(json);
    }

    // Make the joined words of Words, in order of rank.
    private static readonly (string Left, string Right)[] WordMerges =
    [
        ("a", "b"),
        ("a", "a"),
        ("\u2581", "a"),
        ("b", "c"),
        ("aa", "b"),
        ("\u2581a", "b"),
        ("\u2581", "\u2581"),
        ("c", "d"),
        ("ab", "ab"),
        ("aa", "aa"),
        ("\u2581\u2581", "\u2581"),
        ("d", "d"),
        ("dd", "d"),
    ];

    /// <summary>
    /// A <c>tokenizer.json</c> of the SentencePiece kind: unknown, BOS, EOS, 256 bytes, then <see cref="Words"/>, with
    /// merges that make them.
    /// </summary>
    /// <param name="prefix">How a text gets its first sign: <c>prepend</c>, or a scheme of <c>Metaspace</c>.</param>
    public static JsonObject SentencePieceJson(string prefix)
    {
        var words = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (text, _, _) in Pieces(Words()))
            words.Add(text, words.Count);
        return new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse(
                """
                [{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},
                 {"id":2,"content":"</s>","special":true}]
                """
            ),
            ["normalizer"] = JsonNode.Parse(
                prefix == "prepend"
                    ? """
                    {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},
                     {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]}
                    """
                    : "null"
            ),
            ["pre_tokenizer"] = JsonNode.Parse(
                prefix == "prepend"
                    ? "null"
                    : $$"""{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"{{prefix}}","split":false}"""
            ),
            ["post_processor"] = JsonNode.Parse(
                """
                {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],
                 "special_tokens":{"<s>":{"id":"<s>","ids":[1]}}}
                """
            ),
            ["decoder"] = JsonNode.Parse(
                $$"""
                {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},
                 {"type":"ByteFallback"},{"type":"Fuse"},
                 {"type":"Strip","content":" ","start":{{(prefix == "never" ? 0 : 1)}},"stop":0}]}
                """
            ),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = new JsonObject(words.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
                ["merges"] = new JsonArray([.. WordMerges.Select(m => new JsonArray(m.Left, m.Right))]),
            },
        };
    }

    /// <summary>Merges of a few letters, in order of rank.</summary>
    public static IReadOnlyList<(string Left, string Right)> Merges { get; } =
    [
        ("a", "b"),
        ("a", "a"),
        ("\u0120", "a"),
        ("b", "c"),
        ("aa", "b"),
        ("\u0120a", "b"),
        ("c", "d"),
        ("ab", "ab"),
        ("aa", "aa"),
        ("\u00C3", "\u00A9"),
        ("d", "d"),
        ("dd", "d"),
    ];

    /// <summary>JSON as bytes.</summary>
    public static byte[] Bytes(JsonNode json) => JsonSerializer.SerializeToUtf8Bytes(json);

    private static void AddBytes(List<byte> file, int field, byte[] bytes) => file.AddRange(Bytes(field, bytes));

    private static byte[] Bytes(int field, byte[] bytes) =>
        [.. Tag(field, 2), .. Varint((ulong)bytes.Length), .. bytes];

    private static byte[] Number(int field, long value) => [.. Tag(field, 0), .. Varint((ulong)value)];

    private static byte[] Tag(int field, int wire) => Varint(((ulong)field << 3) | (uint)wire);

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        return [.. bytes, (byte)value];
    }
}
