using System.Collections.Concurrent;
using System.Text.Json;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Models;

/// <summary>
/// The second set of tokenizer goldens, of <c>tokenizer.json</c> files: ids, places and decoding of every case of every
/// file, in both modes.
/// </summary>
[Trait("Category", "Golden")]
public sealed class TokenizerJsonGoldenTests
{
    private const string Part = "tokenizer-json";

    private static readonly ConcurrentDictionary<string, Lazy<JsonTokenizer>> Read = new(StringComparer.Ordinal);

    public static TheoryData<string> Files() => [.. Names()];

    private static IEnumerable<string> Names() =>
        Goldens
            .Files(Checkout.Goldens, Part + "/*.json")
            .Select(f => Path.GetFileName(f)!)
            .Where(f => GoldenTokenizer.Find(Head(f)) is not null)
            .Order(StringComparer.Ordinal);

    [TokenizerJsonTheory]
    [MemberData(nameof(Files))]
    public void Ids_and_offsets_of_every_text_agree(string file)
    {
        var tokenizer = Loaded(file);
        var cases = Head(file).GetProperty("cases").EnumerateArray().ToList();
        Assert.Equal(Head(file).GetProperty("count").GetInt32(), cases.Count);
        Told(file, [.. cases.Select(c => Difference(tokenizer, c)).OfType<string>()], cases.Count);
    }

    private static string? Difference(JsonTokenizer tokenizer, JsonElement c)
    {
        var text = c.GetProperty("text").GetString()!;
        var parsed = c.TryGetProperty("parse_special", out var set) && set.GetBoolean();
        var spans = parsed ? tokenizer.ParseSpecial(text) : tokenizer.EncodeWithOffsets(text);
        var ids = spans.Select(s => s.Id).ToList();
        var places = c.GetProperty("offsets").EnumerateArray().Select(o => (o[0].GetInt32(), o[1].GetInt32()));
        var begin = JsonSerializer.Serialize(text[..Math.Min(80, text.Length)]);
        var what = $"{c.GetProperty("name").GetString()}, {begin}";
        if (!ids.SequenceEqual(Goldens.Ints(c.GetProperty("ids"))))
            return $"{what}: ids [{string.Join(' ', ids)}]";
        if (!spans.Select(s => (s.Start, s.End)).SequenceEqual(places))
            return $"{what}: offsets [{string.Join(' ', spans.Select(s => (s.Start, s.End)))}]";
        if (!parsed && !tokenizer.Encode(text).SequenceEqual(ids))
            return $"{what}: ids without offsets differ";
        int[] around = [.. tokenizer.Post.Before, .. ids, .. tokenizer.Post.After];
        return around.SequenceEqual(Goldens.Ints(c.GetProperty("ids_with_bos")))
            ? null
            : $"{what}: with BOS [{string.Join(' ', around)}]";
    }

    [TokenizerJsonTheory]
    [MemberData(nameof(Files))]
    public void Every_list_of_ids_is_decoded_alike(string file)
    {
        var tokenizer = Loaded(file);
        var cases = Head(file).GetProperty("decode").EnumerateArray().ToList();
        Assert.NotEmpty(cases);
        var wrong = new List<string>();
        foreach (var c in cases)
        {
            var ids = Goldens.Ints(c.GetProperty("ids"));
            var (text, without) = (
                c.GetProperty("text").GetString(),
                c.GetProperty("text_without_special").GetString()
            );
            if (tokenizer.Decode(ids) is var ours && ours != without)
                wrong.Add($"[{string.Join(' ', ids.Take(20))}]: '{ours}', not '{without}'");
            else if (tokenizer.Decode(ids, withSpecial: true) is var all && all != text)
                wrong.Add($"[{string.Join(' ', ids.Take(20))}] with special tokens: '{all}', not '{text}'");
        }
        Told(file, wrong, cases.Count);
    }

    private static void Told(string file, List<string> wrong, int of) =>
        Assert.True(
            wrong.Count == 0,
            $"{wrong.Count} of {of} cases of {file} differ:\n" + string.Join('\n', wrong.Take(10))
        );

    private static JsonElement Head(string file) => Goldens.Json(Part, file);

    private static JsonTokenizer Loaded(string file) => Read.GetOrAdd(file, f => new(() => Load(f))).Value;

    private static JsonTokenizer Load(string file)
    {
        var head = Head(file);
        var path = GoldenTokenizer.Find(head)!;
        Assert.True(GoldenTokenizer.Is(head, path), $"{path} is not the tokenizer that {file} speaks of");
        var config = TinyModels.Llama().Config with { VocabSize = 1 << 18, BosId = 0 };
        var tokenizer = TokenizerFolder.Load(Path.GetDirectoryName(path)!, config);
        if (head.GetProperty("bos_id") is { ValueKind: JsonValueKind.Number } bos)
            Assert.Equal(bos.GetInt32(), tokenizer.Specials.BosId);
        return Assert.IsType<JsonTokenizer>(tokenizer);
    }

    /// <summary>Skips where golden files or the tokenizers they speak of are absent.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class TokenizerJsonTheoryAttribute : TheoryAttribute, IReadsGoldens
    {
        public TokenizerJsonTheoryAttribute() =>
            Skip =
                Goldens.Missing(Needs)
                ?? (
                    Names().Any()
                        ? null
                        : $"absent: the tokenizers that {Part} speaks of (set EU_SHARED to the folder that holds them)"
                );

        /// <inheritdoc/>
        public string Needs => Part + "/*.json";
    }
}
