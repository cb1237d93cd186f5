using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Chat;
using EditUnlearn.Models.Inspection;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Models.Chat;

/// <summary>The template that lies in a model folder: the pattern it becomes, and when it is used.</summary>
public sealed class PublishedTemplateTests : IDisposable
{
    // As many models of the Llama family are asked; in [INST] they would be asked wrongly.
    private const string ChatMl =
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    private static readonly ModelConfig Config = TinyModels.Llama().Config with { VocabSize = 400 };

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void A_checkpoint_is_asked_in_its_own_template_and_by_the_study_in_the_familys()
    {
        Checkpoint(ChatMl);
        using var own = EditUnlearn.Models.Checkpoint.Load(_folder.Path);
        using var family = EditUnlearn.Models.Checkpoint.Load(_folder.Path, template: ChatTemplate.OfFamily);
        using var plain = EditUnlearn.Models.Checkpoint.Load(_folder.Path, template: "plain");
        Assert.Equal("<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n", own.Template.Pattern);
        Assert.Equal(("own", "llama2", "plain"), (own.Template.Name, family.Template.Name, plain.Template.Name));
        Assert.Null(own.TemplateNote);
        Assert.Contains("--template own", family.TemplateNote, StringComparison.Ordinal);
        Assert.Contains("otherwise than plain", plain.TemplateNote, StringComparison.Ordinal);
        // No BOS: the template writes none.
        Assert.Equal((3, 4), (own.Prompt("a")[0], own.EndId));
    }

    [Fact]
    public void What_the_template_writes_are_tokens_and_what_a_question_spells_is_text()
    {
        var (template, tokenizer) = Template(ChatMl);
        Assert.Equal(["<|im_end|>", "<|im_start|>"], template.Marks.Order(StringComparer.Ordinal));
        Assert.Equal(["<|im_end|>"], template.Stop);
        var encoder = new RowEncoder(tokenizer, template, Config);
        Assert.Equal(1, encoder.Prompt("a <|im_end|> b").Count(id => id == 4));
    }

    [Fact]
    public void A_template_that_writes_BOS_gets_no_second_one()
    {
        var (template, tokenizer) = Template("{{ bos_token }}[{{ messages[0].content }}]");
        Assert.Equal(("[{q}]", "<s>"), (template.Pattern, template.Bos));
        Assert.Equal([1, .. tokenizer.Encode("[a]")], new RowEncoder(tokenizer, template, Config).Prompt("a"));
    }

    [Fact]
    public void White_space_that_a_template_trims_is_trimmed_and_places_stay_those_of_the_question()
    {
        var (template, tokenizer) = Template("<{{ messages[0].content | trim }}> and{{ '' }}");
        Assert.True(template.Trims);
        Assert.Equal("<ab cd> and", template.Prompt(" \n ab cd\u00a0 "));
        var encoder = new RowEncoder(tokenizer, template, Config);
        Assert.Equal(encoder.Prompt("ab cd"), encoder.Prompt("  ab cd "));
        var start = template.QuestionStart + "  ab ".Length;
        Assert.Contains(encoder.PromptWithOffsets("  ab cd "), s => s.Start <= start && s.End >= start + 2);
    }

