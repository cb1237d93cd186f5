using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Models;

public sealed class ChatTemplateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private static readonly ModelConfig Config = TinyModels.Llama().Config with { VocabSize = 400, EosIds = [2, 9] };

    [Fact]
    public void Every_template_that_comes_along_is_one_and_says_where_it_is_from()
    {
        foreach (var name in TemplateCatalog.Names)
        {
            var template = TemplateCatalog.Get(name);
            Assert.Equal(name, template.Name);
            Assert.NotEmpty(template.Source);
        }
        Assert.All(FamilyCatalog.All, f => Assert.Equal(f.Name, f.Template.Name));
    }

    [Fact]
    public void Marks_are_ids_and_a_question_cannot_end_its_turn()
    {
        var tokenizer = ByteLevel();
        var encoder = new RowEncoder(tokenizer, TemplateCatalog.Get("llama31"), Config);
        int Id(string name) => tokenizer.Specials.Find(name)!.Value;
        int[] Text(string text) => [.. tokenizer.Encode(text)];
        Assert.Equal(
            [
                Id("<|begin_of_text|>"),
                Id("<|start_header_id|>"),
                .. Text("user"),
                Id("<|end_header_id|>"),
                .. Text("\n\na<|eot_id|>b"),
                Id("<|eot_id|>"),
                Id("<|start_header_id|>"),
                .. Text("assistant"),
                Id("<|end_header_id|>"),
                .. Text("\n\n"),
            ],
            encoder.Prompt("a<|eot_id|>b")
        );
        var row = encoder.Row("a", "b</s>");
        Assert.Equal([.. Text("b</s>"), Id("<|eot_id|>")], row.Ids.Skip(row.LabelStart));
        Assert.Equal(Id("<|eot_id|>"), encoder.EndId);
        Assert.Equal([Id("<|eot_id|>"), Id("<|end_of_text|>"), 2, 9], encoder.StopIds);
    }

    [Fact]
    public void Offsets_point_into_the_templates_text()
    {
        var encoder = new RowEncoder(ByteLevel(), TemplateCatalog.Get("llama31"), Config);
        var text = encoder.Template.Prompt("ab cd?");
        var spans = encoder.PromptWithOffsets("ab cd?");
        Assert.Equal((0, 0), (spans[0].Start, spans[0].End));
        Assert.Equal(text.Length, spans[^1].End);
        Assert.Contains(spans, s => text[s.Start..s.End] == "ab");
        Assert.Equal(encoder.Prompt("ab cd?"), spans.Select(s => s.Id));
    }

    [Fact]
    public void Mistral_takes_the_marks_as_tokens_where_its_vocabulary_holds_them()
    {
        var old = new RowEncoder(SentencePiece(), TemplateCatalog.Get("mistral"), Config);
        Assert.Equal("mistral", old.Template.Name);
        var tokenizer = SentencePiece("[INST]", "[/INST]");
        var encoder = new RowEncoder(tokenizer, TemplateCatalog.Get("mistral"), Config);
        Assert.Equal("mistral-v3", encoder.Template.Name);
        Assert.Equal([1, 3, .. tokenizer.Encode("ab"), 4], encoder.Prompt("ab"));
        // After a mark the answer is a text of its own.
        Assert.Equal([1, 3, .. tokenizer.Encode("ab"), 4, .. tokenizer.Encode("cd"), 2], encoder.Row("ab", "cd").Ids);
    }

    [Fact]
    public void An_answer_that_would_merge_with_the_prompt_is_encoded_by_itself_and_counted()
    {
        var encoder = new RowEncoder(SentencePiece(), new ChatTemplate("{q}a"), Config);
        var prompt = encoder.Prompt("b");
        var row = encoder.Row("b", "b c", end: false);
        Assert.Equal(prompt, row.Ids.Take(row.LabelStart));
        Assert.Equal(1, encoder.CrossedBoundaries);
        Assert.Equal("ba" + "b c", SentencePiece().Decode(row.Ids));
        encoder.Row("b", "dd");
        Assert.Equal(1, encoder.CrossedBoundaries);
    }

    [Fact]
    public void Where_a_vocabulary_knows_none_of_the_marks_they_are_text_and_half_of_them_is_an_error()
    {
        var miniature = new RowEncoder(SentencePiece(), TemplateCatalog.Get("llama31"), Config);
        Assert.Equal([1, .. SentencePiece().Encode(miniature.Template.Prompt("a"))], miniature.Prompt("a"));
        Assert.Equal(2, miniature.EndId);
        var error = Assert.Throws<InputException>(() =>
            new RowEncoder(SentencePiece("<|eot_id|>"), TemplateCatalog.Get("llama31"), Config)
        );
        Assert.Contains("'<|start_header_id|>'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_without_begin_gets_none()
    {
        var tokenizer = SentencePiece("<|im_start|>", "<|im_end|>");
        var encoder = new RowEncoder(tokenizer, TemplateCatalog.Get("qwen2"), Config);
        Assert.Null(encoder.BosId);
        Assert.Equal(3, encoder.Prompt("a")[0]);
        Assert.Equal(4, encoder.EndId);
    }

    [Fact]
    public void A_users_file_is_a_template_and_a_bad_one_is_told_all_that_is_wrong()
    {
        File.WriteAllText(_folder["own.json"], """{"pattern": "Q {q} A", "marks": [], "stop": ["</s>"]}""");
        Assert.Equal(
            ("own", "Q a A"),
            (TemplateCatalog.Find(_folder["own.json"]).Name, TemplateCatalog.Find(_folder["own.json"]).Prompt("a"))
        );
        File.WriteAllText(_folder["bad.json"], """{"pattern": "no slot", "marks": ["<x>"]}""");
        Assert.Equal(2, Assert.Throws<InputException>(() => TemplateCatalog.Find(_folder["bad.json"])).Problems.Count);
        File.WriteAllText(_folder["odd.json"], """{"patern": "{q}"}""");
        Assert.Throws<InputException>(() => TemplateCatalog.Find(_folder["odd.json"]));
        Assert.Contains(
            "did you mean 'llama31'?",
            Assert.Throws<InputException>(() => TemplateCatalog.Find("lama31")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_checkpoint_takes_a_template_by_name_and_the_official_one_when_asked()
    {
        using (var made = new Checkpoint(TinyModels.Llama(), Trained()))
            made.Save(_folder.Path);
        // The tiny weights know 97 words, fewer than any tokenizer: refused before a weight is read.
        Assert.Contains(
            "has 259 words, but vocab_size in config.json is 97",
            Assert.Throws<InputException>(() => Checkpoint.Load(_folder.Path)).Message,
            StringComparison.Ordinal
        );

        var model = CausalLm.Random(TinyModels.Llama().Config with { VocabSize = 259 }, new Seed(1));
        using (var made = new Checkpoint(model, Trained()))
            made.Save(_folder.Path);
        using var usual = Checkpoint.Load(_folder.Path);
        using var plain = Checkpoint.Load(_folder.Path, template: "plain");
        using var official = Checkpoint.Load(_folder.Path, officialTemplate: true);
        Assert.Equal(("llama2", "plain"), (usual.Template.Name, plain.Template.Name));
        Assert.Contains("<<SYS>>", official.Template.Pattern, StringComparison.Ordinal);
        Assert.Contains(
            "'<|im_start|>'",
            Assert.Throws<InputException>(() => Checkpoint.Load(_folder.Path, template: "qwen2")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no official form",
            Assert
                .Throws<InputException>(() => Checkpoint.Load(_folder.Path, template: "plain", officialTemplate: true))
                .Message,
            StringComparison.Ordinal
        );
    }

    public void Dispose() => _folder.Dispose();

    private static JsonTokenizer Trained() => BpeTrainer.Train(["a"], 259);

    private static ITokenizer ByteLevel() =>
        Load("tokenizer.json", TinyTokenizers.Bytes(TinyTokenizers.ByteLevel(TinyTokenizers.Merges)));

    private static ITokenizer SentencePiece(params string[] controls) =>
        Load("tokenizer.model", TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words(), controls)));

    private static ITokenizer Load(string name, byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder[name], bytes);
        return TokenizerFolder.Load(folder.Path, Config);
    }
}
