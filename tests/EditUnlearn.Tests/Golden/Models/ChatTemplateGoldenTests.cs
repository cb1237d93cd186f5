using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using EditUnlearn.Models;
using EditUnlearn.Models.Chat;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Models;

/// <summary>
/// Chat templates as publishers write them, against the library they are written for: the same text, or a refusal of
/// the same kind.
/// </summary>
[Trait("Category", "Golden")]
public sealed class ChatTemplateGoldenTests
{
    private const string Part = "chat";
    private const string Templates = Part + "/templates*.json";
    private const string Ids = Part + "/*-ids.json";

    private static readonly ConcurrentDictionary<string, Lazy<JsonElement>> Read = new(StringComparer.Ordinal);

    public static TheoryData<string, string> Groups()
    {
        var groups = new TheoryData<string, string>();
        foreach (var file in Files(Templates))
            foreach (var group in Cases(file).Select(c => c.GetProperty("group").GetString()!).Distinct())
                groups.Add(file, group);
        return groups;
    }

    [GoldenTheory(Templates)]
    [MemberData(nameof(Groups))]
    public void Every_case_gives_the_same_text_or_the_same_refusal(string file, string group)
    {
        var cases = Cases(file).Where(c => c.GetProperty("group").GetString() == group).ToList();
        var wrong = cases.Select(Difference).OfType<string>().ToList();
        Assert.True(
            wrong.Count == 0,
            $"{wrong.Count} of {cases.Count} cases of {group} differ:\n" + string.Join('\n', wrong.Take(10))
        );
    }

    [GoldenFact(Templates)]
    public void The_files_hold_as_many_cases_as_they_say() =>
        Assert.All(Files(Templates), f => Assert.Equal(Head(f).GetProperty("count").GetInt32(), Cases(f).Count()));

    public static TheoryData<string> IdFiles() => [.. Files(Ids)];

    [ChatIdsTheory(Ids)]
    [MemberData(nameof(IdFiles))]
    public void Messages_become_the_same_text_and_ids_with_a_real_tokenizer(string file)
    {
        var folder = RealModels.Folder();
        var tokenizer = TokenizerFolder.Load(folder, ConfigFile.Read(Path.Combine(folder, ConfigFile.Name)).Config);
        var files = TokenizerFiles.Read(folder);
        var template = JinjaTemplate.Parse(files.ChatTemplate()!.Value.Text, folder);
        Assert.Equal(Head(file).GetProperty("count").GetInt32(), Cases(file).Count());
        foreach (var c in Cases(file))
        {
            var names = Names(c);
            foreach (var (name, text) in PublishedTemplate.SpecialNames(files))
                names[name] = JsonSerializer.SerializeToElement(text);
            var made = template.Render(names, DateTime.UnixEpoch);
            Assert.Equal(c.GetProperty("text").GetString(), made);
            Assert.Equal(Goldens.Ints(c.GetProperty("ids")), tokenizer.ParseSpecial(made).Select(s => s.Id));
        }
    }

    [ChatIdsTheory(Ids)]
    [MemberData(nameof(IdFiles))]
    public void The_template_that_comes_along_for_a_real_model_is_its_own_word_for_word(string file)
    {
        var folder = RealModels.Folder();
        var config = ConfigFile.Read(Path.Combine(folder, ConfigFile.Name)).Config;
        var tokenizer = TokenizerFolder.Load(folder, config);
        var files = TokenizerFiles.Read(folder);
        var own = PublishedTemplate.Read(files)!.ForQuestions(tokenizer);
        var known = TemplateCatalog.Published(files.ChatTemplate()!.Value.Text)!;
        Assert.Equal((known.Pattern, known.Bos, known.Trims), (own.Pattern, own.Bos, own.Trims));
        Assert.Equal(known.Stop[0], own.Stop[0]);
        Assert.Equal(known.Marks.Order(), own.Marks.Order());
        // The pattern asks as the template itself does, where a question spells no token.
        var encoder = new RowEncoder(tokenizer, own, config);
        var asked = Cases(file)
            .Where(c =>
                c.GetProperty("add_generation_prompt").GetBoolean()
                && c.GetProperty("messages").GetArrayLength() == 1
                && c.GetProperty("messages")[0].GetProperty("role").GetString() == "user"
            )
            .Select(c =>
                (Content: c.GetProperty("messages")[0].GetProperty("content").GetString()!, Ids: c.GetProperty("ids"))
            )
            .Where(c => !tokenizer.Specials.Ids.Keys.Any(n => c.Content.Contains(n, StringComparison.Ordinal)))
            .ToList();
        Assert.NotEmpty(asked);
        Assert.All(asked, c => Assert.Equal(Goldens.Ints(c.Ids), encoder.Prompt(c.Content)));
    }

