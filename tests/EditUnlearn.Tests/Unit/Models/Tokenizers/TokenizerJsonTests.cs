using System.Text;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Tokenizers.Reading;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Models.Tokenizers;

/// <summary>The reader of <c>tokenizer.json</c>: what it takes, and in which words it refuses the rest.</summary>
public sealed class TokenizerJsonTests
{
    private static readonly ModelConfig Config = TinyModels.Llama().Config with { VocabSize = 300 };

    [Fact]
    public void A_byte_order_mark_is_no_part_of_the_file()
    {
        var bytes = TinyTokenizers.Bytes(ByteLevel());
        Assert.Equal(
            TokenizerJson.Read("t", bytes).Model.Words,
            TokenizerJson.Read("t", [.. Encoding.UTF8.Preamble, .. bytes]).Model.Words
        );
    }

    [Fact]
    public void Steps_that_are_not_known_are_refused_by_name_and_place_all_at_once()
    {
        var json = ByteLevel();
        json["normalizer"] = JsonNode.Parse(
            """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Nmt"},{"type":"Replace","content":"a"}]}"""
        );
        json["pre_tokenizer"]!["pretokenizers"]!.AsArray().Add(JsonNode.Parse("""{"type":"UnicodeScripts"}"""));
        json["pre_tokenizer"]!["pretokenizers"]![0]!["behavior"] = "Sideways";
        json["post_processor"] = JsonNode.Parse("""{"type":"Odd"}""");
        json["decoder"] = JsonNode.Parse("""{"type":"WordPiece"}""");
        json["model"]!["dropout"] = 0.1;
        json["model"]!["end_of_word_suffix"] = "</w>";
        Assert.Equal(
            [
                "normalizer.normalizers[1] is 'Nmt', a normalizer that is not supported",
                "normalizer.normalizers[2] has no 'pattern'",
                "pre_tokenizer.pretokenizers[0] has the 'behavior' 'Sideways'",
                "pre_tokenizer.pretokenizers[2] is 'UnicodeScripts', a pre-tokenizer that is not supported",
                "model.dropout is set: ids would be drawn by chance",
                "model.end_of_word_suffix is set: words would be spelt in another way",
                "post_processor is 'Odd', a post-processor that is not supported",
                "decoder is 'WordPiece', a decoder that is not supported",
            ],
            Problems(json).Order(StringComparer.Ordinal).OrderBy(Place)
        );
    }

    // The order of the reader: normalizer, pre-tokenizer, model, what stands around a text, decoder.
    private static int Place(string problem) =>
        Array.FindIndex(
            ["normalizer", "pre_tokenizer", "model", "post_processor", "decoder"],
            p => problem.StartsWith(p, StringComparison.Ordinal)
        );

    [Theory]
    [InlineData("Unigram")]
    [InlineData("WordPiece")]
    [InlineData("WordLevel")]
    public void Other_kinds_are_refused_by_name(string kind)
    {
        var json = ByteLevel();
        json["model"]!["type"] = kind;
        Assert.Equal([$"model is of the type '{kind}'; only BPE is read"], Problems(json));
    }

    [SharedFact("data/tokenizers/synthetic")]
    public void Files_of_other_kinds_are_refused_by_name()
    {
        foreach (var kind in (string[])["Unigram", "WordPiece", "WordLevel"])
        {
            var folder = $"unsupported-{kind.ToLowerInvariant()}";
            var path = Path.Combine(Checkout.Shared, "data", "tokenizers", "synthetic", folder);
            var error = Assert.Throws<InputException>(() => TokenizerFolder.Load(path, Config));
            Assert.Contains(error.Problems, p => p.Message == $"model is of the type '{kind}'; only BPE is read");
        }
    }

