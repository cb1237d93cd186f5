using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Models.Chat;

/// <summary>The chat template of a model folder, as its publisher wrote it, and the pattern for questions.</summary>
internal sealed class PublishedTemplate
{
    private const string WayOut = "--template NAME or a file of one's own asks the model without it";

    // Texts that stand for a question. Two, so that a template that looks at the question is found out.
    private const string Probe = "Aq7Zx kW",
        Other = "7wXb, zQ9 Kk Rp?",
        Answer = "Yp3Vd mT";

    // Templates may write the day. Prompts must not change from one to the next, so there is one day for all: the one
    // that the templates of Llama 3.1 fall back on themselves.
    private static readonly DateTime Today = new(2024, 7, 26);

    private static readonly string[] TokenNames =
    [
        "bos_token",
        "eos_token",
        "unk_token",
        "sep_token",
        "pad_token",
        "cls_token",
        "mask_token",
    ];

    private readonly JinjaTemplate _template;
    private readonly Dictionary<string, string> _tokens;
    private readonly string _path;

    private PublishedTemplate(JinjaTemplate template, Dictionary<string, string> tokens, string path) =>
        (_template, _tokens, _path) = (template, tokens, path);

    /// <summary>Reads it; null where the folder has none.</summary>
    /// <exception cref="InputException">It is not valid, or uses what is not read here.</exception>
    public static PublishedTemplate? Read(TokenizerFiles files) =>
        files.ChatTemplate() is { } own
            ? new(JinjaTemplate.Parse(own.Text, own.Path), SpecialNames(files), own.Path)
            : null;

    /// <summary>
    /// Texts of the special tokens a folder names, by the names that a template knows them by; only those that are set.
    /// </summary>
    public static Dictionary<string, string> SpecialNames(TokenizerFiles files)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in new[] { TokenizerFiles.SpecialMap, TokenizerFiles.Config })
            if (files.Find(file) is { } bytes && JsonNode.Parse(bytes) is JsonObject tokens)
                foreach (var name in TokenNames)
                    if ((tokens[name] is JsonObject o ? o["content"] : tokens[name]) is JsonValue value)
                        if (value.TryGetValue<string>(out var text))
                            names[name] = text;
        return names;
    }

    /// <summary>The text of a chat, for whom the text alone matters.</summary>
    /// <param name="messages">Role and content, in order.</param>
    /// <param name="prompt">Whether the answer's begin follows.</param>
    /// <exception cref="InputException">The template refuses them or fails.</exception>
    public string Render(IEnumerable<(string Role, string Content)> messages, bool prompt)
    {
        var names = _tokens.ToDictionary(t => t.Key, t => JsonSerializer.SerializeToElement(t.Value));
        names["messages"] = JsonSerializer.SerializeToElement(
            messages.Select(m => new Dictionary<string, string> { ["role"] = m.Role, ["content"] = m.Content })
        );
        names["add_generation_prompt"] = JsonSerializer.SerializeToElement(prompt);
        return _template.Render(names, Today);
    }

    /// <summary>
    /// The pattern it puts questions in. Special tokens that the template writes are marks; what a question spells
    /// stays text.
    /// </summary>
    /// <exception cref="InputException">The template refuses or fails, or does more to a question than to trim it.
    /// </exception>
    public ChatTemplate ForQuestions(ITokenizer tokenizer)
    {
        var pattern = Pattern(Probe);
        if (Pattern(Other) != pattern)
            throw Refused("writes other text around one question than around another");
        var around = Prompt($"  {Probe} \n");
        var trims = around == pattern.Replace(ChatTemplate.Slot, Probe, StringComparison.Ordinal);
        if (!trims && around != pattern.Replace(ChatTemplate.Slot, $"  {Probe} \n", StringComparison.Ordinal))
            throw Refused("changes white space around a question other than by leaving all of it out");
        string? begin = null;
        // A token that stands at each turn is no begin of the text, even where the folder calls it so.
        if (
            _tokens.GetValueOrDefault("bos_token") is { Length: > 0 } bos
            && pattern.StartsWith(bos, StringComparison.Ordinal)
            && pattern.LastIndexOf(bos, StringComparison.Ordinal) == 0
            && tokenizer.Specials.Find(bos) is not null
        )
            (begin, pattern) = (bos, pattern[bos.Length..]);
        return new ChatTemplate(pattern)
        {
            Name = ChatTemplate.Own,
            Source = _path,
            Official = pattern,
            Trims = trims,
            Marks = [.. Specials(tokenizer, pattern).Distinct()],
            Bos = begin,
            Stop = Stop(tokenizer) is { } stop ? [stop] : [],
        };
    }

    private string Prompt(string question) => Render([("user", question)], prompt: true);

    private string Pattern(string question)
    {
        var text = Prompt(question);
        var parts = text.Split(question);
        if (parts.Length != 2)
            throw Refused(
                parts.Length > 2 ? "writes a question more than once" : "changes a question or leaves it out"
            );
        if (text.Contains(ChatTemplate.Slot, StringComparison.Ordinal))
            throw Refused($"writes '{ChatTemplate.Slot}', which stands for the question here");
        return parts[0] + ChatTemplate.Slot + parts[1];
    }

    private InputException Refused(string what) => new(_path, "the chat template " + what, WayOut);

    // The token that the template writes right after an answer; null where that is none, or an answer is refused.
    private string? Stop(ITokenizer tokenizer)
    {
        string text;
        try
        {
            text = Render([("user", Probe), ("assistant", Answer)], prompt: false);
        }
        catch (InputException)
        {
            return null;
        }
        var at = text.IndexOf(Answer, StringComparison.Ordinal);
        if (at < 0)
            return null;
        var rest = text[(at + Answer.Length)..];
        var (start, length, id) = new NameMatcher(tokenizer.Specials.Ids)
            .Split(rest)
            .FirstOrDefault(s => s.Id is not null);
        return id is not null && string.IsNullOrWhiteSpace(rest[..start]) ? rest.Substring(start, length) : null;
    }

    private static IEnumerable<string> Specials(ITokenizer tokenizer, string text) =>
        new NameMatcher(tokenizer.Specials.Ids)
            .Split(text)
            .Where(s => s.Id is not null)
            .Select(s => text.Substring(s.Start, s.Length));
}
