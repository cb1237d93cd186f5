using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>
/// Reads rephrasings that a user wrote or had written: JSON Lines of <c>{"id", "rephrasings": [..]}</c> (docs/data.md,
/// "Rephrasings").
/// </summary>
public static class RephrasingFile
{
    /// <summary>Rephrasings by question id.</summary>
    /// <param name="path">The file.</param>
    /// <param name="known">Ids of the data set.</param>
    /// <exception cref="InputException">All that is wrong with it, with lines and fields.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Read(string path, IReadOnlySet<string> known)
    {
        ArgumentNullException.ThrowIfNull(known);
        var (found, problems) = (
            new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal),
            new List<InputProblem>()
        );
        foreach (var (line, value) in JsonLines.Read(path))
        {
            void Wrong(string message, string? hint = null) =>
                problems.Add(new InputProblem(path, line, 0, message, hint));
            if (value is null)
                Wrong("is not a JSON object", "one {\"id\": .., \"rephrasings\": [..]} a line");
            else if (value["id"] is not JsonValue v || !v.TryGetValue<string>(out var id))
                Wrong("id is missing or not text");
            else if (!known.Contains(id))
                Wrong(
                    $"id '{id}' is not in the data",
                    Spelling.Nearest(id, known) is { } near ? $"did you mean '{near}'?" : null
                );
            else if (
                value["rephrasings"] is not JsonArray array
                || array.Any(a => a is not JsonValue t || !t.TryGetValue<string>(out _))
            )
                Wrong("rephrasings is missing or not a list of texts");
            else if (!found.TryAdd(id, [.. array.Select(a => a!.GetValue<string>())]))
                Wrong($"id '{id}' stands twice");
            if (problems.Count > 100)
                break;
        }
        return problems.Count == 0 ? found : throw new InputException(problems);
    }
}
