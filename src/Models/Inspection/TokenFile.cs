using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Inspection;

/// <summary>Token ids without a tokenizer: a JSON array of arrays, as the exact commands read and write them.</summary>
public static class TokenFile
{
    private const long MaxBytes = 1 << 30;
    private const int MaxProblems = 100;

    /// <summary>Reads sequences and checks them against a vocabulary.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabulary">V; every id is below it.</param>
    /// <exception cref="InputException">The file is absent, is no such array, or holds ids outside the vocabulary; all
    /// are listed.</exception>
    public static IReadOnlyList<IReadOnlyList<int>> Read(string path, int vocabulary)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
            throw new InputException(path, "there is no such file");
        if (file.Length > MaxBytes)
            throw new InputException(path, $"has {file.Length} bytes; at most {MaxBytes} are read");
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(File.ReadAllBytes(path), documentOptions: new JsonDocumentOptions { MaxDepth = 8 });
        }
        catch (JsonException e)
        {
            throw new InputException(
                new InputProblem(
                    path,
                    (int)(e.LineNumber ?? -1) + 1,
                    (int)(e.BytePositionInLine ?? -1) + 1,
                    "not valid JSON",
                    "the form is [[1, 5, 9], [1, 7]]"
                )
            );
        }
        if (root is not JsonArray rows)
            throw new InputException(path, "is not an array", "the form is [[1, 5, 9], [1, 7]]");
        var problems = new List<InputProblem>();
        var sequences = new List<IReadOnlyList<int>>(rows.Count);
        for (var i = 0; i < rows.Count && problems.Count < MaxProblems; i++)
            sequences.Add(Sequence(path, i, rows[i], vocabulary, problems));
        if (sequences.Count == 0)
            problems.Add(new InputProblem(path, 0, 0, "holds no sequence"));
        return problems.Count == 0 ? sequences : throw new InputException(problems);
    }

    /// <summary>Writes sequences in the same form, one a line.</summary>
    public static void Write(string path, IEnumerable<IReadOnlyList<int>> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        File.WriteAllText(
            path,
            "[\n" + string.Join(",\n", sequences.Select(s => "  [" + string.Join(", ", s) + "]")) + "\n]\n"
        );
    }

    private static IReadOnlyList<int> Sequence(
        string path,
        int row,
        JsonNode? node,
        int vocabulary,
        List<InputProblem> problems
    )
    {
        void Complain(string message) => problems.Add(new InputProblem(path, 0, 0, $"sequence {row} {message}"));
        if (node is not JsonArray items)
        {
            Complain("is not an array of ids");
            return [];
        }
        if (items.Count == 0)
            Complain("is empty");
        var ids = new List<int>(items.Count);
        for (var t = 0; t < items.Count; t++)
            if (
                items[t] is JsonValue v
                && v.GetValueKind() == JsonValueKind.Number
                && v.TryGetValue<int>(out var id)
                && id >= 0
                && id < vocabulary
            )
                ids.Add(id);
            else
            {
                Complain($"holds {Shown(items[t])} at {t}, which is not an id from 0 to {vocabulary - 1}");
                break;
            }
        return ids;
    }

    private static string Shown(JsonNode? node)
    {
        try
        {
            return node?.ToJsonString() ?? "null";
        }
        catch (InvalidOperationException)
        {
            return "a text that is no valid Unicode";
        }
    }
}
