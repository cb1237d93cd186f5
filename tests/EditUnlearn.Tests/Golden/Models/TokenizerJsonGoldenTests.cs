using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Models;

/// <summary>
/// The second set of tokenizer goldens, of <c>tokenizer.json</c> files: ids, places and decoding of every case, for
/// those files that our reader takes.
/// </summary>
[Trait("Category", "Golden")]
public sealed class TokenizerJsonGoldenTests
{
    private const string Part = "tokenizer-json";

    private static readonly ConcurrentDictionary<string, Lazy<ITokenizer?>> Read = new(StringComparer.Ordinal);

    public static TheoryData<string> Files() => [.. Names()];

    private static IEnumerable<string> Names() =>
        Goldens
            .Files(Checkout.Goldens, Part + "/*.json")
            .Select(f => Path.GetFileName(f)!)
            .Where(f => Loaded(f) is not null)
            .Order(StringComparer.Ordinal);

    [TokenizerJsonTheory]
    [MemberData(nameof(Files))]
    public void Ids_and_offsets_of_every_text_agree(string file)
    {
        var tokenizer = Loaded(file)!;
        var cases = Head(file).GetProperty("cases").EnumerateArray().ToList();
        Assert.Equal(Head(file).GetProperty("count").GetInt32(), cases.Count);
        var wrong = new List<string>();
        foreach (var c in cases)
        {
            var text = c.GetProperty("text").GetString()!;
            var parsed = c.TryGetProperty("parse_special", out var set) && set.GetBoolean();
            var spans = parsed ? tokenizer.ParseSpecial(text) : tokenizer.EncodeWithOffsets(text);
            var places = c.GetProperty("offsets").EnumerateArray().Select(o => (o[0].GetInt32(), o[1].GetInt32()));
            var begin = JsonSerializer.Serialize(text[..Math.Min(80, text.Length)]);
            var what = $"{c.GetProperty("name").GetString()}, {begin}";
            if (!spans.Select(s => s.Id).SequenceEqual(Goldens.Ints(c.GetProperty("ids"))))
                wrong.Add($"{what}: ids [{string.Join(' ', spans.Select(s => s.Id))}]");
            else if (!spans.Select(s => (s.Start, s.End)).SequenceEqual(places))
                wrong.Add($"{what}: offsets [{string.Join(' ', spans.Select(s => (s.Start, s.End)))}]");
            else if (!parsed && !tokenizer.Encode(text).SequenceEqual(Goldens.Ints(c.GetProperty("ids"))))
                wrong.Add($"{what}: ids without offsets differ");
        }
        Told(file, wrong, cases.Count);
    }

    [TokenizerJsonTheory]
    [MemberData(nameof(Files))]
    public void Every_list_of_ids_is_decoded_alike(string file)
    {
        var tokenizer = Loaded(file)!;
        var cases = Head(file).GetProperty("decode").EnumerateArray().ToList();
        Assert.NotEmpty(cases);
        var wrong = new List<string>();
        foreach (var c in cases)
        {
            var (ids, text) = (Goldens.Ints(c.GetProperty("ids")), c.GetProperty("text_without_special").GetString());
            if (tokenizer.Decode(ids) is var ours && ours != text)
                wrong.Add($"[{string.Join(' ', ids.Take(20))}]: '{ours}', not '{text}'");
        }
        Told(file, wrong, cases.Count);
    }

    private static void Told(string file, List<string> wrong, int of) =>
        Assert.True(
            wrong.Count == 0,
            $"{wrong.Count} of {of} cases of {file} differ:\n" + string.Join('\n', wrong.Take(10))
        );

    private static JsonElement Head(string file) => Goldens.Json(Part, file);

    // Null where the tokenizer is absent or not of a kind that is read here.
    private static ITokenizer? Loaded(string file) => Read.GetOrAdd(file, f => new(() => Load(f))).Value;

    private static ITokenizer? Load(string file)
    {
        var head = Head(file);
        if (Folder(head.GetProperty("tokenizer").GetString()!) is not { } folder)
            return null;
        var config = TinyModels.Llama().Config with
        {
            VocabSize = 1 << 18,
            BosId = head.GetProperty("bos_id") is { ValueKind: JsonValueKind.Number } bos ? bos.GetInt32() : 0,
        };
        try
        {
            var tokenizer = TokenizerFolder.Load(folder, config);
            Assert.Equal(
                head.GetProperty("tokenizer_sha256").GetString(),
                Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json"))))
            );
            return tokenizer;
        }
        catch (InputException)
        {
            return null;
        }
        catch (DamagedFileException)
        {
            return null;
        }
    }

    // Among the original data, or in a model that is unpacked from there.
    private static string? Folder(string path)
    {
        var folder = Path.Combine(Checkout.Shared, Path.GetDirectoryName(path)!);
        return File.Exists(Path.Combine(folder, Path.GetFileName(path))) ? folder : null;
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
