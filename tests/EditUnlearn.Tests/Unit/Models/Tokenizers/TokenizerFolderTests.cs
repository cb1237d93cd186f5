using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Models.Tokenizers;

public sealed class TokenizerFolderTests : IDisposable
{
    private static readonly ModelConfig Config = TinyModels.Llama().Config with { VocabSize = 300 };
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Special_names_in_a_text_stay_text_unless_asked_for()
    {
        Write("tokenizer.json", TinyTokenizers.Bytes(TinyTokenizers.ByteLevel(TinyTokenizers.Merges)));
        var tokenizer = Load();
        var mark = tokenizer.Specials.Find("<|eot_id|>")!.Value;
        Assert.DoesNotContain(mark, tokenizer.Encode("a<|eot_id|>b"));
        Assert.Equal(
            [
                new TokenSpan(tokenizer.Encode("a")[0], 0, 1),
                new TokenSpan(mark, 1, 11),
                new TokenSpan(tokenizer.Encode("b")[0], 11, 12),
            ],
            tokenizer.ParseSpecial("a<|eot_id|>b")
        );
        Assert.Equal("a<|eot_id|>b", tokenizer.Decode(tokenizer.Encode("a<|eot_id|>b")));
        Assert.Equal("ab", tokenizer.Decode(tokenizer.ParseSpecial("a<|eot_id|>b").Select(s => s.Id)));
    }