    public static TheoryData<string, string> Hostile() =>
        new()
        {
            { """{"model":{"vocab":{"a":-1}}}""", "model.vocab gives 'a' the id -1, which is none" },
            { """{"model":{"vocab":{"a":1.5}}}""", "model.vocab gives 'a' the id 1.5, which is none" },
            { """{"model":{"vocab":{"a":99999999}}}""", "model.vocab gives 'a' the id 99999999, which is none" },
            { """{"model":{"vocab":{"a":1,"b":1}}}""", "gives the id 1 to two words" },
            { """{"model":{"vocab":{"":1}}}""", "holds a word without letters" },
            { """{"model":{"vocab":{"a":1,"a":2}}}""", "is not valid JSON" },
            { """{"model":{"vocab":["a"]}}""", "model.vocab is [\"a\"], not an object" },
            { """{"model":{"vocab":{"a":1},"merges":["a"]}}""", "model.merges[0] (\"a\") does not have two parts" },
            { """{"model":{"vocab":{"a":1},"merges":["a "]}}""", "model.merges[0] (\"a \") does not have two parts" },
            { """{"model":{"vocab":{"a":1},"merges":[["a"]]}}""", "does not have two parts" },
            { """{"model":{"vocab":{"a":1},"merges":[["a",1]]}}""", "does not have two parts" },
            { """{"model":{"vocab":{"a":1},"merges":[["a",""]]}}""", "joins what is not in the vocabulary" },
            { """{"model":{"vocab":{"a":1},"merges":["a a"]}}""", "joins what is not in the vocabulary" },
            { """{"model":{"vocab":{"a":1},"merges":{}}}""", "model.merges is {}, not a list" },
            { """{"model":{"vocab":{"a":1}}}""", "model has no 'merges'" },
            { """{"model":{"merges":[]}}""", "model has no 'vocab'" },
            { """{"model":7}""", "there is no object 'model'" },
            { "[]", "there is no object 'model'" },
            { "", "is not valid JSON" },
            { "{\"model\":", "is not valid JSON" },
            { new string('[', 100_000), "is not valid JSON" },
            { """{"model":{"vocab":{"a":1},"merges":["\ud800 a"]}}""", "no valid Unicode" },
            { """{"added_tokens":[{"id":1}],"model":{}}""", "added_tokens[0] is no added token with content and id" },
            { """{"added_tokens":[{"id":-1,"content":"x"}],"model":{}}""", "added_tokens[0].id is -1, not a token id" },
            {
                """{"added_tokens":[{"id":1,"content":"x"},{"id":2,"content":"x"}],"model":{}}""",
                "added_tokens[1] adds 'x' a second time"
            },
            {
                """{"added_tokens":[{"id":1,"content":"x"}],"model":{"vocab":{"a":1},"merges":[]}}""",
                "model.vocab gives a word the id of the added token 'x'"
            },
            {
                """{"added_tokens":[{"id":1,"content":"a"}],"model":{"vocab":{"a":2},"merges":[]}}""",
                "model.vocab gives 'a' the id 2, and added_tokens the id 1"
            },
            { """{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"}},"model":{}}""", "does not close a group" },
            { """{"pre_tokenizer":[],"model":{}}""", "pre_tokenizer is [], not a pre-tokenizer" },
            { """{"pre_tokenizer":{"type":7},"model":{}}""", "pre_tokenizer.type is 7, not a text" },
            {
                """
                    {"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}]},"model":{}}
                    """,
                "names 'x', which 'special_tokens' does not hold"
            },
            { """{"model":{"vocab":{"a":1},"merges":[]}}""", "so text would be lost" },
        };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void What_contradicts_itself_is_refused_with_a_sentence(string file, string sentence)
    {
        var error = Assert.Throws<InputException>(() => TokenizerJson.Read("t.json", Encoding.UTF8.GetBytes(file)));
        Assert.Contains(sentence, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("t.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_that_is_wrong_throughout_is_told_by_its_first_entries()
    {
        var json = ByteLevel();
        foreach (var i in Enumerable.Range(0, 1000))
            json["model"]!["merges"]!.AsArray().Add($"x{i} y");
        Assert.Equal(5, Problems(json).Count());
    }

    [Fact]
    public void Of_a_merge_that_stands_there_twice_the_later_place_counts()
    {
        // "a b" goes behind "b c", so that "abc" becomes a and bc.
        var json = TinyTokenizers.ByteLevel([.. TinyTokenizers.Merges, ("a", "b")]);
        var tokenizer = Load(json);
        Assert.Equal([.. tokenizer.Encode("a"), .. tokenizer.Encode("bc")], tokenizer.Encode("abc"));
    }

    [Fact]
    public void Padding_and_truncation_are_left_to_others_with_a_note()
    {
        var json = ByteLevel();
        json["padding"] = JsonNode.Parse("""{"strategy":"BatchLongest"}""");
        json["truncation"] = JsonNode.Parse("""{"max_length":8}""");
        var tokenizer = Load(json);
        Assert.Equal(
            [
                "'truncation' is not followed: rows are cut and filled where they are used",
                "'padding' is not followed: rows are cut and filled where they are used",
            ],
            tokenizer.Notes
        );
        Assert.True(tokenizer.Encode("a b c d e f g h i j").Count > 8);
    }

    [Fact]
    public void What_stands_around_a_text_names_bos_and_eos_where_nothing_else_does()
    {
        var tokenizer = Load(TinyTokenizers.SentencePieceJson("first"));
        Assert.Equal(1, tokenizer.Specials.BosId);
        Assert.Null(tokenizer.Specials.EosId);
        Assert.Equal([1], tokenizer.Post.Before);
        Assert.Empty(tokenizer.Post.After);
    }

    [Fact]
    public void The_two_styles_of_sentencepiece_differ_after_a_special_token_only()
    {
        var (prepend, first) = (
            Load(TinyTokenizers.SentencePieceJson("prepend")),
            Load(TinyTokenizers.SentencePieceJson("first"))
        );
        Assert.Equal(prepend.Encode("ab cd"), first.Encode("ab cd"));
        var lone = prepend.Encode("b")[0];
        Assert.Equal([lone, 2, lone], prepend.ParseSpecial("b</s>b").Select(s => s.Id).Where(i => i == lone || i == 2));
        Assert.Equal([lone, 2], first.ParseSpecial("b</s>b").Select(s => s.Id).Where(i => i == lone || i == 2));
        foreach (var tokenizer in (JsonTokenizer[])[prepend, first])
            Assert.Equal([.. tokenizer.Encode("b").Skip(1)], tokenizer.EncodeContinuation("b"));
    }

    [Fact]
    public void Names_of_special_tokens_are_text_unless_asked_for_and_plain_added_tokens_always_count()
    {
        var json = ByteLevel();
        json["added_tokens"]!
            .AsArray()
            .Add(JsonNode.Parse("""{"id":290,"content":"<tool>","special":false,"rstrip":true,"normalized":false}"""));
        var tokenizer = Load(json);
        var end = tokenizer.Specials.Find("<|eot_id|>")!.Value;
        const string Text = "a<|eot_id|><tool>  b";
        Assert.DoesNotContain(end, tokenizer.Encode(Text));
        Assert.Contains(new TokenSpan(290, 11, 19), tokenizer.EncodeWithOffsets(Text));
        Assert.Equal([end, 290], tokenizer.ParseSpecial(Text).Select(s => s.Id).Where(i => i == end || i == 290));
        Assert.Equal("a<|eot_id|><tool>b", tokenizer.Decode(tokenizer.Encode(Text)));
    }

    [Fact]
    public void What_tokenizer_config_adds_keeps_its_ways()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["tokenizer.json"], TinyTokenizers.Bytes(ByteLevel()));
        File.WriteAllText(
            folder["tokenizer_config.json"],
            """{"added_tokens_decoder":{"291":{"content":"<x>","special":false,"lstrip":true}}}"""
        );
        Assert.Contains(
            new TokenSpan(291, 1, 6),
            TokenizerFolder.Load(folder.Path, Config).EncodeWithOffsets("a  <x>b")
        );
    }

    [Fact]
    public void Work_on_a_run_grows_with_its_length()
    {
        foreach (var json in (JsonObject[])[ByteLevel(), .. Styles().Select(TinyTokenizers.SentencePieceJson)])
            foreach (var letter in "a \n.")
            {
                var tokenizer = Load(json);
                long Work(int length) => tokenizer.WorkOf(new string(letter, length));
                Assert.InRange((double)Work(80_000) / Work(40_000), 1.9, 2.1);
            }
    }

    private static string[] Styles() => ["prepend", "first", "always", "never"];

    private static JsonObject ByteLevel() => TinyTokenizers.ByteLevel(TinyTokenizers.Merges);

    private static IEnumerable<string> Problems(JsonObject json) =>
        Assert
            .Throws<InputException>(() => TokenizerJson.Read("t", TinyTokenizers.Bytes(json)))
            .Problems.Select(p => p.Message);

    private static JsonTokenizer Load(JsonObject json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["tokenizer.json"], TinyTokenizers.Bytes(json));
        return Assert.IsType<JsonTokenizer>(TokenizerFolder.Load(folder.Path, Config));
    }
}
