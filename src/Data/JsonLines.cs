using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>JSON Lines from strangers: one object a line, empty lines do not count.</summary>
public static class JsonLines
{
    /// <summary>
    /// The objects with their lines, from 1; null where a line holds none, for the reader to complain about in its own
    /// words.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">The file is absent or not UTF-8.</exception>
    public static IEnumerable<(int Line, JsonObject? Value)> Read(string path) =>
        Text(path)
            .Split('\n')
            .Index()
            .Where(l => !string.IsNullOrWhiteSpace(l.Item))
            .Select(l => (l.Index + 1, Parse(l.Item)));

    /// <summary>A whole file as text.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">The file is absent or not UTF-8.</exception>
    public static string Text(string path) => UserFile.Text(path);

    private static JsonObject? Parse(string line)
    {
        try
        {
            return JsonTexts.Checked(
                    JsonNode.Parse(
                        line,
                        documentOptions: new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false }
                    )
                ) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
        catch (InvalidOperationException)
        {
            return null; // text that is no valid Unicode
        }
    }
}
