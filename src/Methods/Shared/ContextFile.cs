using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Methods.Shared;

/// <summary>The context prefixes of one model as a file: texts by recipe, and whose weights wrote them.</summary>
public static class ContextFile
{
    private const string Format = "contexts/2",
        Older = "contexts/1";

    /// <summary>Writes the prefixes of every recipe, the empty ones first.</summary>
    /// <param name="path">Where.</param>
    /// <param name="fingerprint">Of the model that wrote them.</param>
    /// <param name="prefixes">Texts and their tokens.</param>
    public static void Write(
        string path,
        string fingerprint,
        IReadOnlyDictionary<ContextRecipe, IReadOnlyList<ContextPrefix>> prefixes
    )
    {
        ArgumentNullException.ThrowIfNull(prefixes);
        using var file = File.Create(path);
        using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = false });
        json.WriteStartObject();
        json.WriteString("format", Format);
        json.WriteString("model", fingerprint);
        foreach (var (recipe, rows) in prefixes.OrderBy(p => p.Key))
        {
            json.WriteStartArray(Name(recipe));
            foreach (var row in rows)
            {
                json.WriteStartObject();
                json.WriteString("text", row.Text);
                json.WriteStartArray("ids");
                foreach (var id in row.Ids)
                    json.WriteNumberValue(id);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    /// <summary>Reads the empty prefix and <paramref name="count"/> generated ones of a recipe.</summary>
    /// <param name="path">The file.</param>
    /// <param name="fingerprint">Of the model that will be edited.</param>
    /// <param name="recipe">Which.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="InputException">Another model wrote them, or there are fewer.</exception>
    /// <exception cref="DamagedFileException">The file breaks its format.</exception>
    public static IReadOnlyList<ContextPrefix> Read(string path, string fingerprint, ContextRecipe recipe, int count)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var format = json.RootElement.GetProperty("format").GetString();
            if (format == Older)
                throw new InputException(
                    path,
                    "these context prefixes were written by an earlier version of the program, without their texts",
                    "leave the file out or remove it, and they are made again"
                );
            if (format != Format)
                throw new JsonException($"its format is not {Format}");
            if (json.RootElement.GetProperty("model").GetString() != fingerprint)
                throw new InputException(
                    path,
                    "these context prefixes were written by another model",
                    "make them again from the model that is edited (stage 'contexts'; for a model of your own "
                        + "without --contexts)"
                );
            IReadOnlyList<ContextPrefix> rows =
            [
                .. json
                    .RootElement.GetProperty(Name(recipe))
                    .EnumerateArray()
                    .Select(r => new ContextPrefix(
                        r.GetProperty("text").GetString() ?? throw new JsonException("a prefix has no text"),
                        [.. r.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())]
                    )),
            ];
            if (rows.Count == 0 || rows[0] is not { Text: "", Ids.Count: 0 })
                throw new JsonException("its first prefix is not the empty one");
            if (rows.Count <= count)
                throw new InputException(
                    path,
                    $"holds {rows.Count - 1} prefixes, but {count} are asked for",
                    $"set contexts to {rows.Count - 1} at most"
                );
            return [.. rows.Take(count + 1)];
        }
        catch (Exception e)
            when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new DamagedFileException(path, "is not a file of context prefixes: " + e.Message, inner: e);
        }
    }

    private static string Name(ContextRecipe recipe) =>
        recipe switch
        {
            ContextRecipe.Rome => "rome",
            ContextRecipe.Memit => "memit",
            ContextRecipe.Wise => "wise",
            _ => throw new ArgumentOutOfRangeException(nameof(recipe), recipe, null),
        };
}