    [Fact]
    public void After_a_special_token_a_text_begins_anew()
    {
        Write("tokenizer.model", TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words())));
        var tokenizer = Load();
        Assert.Equal(
            [.. tokenizer.Encode("a"), 2, .. tokenizer.Encode("b")],
            tokenizer.ParseSpecial("a</s>b").Select(s => s.Id)
        );
        Assert.Equal(1, tokenizer.Specials.BosId);
        Assert.Equal(2, tokenizer.Specials.EosId);
    }

    [Fact]
    public void A_text_that_goes_on_gets_no_space_in_front()
    {
        Write("tokenizer.model", TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words())));
        var tokenizer = Load();
        Assert.Equal([.. tokenizer.Encode("b").Skip(1)], tokenizer.EncodeContinuation("b"));
        Assert.Empty(tokenizer.EncodeContinuation(""));
    }

    [Fact]
    public void Sentencepiece_wins_where_both_files_are_there_and_every_file_is_carried_along()
    {
        var files = new Dictionary<string, byte[]>
        {
            ["tokenizer.model"] = TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words())),
            ["tokenizer.json"] = "{ \"model\": {\"type\": \"BPE\", \"byte_fallback\": true} }"u8.ToArray(),
            ["tokenizer_config.json"] = (
                "{\"add_bos_token\": true, \"bos_token\": {\"content\": \"<s>\"}, "u8 + "\"eos_token\": \"</s>\"}\r\n"u8
            ).ToArray(),
            ["special_tokens_map.json"] = "{\"unk_token\": \"<unk>\"}"u8.ToArray(),
        };
        foreach (var (name, bytes) in files)
            Write(name, bytes);
        using var copy = new TemporaryFolder();
        Load().Save(copy.Path);
        foreach (var (name, bytes) in files)
            Assert.Equal(bytes, File.ReadAllBytes(copy[name]));
    }

    [Fact]
    public void Added_tokens_are_special_by_what_the_folder_says_and_those_beyond_the_model_are_left_out()
    {
        Write("tokenizer.model", TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words())));
        Write(
            "tokenizer_config.json",
            """
            {"added_tokens_decoder": {"290": {"content": "<mark>", "special": true},
                                      "291": {"content": "zz", "special": false},
                                      "300": {"content": "<pad>", "special": true}}}
            """u8.ToArray()
        );
        var tokenizer = Load();
        Assert.Equal(292, tokenizer.VocabSize);
        Assert.Equal(290, tokenizer.Specials.Find("<mark>"));
        Assert.Null(tokenizer.Specials.Find("<pad>"));
        Assert.DoesNotContain(290, tokenizer.Encode("a<mark>b"));
        Assert.Contains(new TokenSpan(291, 1, 3), tokenizer.EncodeWithOffsets("azzb"));
        // as after any token that is cut out, the rest is a text of its own
        Assert.Equal("azz b", tokenizer.Decode(tokenizer.Encode("azzb")));
    }

    [Fact]
    public void A_folder_without_tokenizer_says_what_to_do()
    {
        Assert.Contains(
            "copy it from the checkpoint's repository",
            Assert.Throws<InputException>(Load).Message,
            StringComparison.Ordinal
        );
        Write("tokenizer.model", "IQ== 0\nIg== 1\n"u8.ToArray());
        Assert.Contains(
            "put the checkpoint's tokenizer.json beside it",
            Assert.Throws<InputException>(Load).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Unsupported_sentencepiece_models_are_refused_with_all_reasons_at_once()
    {
        Write(
            "tokenizer.model",
            TinyTokenizers.Model(
                [.. TinyTokenizers.Pieces(TinyTokenizers.Words()), ("zz", -5, TinyTokenizers.Unused)],
                modelType: 1,
                byteFallback: false,
                removeExtraSpaces: true,
                charsMap: "x"
            )
        );
        var problems = Assert.Throws<InputException>(Load).Problems;
        Assert.Equal(
            ["unigram", "byte fallback", "precompiled_charsmap", "remove_extra_whitespaces", "unused"],
            problems.Select(p =>
                new[]
                {
                    "unigram",
                    "byte fallback",
                    "precompiled_charsmap",
                    "remove_extra_whitespaces",
                    "unused",
                }.First(w => p.Message.Contains(w, StringComparison.Ordinal))
            )
        );
    }

    [Fact]
    public void A_vocabulary_larger_than_the_model_and_ids_beyond_it_are_refused_together()
    {
        Write("tokenizer.model", TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words())));
        var error = Assert.Throws<InputException>(() =>
            TokenizerFolder.Load(_folder.Path, Config with { VocabSize = 100, BosId = 100, EosIds = [2, 512] })
        );
        Assert.Equal(3, error.Problems.Count);
    }

    [Fact]
    public void Files_that_contradict_each_other_are_refused_with_the_line()
    {
        Write("tokenizer.model", TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words())));
        Write("added_tokens.json", "{\n  \"</s>\": 7\n}"u8.ToArray());
        Write("tokenizer_config.json", "{\n  \"bos_token\": \"<begin>\"\n}"u8.ToArray());
        var error = Assert.Throws<InputException>(Load);
        Assert.Contains("added_tokens.json(2,3)", error.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer_config.json(2,3)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_text_turns_into_a_special_token()
    {
        // A word that a folder declares special is no longer made from text; a merge or a word of that id is refused.
        Write("tokenizer.model", TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words())));
        Write("tokenizer_config.json", """{"eos_token": "abab"}"""u8.ToArray());
        var tokenizer = Load();
        Assert.DoesNotContain(tokenizer.Specials.EosId!.Value, tokenizer.Encode("cabab"));
        Write(
            "tokenizer_config.json",
            """{"added_tokens_decoder": {"262": {"content": "<end>", "special": true}}}"""u8.ToArray()
        );
        Assert.Contains(
            "which is a word of the vocabulary",
            Assert.Throws<InputException>(Load).Message,
            StringComparison.Ordinal
        );

        File.Delete(_folder["tokenizer.model"]);
        File.Delete(_folder["tokenizer_config.json"]);
        var json = TinyTokenizers.ByteLevel(TinyTokenizers.Merges);
        json["added_tokens"]![0]!["content"] = "ab";
        json["added_tokens"]![0]!["id"] = (int)json["model"]!["vocab"]!["ab"]!;
        Write("tokenizer.json", TinyTokenizers.Bytes(json));
        Assert.Contains(
            "make the special token 'ab' out of text",
            Assert.Throws<InputException>(Load).Message,
            StringComparison.Ordinal
        );
        json["added_tokens"]![0]!["content"] = "<end>";
        Write("tokenizer.json", TinyTokenizers.Bytes(json));
        Assert.Contains(
            "gives a word the id of the added token '<end>'",
            Assert.Throws<InputException>(Load).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_pattern_without_end_is_stopped()
    {
        var json = TinyTokenizers.ByteLevel(TinyTokenizers.Merges);
        json["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = @"(a+)+$|\p{L}";
        Write("tokenizer.json", TinyTokenizers.Bytes(json));
        var tokenizer = Load();
        Assert.Throws<InputException>(() => tokenizer.Encode(new string('a', 60) + "!"));
    }

    [Fact]
    public void The_miniatures_tokenizer_is_the_same_before_and_after_its_file()
    {
        var trained = BpeTrainer.Train(
            ["who wrote the book", "the book was written by a writer of books", "who is the writer of the book?"],
            290
        );
        trained.Save(_folder.Path);
        var loaded = Load();
        foreach (var text in new[] { "who wrote the books?", "", "Ünïcode  and\nlines 123" })
        {
            Assert.Equal(trained.Encode(text), loaded.Encode(text));
            Assert.Equal(text, loaded.Decode(loaded.Encode(text)));
        }
        Assert.Equal(trained.VocabSize, loaded.VocabSize);
        Assert.Equal(["<unk>", "<s>", "</s>"], loaded.Specials.Ids.OrderBy(p => p.Value).Select(p => p.Key));
    }

    [Fact]
    public void Merges_as_text_and_as_pairs_are_the_same_tokenizer()
    {
        Write("tokenizer.json", TinyTokenizers.Bytes(TinyTokenizers.ByteLevel(TinyTokenizers.Merges)));
        var one = Load().Encode("aab abab cdd");
        Write("tokenizer.json", TinyTokenizers.Bytes(TinyTokenizers.ByteLevel(TinyTokenizers.Merges, pairs: true)));
        Assert.Equal(one, Load().Encode("aab abab cdd"));
    }

    public void Dispose() => _folder.Dispose();

    private void Write(string name, byte[] bytes) => File.WriteAllBytes(_folder[name], bytes);

    private ITokenizer Load() => TokenizerFolder.Load(_folder.Path, Config);
}
