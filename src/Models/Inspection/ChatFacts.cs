using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Chat;
using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Models.Inspection;

/// <summary>How a model folder is asked: the chat template in force and one prompt in it.</summary>
/// <param name="Template">Its name.</param>
/// <param name="Origin">Where it comes from, or why it cannot be used.</param>
/// <param name="Prompt">The text of one prompt, BOS first; empty where there is none.</param>
/// <param name="Tokens">Its tokens, each with its id and its text.</param>
public sealed record ChatFacts(
    string Template,
    string Origin,
    string Prompt,
    IReadOnlyList<(int Id, string Text)> Tokens
)
{
    private const string Question = "Who wrote 'Dracula'?";

    /// <summary>Looks at a folder; null where it has no tokenizer that can be read.</summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="config">Its config.</param>
    public static ChatFacts? Of(string folder, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        ITokenizer tokenizer;
        try
        {
            tokenizer = TokenizerFolder.Load(folder, config);
        }
        catch (Exception e) when (e is InputException or DamagedFileException)
        {
            return null; // said where the tokenizer is needed; the rest of the folder can still be looked at
        }
        try
        {
            return Of(
                TemplateChoice.Of(
                    null,
                    false,
                    TokenizerFiles.Read(folder),
                    FamilyCatalog.Get(config.Family),
                    tokenizer
                ),
                tokenizer,
                config
            );
        }
        catch (InputException e)
        {
            return new ChatFacts("none", e.Problems[0].ToString(), "", []);
        }
    }

    private static ChatFacts Of(TemplateChoice choice, ITokenizer tokenizer, ModelConfig config)
    {
        var encoder = new RowEncoder(tokenizer, choice.Template, config);
        var text = encoder.Template.Prompt(Question);
        var spans = encoder.PromptWithOffsets(Question);
        string Name(int id) =>
            tokenizer.Specials.Ids.FirstOrDefault(s => s.Value == id).Key ?? id.ToString(CultureInfo.InvariantCulture);
        var begin = encoder.BosId is { } bos ? Name(bos) : "";
        var tokens = spans
            .Index()
            .Select(s =>
                (s.Item.Id, s.Index == 0 && encoder.BosId is not null ? begin : text[s.Item.Start..s.Item.End])
            );
        return new ChatFacts(choice.Template.Name, choice.Origin, begin + text, [.. tokens]);
    }

    /// <summary>For people: a label and a value a line.</summary>
    public IEnumerable<(string What, string Value)> Lines()
    {
        yield return ("chat template", $"{Template}: {Origin}");
        if (Tokens.Count == 0)
            yield break;
        yield return ("a prompt", PythonText.Quoted(Prompt));
        yield return (
            $"its {Tokens.Count} tokens",
            string.Join(
                " ",
                Tokens.Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Id}:{PythonText.Quoted(t.Text)}"))
            )
        );
    }

    /// <summary>For programs.</summary>
    public JsonObject ToJson() =>
        new()
        {
            ["template"] = Template,
            ["origin"] = Origin,
            ["prompt"] = Prompt,
            ["tokens"] = new JsonArray([.. Tokens.Select(t => new JsonObject { ["id"] = t.Id, ["text"] = t.Text })]),
        };
}
