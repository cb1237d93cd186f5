using System.Text.Json;
using System.Text.Json.Nodes;

namespace EditUnlearn.Data;

/// <summary>
/// Texts inside JSON that are no Unicode: a half of a surrogate pair, as strings cut in two leave it.
/// </summary>
internal static class JsonTexts
{
    /// <summary>A parser's complaint in words for somebody who does not know it.</summary>
    public static string Explained(JsonException e)
    {
        var said = e.Message.Split(" LineNumber")[0].Split(" Path:")[0];
        return said.Contains("trailing comma", StringComparison.OrdinalIgnoreCase)
                ? "a comma too many, before a closing bracket"
            : said.Contains("maximum configured depth", StringComparison.OrdinalIgnoreCase) ? "nested too deeply"
            : said.Contains("'/' is an invalid start", StringComparison.Ordinal) ? "JSON has no comments"
            : said.Contains("'N' is an invalid start", StringComparison.Ordinal)
                ? "NaN and None are no JSON; write null"
            : said.Contains("'\u0027' is an invalid start", StringComparison.Ordinal)
                ? "texts stand between double quotes, not single ones"
            : said.TrimEnd('.');
    }

    /// <summary>The name of the field that holds a text that cannot be read, as well as it can be told.</summary>
    public static string Broken(string json)
    {
        try
        {
            if (JsonNode.Parse(json) is JsonObject o)
                foreach (var (name, value) in o)
                    try
                    {
                        Checked(value);
                    }
                    catch (InvalidOperationException)
                    {
                        return name;
                    }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A name itself is broken.
        }
        return "a field";
    }

    /// <summary>The node, all of whose names and texts can be read.</summary>
    /// <exception cref="InvalidOperationException">One cannot.</exception>
    public static JsonNode? Checked(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject o:
                foreach (var (_, value) in o)
                    Checked(value);
                break;
            case JsonArray a:
                foreach (var item in a)
                    Checked(item);
                break;
            case JsonValue v when v.GetValueKind() == JsonValueKind.String:
                _ = v.GetValue<string>();
                break;
        }
        return node;
    }
}