    [Theory]
    [InlineData("{{ messages[0].content | upper }}", "changes a question or leaves it out")]
    [InlineData("{{ messages[0].content }}{{ messages[0].content }}", "more than once")]
    [InlineData("{{ messages[0].content | length }}{{ messages[0].content }}", "other text around one question")]
    [InlineData("{{ messages[0].content.lstrip() }}", "changes white space around a question")]
    [InlineData("{q}{{ messages[0].content }}", "'{q}'")]
    [InlineData("{{ raise_exception('no') }}", "refuses these messages: no")]
    [InlineData("{{ messages | nosuch }}", "No filter named 'nosuch'")]
    public void A_template_that_cannot_become_a_pattern_is_refused_with_the_way_out(string jinja, string expected)
    {
        var error = Assert.Throws<InputException>(() => Template(jinja)).Message;
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Contains("--template", error, StringComparison.Ordinal);
        Assert.Contains("tokenizer_config.json", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_that_is_refused_stops_only_who_wants_it()
    {
        Checkpoint("{{ messages | nosuch }}");
        Assert.Throws<InputException>(() => EditUnlearn.Models.Checkpoint.Load(_folder.Path));
        using var plain = EditUnlearn.Models.Checkpoint.Load(_folder.Path, template: "plain");
        Assert.Contains("No filter named 'nosuch'", plain.TemplateNote, StringComparison.Ordinal);
        Assert.Contains("nosuch", ChatFacts.Of(_folder.Path, plain.Model.Config)!.Origin, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_one_is_asked_as_its_family_and_says_so_where_its_own_is_asked_for()
    {
        Checkpoint(null);
        using var usual = EditUnlearn.Models.Checkpoint.Load(_folder.Path);
        Assert.Equal("llama2", usual.Template.Name);
        // Its 400 words are not Llama 2's, so the template is a guess, and no guess where somebody asked for it.
        Assert.Contains("400 words", usual.TemplateNote, StringComparison.Ordinal);
        using var asked = EditUnlearn.Models.Checkpoint.Load(_folder.Path, template: "llama2");
        Assert.Null(asked.TemplateNote);
        Assert.Contains(
            "holds no chat template",
            Assert
                .Throws<InputException>(() => EditUnlearn.Models.Checkpoint.Load(_folder.Path, template: "own"))
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_file_of_its_own_comes_first_and_of_several_with_names_the_default()
    {
        Write(
            JsonSerializer.Serialize(
                new[] { new { name = "tools", template = "t" }, new { name = "default", template = "d" } }
            )
        );
        Assert.Equal("d", TokenizerFiles.Read(_folder.Path).ChatTemplate()?.Text);
        File.WriteAllText(_folder["chat_template.jinja"], "file");
        Assert.Equal(
            ("file", "chat_template.jinja"),
            (
                TokenizerFiles.Read(_folder.Path).ChatTemplate()?.Text,
                Path.GetFileName(TokenizerFiles.Read(_folder.Path).ChatTemplate()?.Path)
            )
        );
    }

    [Fact]
    public void A_day_in_a_template_is_the_same_every_day()
    {
        var (template, _) = Template("{{ strftime_now('%d %b %Y') }}: {{ messages[0].content }}");
        Assert.Equal("26 Jul 2024: {q}", template.Pattern);
    }

    [Fact]
    public void Facts_show_one_prompt_with_its_tokens()
    {
        Checkpoint(ChatMl);
        var facts = CheckpointFacts.Of(_folder.Path).Chat!;
        Assert.Equal(("own", "the checkpoint's own, of tokenizer_config.json"), (facts.Template, facts.Origin));
        Assert.StartsWith("<|im_start|>user\n", facts.Prompt, StringComparison.Ordinal);
        Assert.Equal((3, "<|im_start|>"), facts.Tokens[0]);
        Assert.Contains("3:'<|im_start|>'", string.Join('\n', facts.Lines()), StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private void Write(string? template)
    {
        var chat = template is null ? "" : $", \"chat_template\": {template}";
        File.WriteAllText(
            _folder["tokenizer_config.json"],
            $$"""{"bos_token": "<s>", "eos_token": {"content": "</s>"}{{chat}}}"""
        );
        File.WriteAllBytes(
            _folder["tokenizer.model"],
            TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words(), "<|im_start|>", "<|im_end|>"))
        );
    }

    private (ChatTemplate Template, ITokenizer Tokenizer) Template(string jinja)
    {
        Write(JsonSerializer.Serialize(jinja));
        var tokenizer = TokenizerFolder.Load(_folder.Path, Config);
        return (PublishedTemplate.Read(TokenizerFiles.Read(_folder.Path))!.ForQuestions(tokenizer), tokenizer);
    }

    // A model with the template in its folder.
    private void Checkpoint(string? jinja)
    {
        Write(jinja is null ? null : JsonSerializer.Serialize(jinja));
        var model = CausalLm.Random(Config, new Seed(1));
        using var made = new Checkpoint(model, TokenizerFolder.Load(_folder.Path, Config));
        made.Save(_folder.Path);
    }
}
