using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>Question files of other tools, read as rows of ours.</summary>
/// <param name="Kind">Whose form it is.</param>
/// <param name="Questions">The rows with their targets.</param>
/// <param name="Dropped">Fields that have no place here, with the number of rows that have them.</param>
public sealed record ForeignRows(
    string Kind,
    IReadOnlyList<PlacedQuestion> Questions,
    IReadOnlyList<KeyValuePair<string, int>> Dropped
)
{
    private static readonly Form[] Forms =
    [
        new("CounterFact", ["requested_rewrite"], FromCounterFact),
        new("EasyEdit", ["prompt", "target_new"], FromEasyEdit),
        new("EasyEdit", ["prompt", "ground_truth"], FromEasyEdit),
        new("zsRE", ["src", "answers"], FromZsre),
        new("Alpaca", ["instruction", "output"], FromAlpaca),
        new("ShareGPT", ["conversations"], o => FromTurns(o, "conversations", "from", "value")),
        new("chat messages", ["messages"], o => FromTurns(o, "messages", "role", "content")),
        new("this program", ["question", "answer"], o => new(o.DeepClone().AsObject(), [.. o.Select(p => p.Key)])),
    ];

    private sealed record Form(string Name, string[] Marks, Func<JsonObject, Read?> Convert);

    // Fields of a row of ours, and those of the other that they were made of.
    private sealed record Read(JsonObject Row, IReadOnlyList<string> Used);

    /// <summary>Reads a file of EasyEdit, zsRE, CounterFact, Alpaca, ShareGPT or chat messages.</summary>
    /// <param name="path">A JSON array, or JSON Lines.</param>
    /// <exception cref="InputException">It is none of these, or its rows break the rules; all at once.</exception>
    public static ForeignRows Open(string path)
    {
        var objects = Objects(path);
        if (objects.Count == 0)
            throw new InputException(path, "holds no row");
        var form =
            Forms.FirstOrDefault(f => f.Marks.All(objects[0].ContainsKey))
            ?? throw new InputException(
                path,
                $"has rows with {string.Join(", ", objects[0].Select(p => p.Key).Take(8))}, a form that is not known",
                "known are " + string.Join(", ", Forms.Select(f => f.Name).Distinct())
            );
        var dropped = new Dictionary<string, int>(StringComparer.Ordinal);
        var rows = new List<JsonObject>();
        var problems = new List<InputProblem>();
        foreach (var (i, o) in objects.Index())
        {
            Read? read = null;
            try
            {
                read = form.Convert(o);
            }
            catch (Exception e) when (e is InvalidOperationException or FormatException)
            {
                // A field of another type than the form has: said below.
            }
            if (read is null)
            {
                problems.Add(new InputProblem(path, i + 1, 0, $"is no row of {form.Name}"));
                continue;
            }
            rows.Add(read.Row);
            foreach (var (key, _) in o.Where(p => !read.Used.Contains(p.Key)))
                dropped[key] = dropped.GetValueOrDefault(key) + 1;
        }
        if (problems.Count > 0)
            throw new InputException(problems);
        return new ForeignRows(form.Name, Checked(path, rows), [.. dropped.OrderByDescending(d => d.Value)]);
    }

    // By the rules of every question file; a mistake is one of the file that was given.
    private static IReadOnlyList<PlacedQuestion> Checked(string path, List<JsonObject> rows)
    {
        var folder = Directory.CreateTempSubdirectory("eu-convert-");
        try
        {
            var copy = Path.Combine(folder.FullName, Path.GetFileNameWithoutExtension(path) + ".jsonl");
            File.WriteAllLines(copy, rows.Select(r => r.ToJsonString()));
            return QaFile.ReadPlaced(copy);
        }
        catch (InputException e)
        {
            throw new InputException([.. e.Problems.Select(p => p with { File = path })]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static List<JsonObject> Objects(string path)
    {
        var text = UserFile.Text(path);
        if (!text.TrimStart().StartsWith('['))
            return
            [
                .. JsonLines
                    .Read(path)
                    .Select(l =>
                        l.Value
                        ?? throw new InputException(new InputProblem(path, l.Line, 0, "is not a JSON object"))
                    ),
            ];
        try
        {
            var array = (JsonArray)
                JsonTexts.Checked(
                    JsonNode.Parse(
                        text,
                        documentOptions: new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false }
                    )
                )!;
            return
            [
                .. array.Select(
                    (e, i) =>
                        e as JsonObject
                        ?? throw new InputException(new InputProblem(path, i + 1, 0, "is not a JSON object"))
                ),
            ];
        }
        catch (JsonException e)
        {
            throw new InputException(
                new InputProblem(
                    path,
                    (int)(e.LineNumber ?? 0) + 1,
                    (int)(e.BytePositionInLine ?? 0) + 1,
                    "not valid JSON: " + JsonTexts.Explained(e)
                )
            );
        }
        catch (InvalidOperationException)
        {
            throw new InputException(path, "holds text that is no valid Unicode: half of a character");
        }
    }

    // prompt, subject, target_new, ground_truth, rephrase_prompt; locality is another tool's evaluation.
    private static Read? FromEasyEdit(JsonObject o)
    {
        var row = new JsonObject();
        Put(row, "id", Id(o, "case_id"));
        Put(row, "question", Text(o["prompt"]));
        Put(row, "answer", Copy(o["ground_truth"]) ?? Copy(o["target_true"]));
        Put(row, "target", Text(o["target_new"]));
        Put(row, "subject", Text(o["subject"]));
        Put(row, "rephrasings", Copy(o["rephrase_prompt"]));
        return new(
            row,
            ["case_id", "prompt", "ground_truth", "target_true", "target_new", "subject", "rephrase_prompt"]
        );
    }

    // src, answers, alt (the new answer), rephrase, subject.
    private static Read? FromZsre(JsonObject o)
    {
        var row = new JsonObject();
        Put(row, "id", Id(o, "case_id"));
        Put(row, "question", Text(o["src"]));
        Put(row, "answer", Copy(o["answers"]));
        Put(row, "target", Text(o["alt"]));
        Put(row, "subject", Text(o["subject"]));
        Put(row, "rephrasings", Copy(o["rephrase"]));
        return new(row, ["case_id", "src", "answers", "alt", "subject", "rephrase"]);
    }

    // The subject stands at {} in the prompt.
    private static Read? FromCounterFact(JsonObject o)
    {
        if (o["requested_rewrite"] is not JsonObject rewrite || Text(rewrite["prompt"]) is not { } prompt)
            return null;
        var subject = (string?)Text(rewrite["subject"]) ?? "";
        var row = new JsonObject();
        Put(row, "id", Id(o, "case_id"));
        Put(row, "question", ((string)prompt!).Replace("{}", subject, StringComparison.Ordinal));
        Put(row, "answer", Text((rewrite["target_true"] as JsonObject)?["str"]));
        Put(row, "target", Text((rewrite["target_new"] as JsonObject)?["str"]));
        Put(row, "subject", subject);
        Put(row, "rephrasings", Copy(o["paraphrase_prompts"]));
        return new(row, ["case_id", "requested_rewrite", "paraphrase_prompts"]);
    }

    private static Read? FromAlpaca(JsonObject o)
    {
        var (instruction, input) = ((string?)Text(o["instruction"]) ?? "", (string?)Text(o["input"]) ?? "");
        var row = new JsonObject();
        Put(row, "question", input.Trim().Length == 0 ? instruction : $"{instruction}\n\n{input}");
        Put(row, "answer", Text(o["output"]));
        return new(row, ["instruction", "input", "output"]);
    }

    // The first question and the answer to it.
    private static Read? FromTurns(JsonObject o, string list, string who, string what)
    {
        if (o[list] is not JsonArray turns)
            return null;
        JsonNode? Said(params string[] names) =>
            turns
                .OfType<JsonObject>()
                .Where(t => (string?)Text(t[who]) is { } name && names.Contains(name))
                .Select(t => Text(t[what]))
                .FirstOrDefault();
        var row = new JsonObject();
        Put(row, "id", Id(o, "id"));
        Put(row, "question", Said("human", "user"));
        Put(row, "answer", Said("gpt", "assistant"));
        return new(row, ["id", list]);
    }

    private static JsonNode? Id(JsonObject o, string field) =>
        o[field] is JsonValue v
            ? v.GetValueKind() == JsonValueKind.Number
                ? v.GetValue<double>().ToString("0.###", CultureInfo.InvariantCulture)
                : Text(v)
            : null;

    private static JsonNode? Text(JsonNode? node) =>
        node is JsonValue v && v.GetValueKind() == JsonValueKind.String ? v.GetValue<string>() : null;

    // A text, or a list of texts.
    private static JsonNode? Copy(JsonNode? node) => node is JsonArray a ? a.DeepClone() : Text(node);

    private static void Put(JsonObject row, string field, JsonNode? value)
    {
        if (value is not null)
            row[field] = value;
    }
}
