using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>
/// Reads answers that another program collected: JSON Lines with <c>id</c>, <c>question</c>, <c>answer</c> (the true
/// one), <c>generated</c>, <c>method</c>, and optionally <c>model</c>, <c>set</c>, <c>split</c>.
/// </summary>
public static class AnswerFile
{
    private static readonly string[] Required = ["id", "question", "answer", "generated", "method"];
    private static readonly string[] Optional = ["model", "set", "split"];

    /// <summary>Reads a file; a missing split is <c>forget</c>.</summary>
    /// <exception cref="InputException">All that is wrong with it, with lines and fields.</exception>
    public static IReadOnlyList<AnswerRow> Read(string path)
    {
        var problems = new List<InputProblem>();
        var rows = new List<AnswerRow>();
        foreach (var (line, value) in JsonLines.Read(path))
        {
            if (Row(path, line, value, problems) is { } row)
                rows.Add(row);
            if (problems.Count > 100)
                break;
        }
        if (rows.Count == 0 && problems.Count == 0)
            problems.Add(new InputProblem(path, 0, 0, "holds no answer"));
        return problems.Count == 0 ? rows : throw new InputException(problems);
    }

    private static AnswerRow? Row(string path, int number, JsonObject? value, List<InputProblem> problems)
    {
        if (value is null)
        {
            problems.Add(new InputProblem(path, number, 0, "is not a JSON object"));
            return null;
        }
        var before = problems.Count;
        string Text(string field)
        {
            if (value[field] is JsonValue v && v.TryGetValue<string>(out var text))
                return text;
            if (value[field] is not null)
                problems.Add(new InputProblem(path, number, 0, $"{field} is not text"));
            else if (Required.Contains(field))
                problems.Add(new InputProblem(path, number, 0, $"{field} is missing"));
            return "";
        }
        // Other fields are somebody else's evidence and stay where they are.
        foreach (var (key, _) in value)
            if (
                !Required.Contains(key)
                && !Optional.Contains(key)
                && Spelling.Nearest(key, Required.Where(r => value[r] is null)) is { } near
            )
                problems.Add(
                    new InputProblem(path, number, 0, $"{key} is not a field of an answer", $"did you mean '{near}'?")
                );
        var row = new AnswerRow
        {
            Id = Text("id"),
            Question = Text("question"),
            Answer = Text("answer"),
            Generated = Text("generated"),
            Method = Text("method"),
            Model = Text("model"),
            Set = Text("set"),
            Split = Text("split") is { Length: > 0 } split ? split : SplitNames.Forget,
        };
        return problems.Count == before ? row : null;
    }
}
