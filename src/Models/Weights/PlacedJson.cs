using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// A JSON object from a file, with the place of every field, so that a complaint can name line and column.
/// </summary>
/// <remarks>
/// Everything a later look-up could trip over is refused here: size, depth, duplicate fields, text that is no valid
/// Unicode.
/// </remarks>
internal sealed class PlacedJson
{
    private const int MaxDepth = 16;
    private static readonly JsonDocumentOptions Options = new()
    {
        MaxDepth = MaxDepth,
        AllowDuplicateProperties = false,
    };

    private readonly Dictionary<string, (int Line, int Column)> _places = new(StringComparer.Ordinal);

    private PlacedJson(string path, JsonObject root)
    {
        Path = path;
        Root = root;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Its fields.</summary>
    public JsonObject Root { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is too large, not JSON or not an object; the message says where.</exception>
    public static PlacedJson Read(string path, long maxBytes = 1 << 24)
    {
        ReadOnlyMemory<byte> bytes = UserFile.Bytes(path, maxBytes);
        if (UserFile.Stranger(bytes.Span) is var (what, hint))
            throw new InputException(path, what, hint);
        bytes = bytes[^UserFile.WithoutMark(bytes.Span).Length..];
        try
        {
            // duplicates and depth; JsonObject would find the former only when used
            using var checkedText = JsonDocument.Parse(bytes, Options);
            if (checkedText.RootElement.ValueKind != JsonValueKind.Object)
                throw new InputException(path, "is not a JSON object");
            var json = new PlacedJson(path, (JsonObject)JsonNode.Parse(bytes.Span, documentOptions: Options)!);
            json.Locate(bytes.Span);
            return json;
        }
        catch (JsonException e)
        {
            throw new InputException(
                new InputProblem(
                    path,
                    (int)(e.LineNumber ?? -1) + 1,
                    (int)(e.BytePositionInLine ?? -1) + 1,
                    "not valid JSON: " + Brief(e)
                )
            );
        }
        catch (InvalidOperationException)
        {
            throw new InputException(path, "holds text that is no valid Unicode");
        }
    }

    /// <summary>A problem at a field: <c>rope_scaling.factor</c>, or the nearest field around it.</summary>
    public InputProblem Problem(string field, string message, string? hint = null)
    {
        for (var at = field; ; at = at[..at.LastIndexOf('.')])
        {
            if (_places.TryGetValue(at, out var place))
                return new InputProblem(Path, place.Line, place.Column, message, hint);
            if (!at.Contains('.', StringComparison.Ordinal))
                return new InputProblem(Path, 0, 0, message, hint);
        }
    }

    // The library's own text ends with its place, which the problem says already.
    private static string Brief(JsonException e)
    {
        var end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? e.Message : e.Message[..end];
    }

    // Fields of the object and of the objects in it; deeper ones are not spoken of. Reading every text also proves it
    // is Unicode.
    private void Locate(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = MaxDepth });
        var outer = "";
        long line = 1,
            lineStart = 0,
            counted = 0;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.String)
                _ = reader.GetString();
            if (reader.TokenType != JsonTokenType.PropertyName)
                continue;
            var name = reader.GetString()!;
            for (; counted < reader.TokenStartIndex; counted++)
                if (bytes[(int)counted] == (byte)'\n')
                {
                    line++;
                    lineStart = counted + 1;
                }
            var place = ((int)line, (int)(reader.TokenStartIndex - lineStart) + 1);
            if (reader.CurrentDepth == 1)
                _places[outer = name] = place;
            else if (reader.CurrentDepth == 2)
                _places[outer + "." + name] = place;
        }
    }
}
