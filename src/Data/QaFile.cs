using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>A question of a file with what the file says of it beyond the study's rows.</summary>
/// <param name="Row">The question.</param>
/// <param name="Line">1-based, for messages.</param>
/// <param name="Target">What shall be answered instead; null where the file leaves it open.</param>
public sealed record PlacedQuestion(QaRow Row, int Line, string? Target);

/// <summary>
/// Reads question files: our own JSON Lines, the published TOFU and PISTOL forms, and what users hand in. The form
/// shows in the keys.
/// </summary>
/// <remarks>
/// docs/data.md, "Rows", lists the forms. Every problem of a file is reported at once, with its line.
/// </remarks>
public static class QaFile
{
    private const int MaxRows = 1_000_000;
    private static readonly string[] Known =
    [
        "id",
        "dataset",
        "row",
        "question",
        "answer",
        "aliases",
        "distractors",
        "subject",
        "subjectStart",
        "subjectLength",
        "rephrasings",
        "category",
        "group",
        "meta",
        "target",
        "edge",
        "option1",
        "option2",
        "option3",
        "option4",
        "perturbed_answer",
        "paraphrased_answer",
        "paraphrased_question",
    ];

    /// <summary>Reads a file.</summary>
    /// <param name="path">JSON Lines, one JSON array, or Parquet with the same columns.</param>
    /// <param name="dataset">Name for the ids; null for that of the header, else of the file.</param>
    /// <exception cref="InputException">The file is absent, is not UTF-8 or JSON, or rows break the rules.</exception>
    /// <exception cref="DamagedFileException">It calls itself Parquet and is not.</exception>
    public static IReadOnlyList<QaRow> Read(string path, string? dataset = null) => Read(path, dataset, firstRow: 0);

    /// <summary>
    /// Reads a file with the line and the target of each question: what somebody wants a model to forget, or to answer
    /// instead.
    /// </summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    public static IReadOnlyList<PlacedQuestion> ReadPlaced(string path, string? dataset = null) =>
        Placed(path, dataset, firstRow: 0);

