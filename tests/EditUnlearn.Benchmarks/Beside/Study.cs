using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Methods.Gradient;

namespace EditUnlearn.Benchmarks.Beside;

/// <summary>
/// The stored study: rows, refusals, and every run of the editing toolkit and of the gradient losses on the real rows.
/// </summary>
internal sealed class Study
{
    private Study(JsonObject rows, JsonObject outputs, JsonNode tuning, IReadOnlyList<StudyRun> runs)
    {
        (Forget, Seen, Unseen) = (Rows(rows, "forget"), Rows(rows, "retainSeen"), Rows(rows, "retainUnseen"));
        Outputs = outputs.ToDictionary(p => p.Key, p => (string)p.Value!, StringComparer.Ordinal);
        Refusals = Texts(tuning["refusals"]);
        Runs = runs;
    }

    /// <summary>To be forgotten.</summary>
    public IReadOnlyList<StudyRow> Forget { get; }

    /// <summary>To be kept, and used in training.</summary>
    public IReadOnlyList<StudyRow> Seen { get; }

    /// <summary>To be kept, and never used.</summary>
    public IReadOnlyList<StudyRow> Unseen { get; }

    /// <summary>Refusals of the gradient methods.</summary>
    public IReadOnlyList<string> Refusals { get; }

    /// <summary>All runs; each first draw comes before any second one, editing before training.</summary>
    public IReadOnlyList<StudyRun> Runs { get; }

    private IReadOnlyDictionary<string, string> Outputs { get; }

    /// <summary>What a row is trained on: the data set's answer, or the untouched model's own sentence.</summary>
    public string Target(StudyRow row, bool own) => own ? OwnSentence.Of(Outputs[row.Id], row.Answer) : row.Answer;

    /// <summary>Reads the folder of the study.</summary>
    public static Study Read(string folder)
    {
        var (editing, training) = (Path.Combine(folder, "editing"), Path.Combine(folder, "unlearning"));
        var files = new[] { "answers", "draws" }.SelectMany(f =>
            Directory.EnumerateFiles(Path.Combine(editing, f), "*.json")
        );
        var runs = files.Order(StringComparer.Ordinal).Select(Edited).Concat(Trained(training));
        return new Study(
            Object(Path.Combine(folder, "rows.json")),
            Object(Path.Combine(training, "untouched_outputs.json")),
            Object(Path.Combine(training, "tuning_rows.json")),
            [.. runs.OrderBy(r => r.Draw).ThenBy(r => r.Training is not null).ThenBy(r => r.EditSeconds)]
        );
    }

    private static StudyRun Edited(string path)
    {
        var json = Object(path);
        var name = Path.GetFileName(path);
        var draw = name.StartsWith("draw", StringComparison.Ordinal) ? name[4] - '0' : 1;
        var (method, setting) = ((string)json["method"]!, (string)json["variant"]!);
        var means = json["rouge1_recall"]!;
        double Mean(string split) => (double)means[split]!;
        return new StudyRun(
            method,
            setting,
            draw,
            new Means(Mean("forget"), Mean("rephrased"), Mean("retainSeen"), Mean("retainUnseen")),
            Said(Path.ChangeExtension(path, ".csv"), _ => true),
            (double)json["cpu_seconds"]!,
            (double)json["ask_seconds"]!,
            Traced((JsonArray)json["losses"]!, json["info"]?["weight_change"] as JsonObject)
        )
        {
            Editing = new EditingPlan(
                (JsonObject)json["parameters"]!,
                setting.StartsWith("raw", StringComparison.Ordinal),
                Texts(json["edit_templates"]),
                ((JsonObject)json["targets"]!).ToDictionary(p => p.Key, p => (string)p.Value!, StringComparer.Ordinal),
                Texts(json["locality_texts"])
            ),
        };
    }

    // GRACE keeps [first, last] of an edit, WISE ft_first and ft_last; of the others the last evaluation is one that we
    // do not make.
    private static Trace Traced(JsonArray losses, JsonObject? changes)
    {
        double? Mean(Func<JsonNode, double?> of) =>
            losses.Select(l => of(l!)).ToList() is { Count: > 0 } all && all.All(x => x is not null)
                ? all.Average()
                : null;
        var change = changes is { Count: > 0 } ? changes.Last().Value : null;
        return new Trace(
            Mean(l => (double?)(l is JsonArray pair ? pair[0] : l["ft_first"] ?? l["first"]![0])),
            Mean(l => (double?)(l is JsonArray pair ? pair[1] : l["ft_last"])),
            change is null ? null : (double)change["norm"]! / (double)change["of"]!
        );
    }

    private static IEnumerable<StudyRun> Trained(string folder)
    {
        foreach (var line in File.ReadLines(Path.Combine(folder, "runs.jsonl")))
        {
            var run = JsonNode.Parse(line)!;
            var (method, setting, seed) = ((string)run["method"]!, (string)run["setting"]!, (int)run["seed"]!);
            if ((string?)run["set"] != "real" || method == "none")
                continue;
            var (means, log) = (run["means"]!, (JsonArray)run["log"]!);
            double Mean(string split) => (double)means[split]!;
            var number = seed.ToString(CultureInfo.InvariantCulture);
            yield return new StudyRun(
                method,
                setting,
                seed,
                new Means(
                    Mean("forget"),
                    (Mean("rephrased0") + Mean("rephrased1")) / 2,
                    Mean("retainSeen"),
                    Mean("retainUnseen")
                ),
                Said(
                    Path.Combine(folder, "answers.csv"),
                    f => f["method"] == method && f["setting"] == setting && f["seed"] == number
                ),
                (double)run["train_cpu"]!,
                (double)run["eval_cpu"]!,
                new Trace((double)log[0]![1]!, (double)log[^1]![1]!, null)
            )
            {
                Training = new TrainingPlan(
                    (string)run["targets"]! == "own",
                    (double)run["lr"]!,
                    (int)run["epochs"]!,
                    [.. ((JsonArray)run["draws"]!).Select(d => new PairedRow((int)d![0]!, (int)d[1]!, (int)d[2]!))]
                ),
            };
        }
    }

    private static Dictionary<string, string> Said(
        string path,
        Func<IReadOnlyDictionary<string, string>, bool> takes
    ) =>
        Csv.Read(path, "question", "output")
            .Where(r => takes(r.Fields))
            .ToDictionary(r => r.Fields["question"], r => r.Fields["output"], StringComparer.Ordinal);

    private static List<StudyRow> Rows(JsonObject all, string split) =>
        [
            .. ((JsonArray)all[split]!).Select(r => new StudyRow(
                ((int)r!["id"]!).ToString(CultureInfo.InvariantCulture),
                (string)r["question"]!,
                (string)r["answer"]!,
                (string)r["subject"]!,
                Texts(r["rephrasings"])
            )),
        ];

    private static List<string> Texts(JsonNode? list) => [.. (list as JsonArray ?? []).Select(t => (string)t!)];

    private static JsonObject Object(string path) => (JsonObject)JsonNode.Parse(File.ReadAllText(path))!;
}
