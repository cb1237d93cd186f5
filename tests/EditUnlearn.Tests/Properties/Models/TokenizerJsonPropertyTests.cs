using System.Text;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Properties.Models;

/// <summary>
/// What holds for every text, half characters and controls included: it comes back, and its tokens stand in order
/// inside it.
/// </summary>
public sealed class TokenizerJsonPropertyTests
{
    private const int Draws = 400;
    private static readonly ModelConfig Config = TinyModels.Llama().Config with { VocabSize = 1 << 12 };
    private static readonly string[] Letters =
    [
        "a",
        "ab",
        "bc",
        "d",
        "dd",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\0",
        "\u001F",
        "\u0085",
        "\u00A0",
        "\u200D",
        "\u2581",
        "\u00E9",
        "e\u0301",
        "\u0323\u0307",
        "\u212B",
        "\uD55C",
        "\u65E5",
        "\U0001F600",
        "\U0001D7D8",
        "\U00020000",
        "\uD800",
        "\uDC00",
        "'s",
        "'S",
        "\u017F",
        "7",
        "\u00BD",
        "...",
        "<s>",
        "<|eot_id|>",
        "<0x0A>",
    ];

    public static TheoryData<string> Kinds() =>
        ["byte-level", "prefix-space", "digits", "merged", "prepend", "first", "always", "never"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_text_comes_back(string kind)
    {
        var tokenizer = Load(Json(kind));
        foreach (var text in Texts(kind))
            Assert.Equal(Expected(kind, text), tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Tokens_cover_a_text_in_order(string kind)
    {
        var tokenizer = Load(Json(kind));
        foreach (var text in Texts("cover/" + kind))
        {
            IReadOnlyList<TokenSpan>[] both = [tokenizer.EncodeWithOffsets(text), tokenizer.ParseSpecial(text)];
            foreach (var spans in both)
            {
                InOrder(spans, text);
                var covered = new bool[text.Length];
                foreach (var (_, start, end) in spans)
                    Array.Fill(covered, true, start, end - start);
                Assert.DoesNotContain(false, covered);
            }
        }
    }

    [Theory]
    [InlineData("NFC")]
    [InlineData("NFD")]
    [InlineData("NFKC")]
    [InlineData("NFKD")]
    [InlineData("Lowercase")]
    public void A_normalized_text_is_the_same_tokens_as_its_normal_form(string form)
    {
        var (plain, json) = (Load(Json("byte-level")), Json("byte-level"));
        json["normalizer"] = new JsonObject { ["type"] = form };
        var tokenizer = Load(json);
        foreach (var text in Texts(form))
        {
            var spans = tokenizer.EncodeWithOffsets(text);
            InOrder(spans, text);
            var normal = tokenizer.Decode(spans.Select(s => s.Id));
            Assert.Equal(plain.Encode(normal), spans.Select(s => s.Id));
            Assert.Equal(tokenizer.Encode(normal), spans.Select(s => s.Id));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Several_threads_get_the_same_tokens_as_one(string kind)
    {
        var texts = Texts("threads/" + kind).ToList();
        var alone = texts.ConvertAll(Load(Json(kind)).Encode);
        var shared = Load(Json(kind));
        var together = new IReadOnlyList<int>[texts.Count];
        Parallel.For(0, texts.Count, i => together[i] = shared.Encode(texts[i]));
        Assert.Equal(alone, together);
    }

    private static void InOrder(IReadOnlyList<TokenSpan> spans, string text)
    {
        var (start, end) = (0, 0);
        foreach (var span in spans)
        {
            Assert.InRange(span.Start, start, text.Length);
            Assert.InRange(span.End, Math.Max(end, span.Start), text.Length);
            (start, end) = (span.Start, span.End);
        }
    }

    // A sign for the space cannot be told from one, and where a text is given one in front it may lose its own.
    private static string Expected(string kind, string text)
    {
        text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        if (kind is "byte-level" or "digits" or "merged")
            return text;
        if (kind == "prefix-space")
            return text.Length == 0 || text[0] == ' ' ? text : " " + text;
        text = text.Replace('\u2581', ' ');
        return kind is "first" or "always" && text.StartsWith(' ') ? text[1..] : text;
    }

    private static JsonObject Json(string kind)
    {
        if (kind is not ("byte-level" or "prefix-space" or "digits" or "merged"))
            return TinyTokenizers.SentencePieceJson(kind);
        var json = TinyTokenizers.ByteLevel(TinyTokenizers.Merges);
        json["pre_tokenizer"] = kind switch
        {
            "prefix-space" => JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":true}"""),
            "digits" => JsonNode.Parse(
                """
                {"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
                 {"type":"ByteLevel","add_prefix_space":false}]}
                """
            ),
            "merged" => JsonNode.Parse(
                """
                {"type":"Sequence","pretokenizers":[
                 {"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"MergedWithPrevious"},
                 {"type":"Split","pattern":{"String":"b"},"behavior":"MergedWithNext","invert":true},
                 {"type":"ByteLevel","add_prefix_space":false,"use_regex":false},
                 {"type":"Punctuation","behavior":"Contiguous"}]}
                """
            ),
            _ => json["pre_tokenizer"]!.DeepClone(),
        };
        return json;
    }

    private static IEnumerable<string> Texts(string purpose)
    {
        var draw = new Seed(21).Stream(purpose);
        yield return "";
        for (var i = 0; i < Draws; i++)
            yield return string.Concat(Enumerable.Range(0, draw.Below(40)).Select(_ => draw.Pick(Letters)));
    }

    private static JsonTokenizer Load(JsonObject json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["tokenizer.json"], TinyTokenizers.Bytes(json));
        return Assert.IsType<JsonTokenizer>(TokenizerFolder.Load(folder.Path, Config));
    }
}