    /// <summary>
    /// Reads several files one after the other as one set, as the study's facts: authors, then world facts.
    /// </summary>
    /// <param name="paths">In order.</param>
    /// <param name="dataset">Name for the ids.</param>
    /// <exception cref="InputException">A file is wrong, or two hold the same question or id; all problems at
    /// once.</exception>
    public static IReadOnlyList<QaRow> ReadAll(IReadOnlyList<string> paths, string dataset)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var (rows, problems) = (new List<QaRow>(), new List<InputProblem>());
        foreach (var path in paths)
            try
            {
                var questions = rows.Select(r => r.Question).ToHashSet(StringComparer.Ordinal);
                var ids = rows.Select(r => r.Id).ToHashSet(StringComparer.Ordinal);
                foreach (var row in Read(path, dataset, rows.Count))
                {
                    if (questions.Contains(row.Question))
                        problems.Add(
                            new InputProblem(
                                path,
                                0,
                                0,
                                $"the question of {row.Id} stands in an earlier file too: '{row.Question}'",
                                "questions of a set are distinct; remove one"
                            )
                        );
                    if (ids.Contains(row.Id))
                        problems.Add(new InputProblem(path, 0, 0, $"the id {row.Id} stands in an earlier file too"));
                    rows.Add(row);
                }
            }
            catch (InputException e)
            {
                problems.AddRange(e.Problems);
            }
        return problems.Count == 0 ? rows : throw new InputException(problems);
    }

    private static IReadOnlyList<QaRow> Read(string path, string? dataset, int firstRow) =>
        [.. Placed(path, dataset, firstRow).Select(p => p.Row)];

    private static IReadOnlyList<PlacedQuestion> Placed(string path, string? dataset, int firstRow)
    {
        var problems = new List<InputProblem>();
        var objects = path.EndsWith(".parquet", StringComparison.OrdinalIgnoreCase)
            ? FromParquet(path)
            : FromText(path, problems);
        var named = TakeHeader(path, objects, problems);
        if (objects.Count > MaxRows)
            throw new InputException(path, $"has more than {MaxRows} rows");
        dataset ??= named ?? Path.GetFileNameWithoutExtension(path);
        var rows = new List<PlacedQuestion>(objects.Count);
        var questions = new Dictionary<string, int>(StringComparer.Ordinal);
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (line, value) in objects)
        {
            var fields = new Fields(path, line, value, problems);
            var row = Row(fields, dataset, firstRow + rows.Count);
            var target = fields.Text("target");
            if (target is { Length: 0 })
                fields.Complain(
                    "target",
                    "is empty",
                    "give a sentence that the model shall answer, or leave the field out"
                );
            if (!questions.TryAdd(row.Question, line) && row.Question.Length > 0)
                problems.Add(
                    new InputProblem(
                        path,
                        line,
                        0,
                        $"the question stands already in line {questions[row.Question]}",
                        "questions of a set are distinct; remove one"
                    )
                );
            if (!ids.TryAdd(row.Id, line))
                problems.Add(
                    new InputProblem(
                        path,
                        line,
                        0,
                        $"id '{row.Id}' stands already in line {ids[row.Id]}",
                        "ids are distinct"
                    )
                );
            rows.Add(new PlacedQuestion(row, line, target));
        }
        if (rows.Count == 0 && problems.Count == 0)
            problems.Add(new InputProblem(path, 0, 0, "holds no question"));
        return problems.Count == 0
            ?
            [
                .. Contracts
                    .ContractGraph.Kinds([.. rows.Select(r => r.Row)])
                    .Zip(rows, (kind, read) => read with { Row = kind }),
            ]
            : throw new InputException([.. problems.OrderBy(p => p.Line)]);
    }

    // The name that a header gives; it is no row.
    private static string? TakeHeader(
        string path,
        List<(int Line, JsonObject Value)> objects,
        List<InputProblem> problems
    )
    {
        if (objects.Count == 0 || objects[0].Value["format"] is not { } format)
            return null;
        var (line, header) = objects[0];
        if (format is not JsonValue v || !v.TryGetValue<string>(out var f) || f != "qa/1")
            problems.Add(
                new InputProblem(
                    path,
                    line,
                    0,
                    $"the header's format is {format.ToJsonString()}",
                    "this program reads qa/1"
                )
            );
        objects.RemoveAt(0);
        return header["name"] is JsonValue n && n.TryGetValue<string>(out var name) ? name : null;
    }

    /// <summary>Writes rows in the native format, a header first.</summary>
    public static void Write(string path, IReadOnlyList<QaRow> rows, string name) =>
        Write(path, [.. rows.Select((r, i) => new PlacedQuestion(r, i + 2, null))], name);

    /// <summary>The same with the targets.</summary>
    public static void Write(string path, IReadOnlyList<PlacedQuestion> questions, string name)
    {
        ArgumentNullException.ThrowIfNull(questions);
        var options = new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using var writer = new StreamWriter(path, append: false, new UTF8Encoding(false)) { NewLine = "\n" };
        writer.WriteLine(new JsonObject { ["format"] = "qa/1", ["name"] = name }.ToJsonString(options));
        foreach (var question in questions)
        {
            var row = JsonSerializer.SerializeToNode(question.Row, options)!.AsObject();
            // Texts that are about nobody have none to write.
            if (question.Row.Subject.Length == 0)
            {
                row.Remove("subject");
                row.Remove("subjectStart");
            }
            if (question.Target is not null)
                row["target"] = question.Target;
            writer.WriteLine(row.ToJsonString(options));
        }
    }

    private static QaRow Row(Fields f, string dataset, int index)
    {
        var before = f.Count;
        var question = f.Text("question") ?? "";
        if (f.Count == before && question.Length == 0)
            f.Complain("question", "is missing or empty", f.Other("question"));
        before = f.Count;
        var answers = f.Texts("answer");
        if (f.Count == before && (answers.Count == 0 || answers[0].Length == 0))
            f.Complain("answer", "is missing or empty", f.Other("answer"));
        var answer = answers.Count > 0 ? answers[0] : "";
        var options = Enumerable.Range(1, 4).Select(i => f.Text($"option{i}")).OfType<string>().Where(o => o != answer);
        var (subject, start) = Subject(f, question);
        var category = f.Text("category") ?? "";
        f.Unknown(Known);
        return new QaRow
        {
            Id = f.Text("id") ?? $"{dataset}/{index:0000}",
            Dataset = dataset,
            Row = index,
            Question = question,
            Answer = answer,
            Aliases = [.. f.Texts("aliases"), .. answers.Skip(1)],
            Distractors = [.. f.Texts("distractors"), .. f.Texts("perturbed_answer"), .. options],
            Subject = subject,
            SubjectStart = start,
            Rephrasings = [.. f.Texts("rephrasings"), .. f.Texts("paraphrased_question")],
            Category = category,
            Group = f.Text("group") ?? f.Text("edge") ?? category,
        };
    }

    // What the question is about, and where it stands there.
    private static (string Subject, int Start) Subject(Fields f, string question)
    {
        var given = f.Text("subject");
        if (given is { Length: 0 })
            f.Complain("subject", "is empty", "name whom or what the question is about, or leave the field out");
        // A contract question names two parties; the longest run of capitals would hold both.
        var subject = given is { Length: > 0 }
            ? given
            : (f.Text("edge") is null ? null : SubjectRule.FindParty(question)) ?? SubjectRule.Find(question);
        if (question.Length == 0)
            return (subject, 0);
        var said = f.Number("subjectStart");
        if (said is { } place)
        {
            if (place >= 0 && string.CompareOrdinal(question, place, subject, 0, subject.Length) == 0)
                return (subject, place);
            f.Complain("subjectStart", $"is {place}, but '{subject}' does not stand there");
        }
        var start = SubjectRule.Place(question, subject);
        if (start < 0)
            f.Complain(
                "subject",
                $"'{subject}' does not occur in the question",
                LookAlike.Difference(question, subject) is { } difference ? difference : null
            );
        return (subject, Math.Max(start, 0));
    }

    private static List<(int Line, JsonObject Value)> FromText(string path, List<InputProblem> problems)
    {
        var text = JsonLines.Text(path);
        return text.TrimStart().StartsWith('[') ? FromArray(path, text, problems) : FromLines(path, text, problems);
    }

    // The conversions that data hubs offer: the columns are the fields of the JSON form.
    private static List<(int Line, JsonObject Value)> FromParquet(string path) =>
        [
            .. ParquetTable
                .ReadObjects(path, MaxRows + 1)
                .Select(
                    (row, i) =>
                        (
                            i + 1,
                            new JsonObject(
                                row.Where(c => c.Value is not null)
                                    .Select(c =>
                                        KeyValuePair.Create(
                                            c.Key,
                                            (JsonNode?)(
                                                c.Value switch
                                                {
                                                    string s => JsonValue.Create(s),
                                                    IEnumerable<string> list => new JsonArray([
                                                        .. list.Select(t => (JsonNode)JsonValue.Create(t)!),
                                                    ]),
                                                    var other => JsonValue.Create(
                                                        Convert.ToString(
                                                            other,
                                                            System.Globalization.CultureInfo.InvariantCulture
                                                        )
                                                    ),
                                                }
                                            )
                                        )
                                    )
                            )
                        )
                ),
        ];

    private static List<(int Line, JsonObject Value)> FromLines(string path, string text, List<InputProblem> problems)
    {
        var objects = new List<(int, JsonObject)>();
        var number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            if (Parse(path, line, number, problems) is JsonObject o)
                objects.Add((number, o));
            else if (problems.Count == 0 || problems[^1].Line != number)
                problems.Add(new InputProblem(path, number, 1, "is not a JSON object"));
            if (problems.Count > 100)
                break;
        }
        return objects;
    }

    private static List<(int Line, JsonObject Value)> FromArray(string path, string text, List<InputProblem> problems)
    {
        var objects = new List<(int, JsonObject)>();
        if (Parse(path, text, 0, problems) is not JsonArray array)
            return objects;
        // Lines are not kept by the parser; the place of a row in the array is the next best name for it.
        for (var i = 0; i < array.Count; i++)
            if (array[i] is JsonObject o)
                objects.Add((i + 1, o));
            else
                problems.Add(new InputProblem(path, i + 1, 0, "this element of the array is not an object"));
        return objects;
    }

    private static JsonNode? Parse(string path, string json, int line, List<InputProblem> problems)
    {
        try
        {
            return JsonTexts.Checked(
                JsonNode.Parse(
                    json,
                    documentOptions: new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false }
                )
            );
        }
        catch (InvalidOperationException)
        {
            problems.Add(
                new InputProblem(
                    path,
                    line,
                    0,
                    $"{JsonTexts.Broken(json)} is text that is no valid Unicode: half of a character",
                    "the text was cut in the middle of a character; write it again"
                )
            );
            return null;
        }
        catch (JsonException e)
        {
            problems.Add(
                new InputProblem(
                    path,
                    line + (int)(e.LineNumber ?? 0) + (line == 0 ? 1 : 0),
                    (int)(e.BytePositionInLine ?? 0) + 1,
                    "not valid JSON: " + JsonTexts.Explained(e),
                    null
                )
            );
            return null;
        }
    }

    private sealed class Fields(string path, int line, JsonObject value, List<InputProblem> problems)
    {
        public int Count => problems.Count;

        public void Complain(string field, string message, string? hint = null) =>
            problems.Add(new InputProblem(path, line, 0, $"{field} {message}", hint));

        public string? Text(string field)
        {
            switch (value[field])
            {
                case null:
                    return null;
                // White space around a text is never meant: it would change tokens, and scores with them.
                case JsonValue v when v.TryGetValue<string>(out var s):
                    return s.Trim();
                case var other:
                    Complain(field, $"is {other.ToJsonString()}, not text");
                    return null;
            }
        }

        public IReadOnlyList<string> Texts(string field)
        {
            if (value[field] is not JsonArray array)
                return Text(field) is { } single ? [single] : [];
            var texts = new List<string>(array.Count);
            foreach (var item in array)
                if (item is JsonValue v && v.TryGetValue<string>(out var s))
                    texts.Add(s.Trim());
                else
                    Complain(field, "is a list with something other than text");
            return texts;
        }

        public int? Number(string field)
        {
            if (value[field] is null)
                return null;
            // Parquet gives numbers as text.
            if (
                value[field] is JsonValue v
                && (
                    v.TryGetValue<int>(out var n)
                    || (v.TryGetValue<string>(out var s) && int.TryParse(s, CultureInfo.InvariantCulture, out n))
                )
            )
                return n;
            Complain(field, $"is {value[field]!.ToJsonString()}, not a whole number");
            return null;
        }

        // What another tool calls it, where the row has that.
        public string? Other(string field) =>
            ForeignFields.NameFor(field, value.Select(p => p.Key)) is { } other
                ? $"the row has {other}, which is called {field} here: dataset convert reads files of other tools"
                : null;

        public void Unknown(string[] known)
        {
            foreach (var (key, _) in value)
                if (!known.Contains(key))
                    Complain(
                        key,
                        "is not a field of a question",
                        ForeignFields.Meaning(key) is { } meaning ? meaning
                            : Spelling.Nearest(key, known) is { } near ? $"did you mean '{near}'?"
                            : "remove it, or put it into meta"
                    );
        }
    }
}