    // What is different about a case; null where nothing is.
    private static string? Difference(JsonElement c)
    {
        var name = c.GetProperty("name").GetString();
        var expected = c.TryGetProperty("expected_text", out var text) ? text.GetString() : null;
        var error = expected is null ? c.GetProperty("expected_error") : default;
        var now = DateTime.Parse(c.GetProperty("now").GetString()!, CultureInfo.InvariantCulture);
        try
        {
            var made = JinjaTemplate
                .ParseOrFault(c.GetProperty("chat_template").GetString()!)
                .RenderOrFault(Names(c), now);
            return made == expected ? null
                : expected is null ? $"{name}: gave {Short(made)}, not the error {error}"
                : $"{name}: gave {Short(made)}\n  not {Short(expected)}";
        }
        catch (JinjaFault e) when (expected is null)
        {
            var (kind, message) = (error.GetProperty("kind").GetString(), error.GetProperty("message").GetString());
            var same =
                kind == "raised" ? e.Kind == FaultKind.Raised && e.Message == message : e.Kind != FaultKind.Raised;
            return same ? null : $"{name}: refused as {e.Kind}, '{e.Message}', not {kind}, '{message}'";
        }
        catch (JinjaFault e)
        {
            return $"{name}: refused as {e.Kind}, '{e.Message}'\n  not {Short(expected!)}";
        }
    }

    // Names the library defines: always the chat, special tokens where they are set, and what a caller adds.
    private static Dictionary<string, JsonElement> Names(JsonElement c)
    {
        var names = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var name in new[] { "messages", "add_generation_prompt", "tools", "documents" })
            if (c.TryGetProperty(name, out var value))
                names[name] = value;
        foreach (var name in new[] { "bos_token", "eos_token" })
            if (c.TryGetProperty(name, out var token) && token.ValueKind == JsonValueKind.String)
                names[name] = token;
        if (c.TryGetProperty("template_kwargs", out var more) && more.ValueKind == JsonValueKind.Object)
            foreach (var property in more.EnumerateObject())
                names[property.Name] = property.Value;
        return names;
    }

    private static string Short(string text) =>
        JsonSerializer.Serialize(text) is var shown && shown.Length > 400 ? shown[..400] + "..." : shown;

    private static IEnumerable<string> Files(string path) =>
        Goldens.Files(Checkout.Goldens, path).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);

    private static JsonElement Head(string file) => Read.GetOrAdd(file, f => new(() => Goldens.Json(Part, f))).Value;

    private static IEnumerable<JsonElement> Cases(string file) => Head(file).GetProperty("cases").EnumerateArray();
}

/// <summary>A theory over chats with the ids that a real model's tokenizer gives.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ChatIdsTheoryAttribute : TheoryAttribute, IReadsGoldens
{
    /// <param name="needs">Files below the golden folder.</param>
    public ChatIdsTheoryAttribute(string needs) =>
        (Needs, Skip) = (needs, Goldens.Missing(needs) ?? RealModels.Missing());

    /// <inheritdoc/>
    public string Needs { get; }
}
