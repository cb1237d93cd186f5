using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Models;

/// <summary>The chat templates: those that come along, and files a user adds.</summary>
internal static class TemplateCatalog
{
    private const long LargestFile = 1 << 20;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    /// <summary>Names of the templates that come along.</summary>
    public static IReadOnlyList<string> Names { get; } =
    ["llama2", "mistral", "mistral-v3", "llama31", "smollm2", "qwen2", "qwen3", "gemma", "plain"];

    /// <summary>A template that comes along.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static ChatTemplate Get(string name)
    {
        if (!Names.Contains(name))
            throw new ArgumentException(
                $"There is no template '{name}'; known are {string.Join(", ", Names)}.",
                nameof(name)
            );
        var resource = $"{typeof(TemplateCatalog).Namespace}.Templates.{name}.json";
        using var stream =
            Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"There is no template {resource}.");
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return Parse(name + ".json", bytes.ToArray());
    }

    /// <summary>A template by name or file.</summary>
    /// <param name="nameOrFile">One of <see cref="Names"/>, or the path of a JSON file with the same fields.</param>
    /// <exception cref="InputException">There is no such template, or the file is not one.</exception>
    public static ChatTemplate Find(string nameOrFile)
    {
        ArgumentNullException.ThrowIfNull(nameOrFile);
        if (Names.Contains(nameOrFile))
            return Get(nameOrFile);
        var file = new FileInfo(nameOrFile);
        if (!file.Exists)
            throw new InputException(
                nameOrFile,
                "is neither a chat template nor a file",
                Spelling.Nearest(nameOrFile, [.. Names, ChatTemplate.Own, ChatTemplate.OfFamily]) is { } near
                    ? $"did you mean '{near}'?"
                    : $"templates: {string.Join(", ", Names)}; {ChatTemplate.Own} for the checkpoint's"
            );
        if (file.Length > LargestFile)
            throw new InputException(nameOrFile, "is too large for a chat template");
        return Parse(nameOrFile, File.ReadAllBytes(file.FullName));
    }

    /// <summary>
    /// The template for a vocabulary: the one given, or the one it names for vocabularies like this, as Mistral v0.3
    /// holds <c>[INST]</c> as a token.
    /// </summary>
    public static ChatTemplate For(ChatTemplate template, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(template);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return template.UseInstead is { } other && template.IfHeld.All(m => tokenizer.Specials.Find(m) is not null)
            ? Get(other)
            : template;
    }

    /// <summary>The template for models whose publisher wrote such a one; null where none is known by it.</summary>
    /// <param name="published">In Jinja, from the model folder; null where there is none.</param>
    public static ChatTemplate? Published(string? published) =>
        published is null
            ? null
            : Names
                .Select(Get)
                .FirstOrDefault(t => t.KnownBy is { } sign && published.Contains(sign, StringComparison.Ordinal));

    private static ChatTemplate Parse(string path, byte[] bytes)
    {
        ChatTemplate template;
        try
        {
            template =
                JsonSerializer.Deserialize<ChatTemplate>(bytes, Options) ?? throw new JsonException("it is empty");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InputException(
                path,
                "is not a chat template: " + e.Message,
                "an object with pattern, marks, bos, stop, as src/Models/Templates/llama31.json"
            );
        }
        var problems = Problems(template).Select(p => new InputProblem(path, 0, 0, p)).ToList();
        if (problems.Count > 0)
            throw new InputException(problems);
        return template.Name.Length > 0 ? template : template with { Name = Path.GetFileNameWithoutExtension(path) };
    }

    private static IEnumerable<string> Problems(ChatTemplate t)
    {
        if (t.Marks is null || t.Stop is null || t.IfHeld is null || t.Name is null)
        {
            yield return "name, marks, stop and ifHeld cannot be null";
            yield break;
        }
        foreach (var (name, pattern) in new[] { ("pattern", t.Pattern), ("official", t.Official ?? ChatTemplate.Slot) })
            if ((pattern ?? "").Split(ChatTemplate.Slot).Length != 2)
                yield return $"{name} must hold {ChatTemplate.Slot} exactly once";
        foreach (var mark in t.Marks)
            if (string.IsNullOrEmpty(mark) || !(t.Pattern ?? "").Contains(mark, StringComparison.Ordinal))
                yield return $"marks names '{mark}', which the pattern does not hold";
        if (t.UseInstead is { } other && (!Names.Contains(other) || t.IfHeld.Count == 0))
            yield return $"useInstead names '{other}': it must be a template that comes along, with ifHeld beside it";
    }
}
