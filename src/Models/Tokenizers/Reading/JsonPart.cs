using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>
/// A part of a JSON file with its place, such as <c>pre_tokenizer.pretokenizers[1]</c>. What is wrong is collected, not
/// thrown: a reader goes on with a default and all problems are told at once.
/// </summary>
internal sealed class JsonPart
{
    private readonly List<InputProblem> _problems;
    private readonly string _file;

    private JsonPart(JsonElement json, string path, string file, List<InputProblem> problems) =>
        (Json, Path, _file, _problems) = (json, path, file, problems);

    /// <summary>The whole of a file.</summary>
    public static JsonPart Root(JsonElement json, string file, List<InputProblem> problems) =>
        new(json, "", file, problems);

    /// <summary>What the file holds here.</summary>
    public JsonElement Json { get; }

    /// <summary>Where that is.</summary>
    public string Path { get; }

    /// <summary>The field <c>type</c>.</summary>
    public string Type => Text("type") ?? "";

    /// <summary>The field of that name; null where it is absent or null.</summary>
    public JsonPart? Find(string name) =>
        Json.ValueKind == JsonValueKind.Object
        && Json.TryGetProperty(name, out var json)
        && json.ValueKind != JsonValueKind.Null
            ? new JsonPart(json, Path.Length == 0 ? name : $"{Path}.{name}", _file, _problems)
            : null;

    /// <summary>The object of that name; null where it is absent, or something else.</summary>
    public JsonPart? Object(string name) => Find(name)?.If(JsonValueKind.Object, "an object");

    /// <summary>The parts of the list of that name; none where it is absent.</summary>
    public IReadOnlyList<JsonPart> List(string name) => Find(name)?.Items() ?? [];

    /// <summary>The parts of this list.</summary>
    public IReadOnlyList<JsonPart> Items() =>
        If(JsonValueKind.Array, "a list") is null
            ? []
            : [.. Json.EnumerateArray().Select((json, i) => new JsonPart(json, $"{Path}[{i}]", _file, _problems))];

    /// <summary>The text of that name; null where it is absent.</summary>
    public string? Text(string name) => Find(name)?.AsText();

    /// <summary>This as text; null where it is none.</summary>
    public string? AsText()
    {
        if (If(JsonValueKind.String, "a text") is null)
            return null;
        try
        {
            return Json.GetString();
        }
        catch (InvalidOperationException)
        {
            Refuse("holds text that is no valid Unicode");
            return null;
        }
    }

    /// <summary>The text of that name; a problem where it is absent.</summary>
    public string Needed(string name)
    {
        if (Find(name) is null)
            Refuse($"has no '{name}'");
        return Text(name) ?? "";
    }

    /// <summary>Whether that name is true.</summary>
    public bool Flag(string name, bool whenAbsent = false)
    {
        if (Find(name) is not { } part)
            return whenAbsent;
        if (part.Json.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return part.Json.ValueKind == JsonValueKind.True;
        part.Refuse($"is {part.Shown()}, not true or false");
        return whenAbsent;
    }

    /// <summary>The number of that name, from 0 on; 0 where it is absent.</summary>
    public int Count(string name) => Find(name)?.AsCount(int.MaxValue, "a count") ?? 0;

    /// <summary>This as a number from 0 to below an end.</summary>
    public int? AsCount(int end, string what)
    {
        if (Json.ValueKind == JsonValueKind.Number && Json.TryGetInt32(out var number) && number >= 0 && number < end)
            return number;
        Refuse($"is {Shown()}, not {what}");
        return null;
    }

    /// <summary>Notes a problem of this part.</summary>
    public void Refuse(string problem, string? hint = null)
    {
        problem = Path.Length == 0 ? problem : $"{Path} {problem}";
        // A field may be asked for more than once.
        if (!_problems.Any(p => p.Message == problem))
            _problems.Add(new InputProblem(_file, 0, 0, problem, hint ?? TokenizerJson.Hint));
    }

    /// <summary>Notes that the step this part names is not known.</summary>
    public void RefuseType(string what) =>
        Refuse(
            Json.ValueKind != JsonValueKind.Object ? $"is {Shown()}, not {what}"
            : Type.Length == 0 ? $"does not say which {what} it is"
            : $"is '{Shortened(Type)}', {what} that is not supported"
        );

    /// <summary>As the file has it, shortened.</summary>
    public string Shown() => Shortened(Json.GetRawText());

    /// <summary>A text of the file, shortened.</summary>
    public static string Shortened(string text) => text.Length > 60 ? text[..60] + "..." : text;

    private JsonPart? If(JsonValueKind kind, string what)
    {
        if (Json.ValueKind == kind)
            return this;
        Refuse($"is {Shown()}, not {what}");
        return null;
    }
}
