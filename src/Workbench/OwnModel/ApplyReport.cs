using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Patches;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>One token request before and after.</summary>
/// <param name="Id">Of the request.</param>
/// <param name="ProbabilityBefore">Geometric mean of the target tokens' probabilities.</param>
/// <param name="ProbabilityAfter">The same with the change.</param>
/// <param name="ContinuationBefore">As many greedy tokens as the target has.</param>
/// <param name="ContinuationAfter">The same with the change.</param>
public sealed record TokenOutcome(
    string Id,
    double ProbabilityBefore,
    double ProbabilityAfter,
    IReadOnlyList<int> ContinuationBefore,
    IReadOnlyList<int> ContinuationAfter
);

/// <summary>What a change did to a model: what was forgotten, what was kept, what was written.</summary>
public sealed record ApplyReport
{
    /// <summary>Form of the JSON.</summary>
    public const string Format = "apply-report/1";

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// Method, preset, family, options in force, seed, device and type, fingerprint of the model: what the patch
    /// depends on.
    /// </summary>
    public required JsonObject Manifest { get; init; }

    /// <summary>Label of the method.</summary>
    public required string Label { get; init; }

    /// <summary>What was written.</summary>
    public required PatchExportReport Written { get; init; }

    /// <summary>Evidence of the untouched model; empty for token requests.</summary>
    public IReadOnlyList<AnswerRow> Before { get; init; } = [];

    /// <summary>Evidence of the changed model, row for row.</summary>
    public IReadOnlyList<AnswerRow> After { get; init; } = [];

    /// <summary>Means before, by split.</summary>
    public IReadOnlyList<SplitMeans> MeansBefore { get; init; } = [];

    /// <summary>Means after, in the same order.</summary>
    public IReadOnlyList<SplitMeans> MeansAfter { get; init; } = [];

    /// <summary>Share of each split's prompts that the adapter answers; empty for a change of weights.</summary>
    public IReadOnlyDictionary<string, double> Routed { get; init; } = new Dictionary<string, double>();

    /// <summary>What should be answered instead, by id.</summary>
    public IReadOnlyDictionary<string, string> Targets { get; init; } = new Dictionary<string, string>();

    /// <summary>Token requests before and after.</summary>
    public IReadOnlyList<TokenOutcome> Requests { get; init; } = [];

    /// <summary>What the method saw at every edit; null where it does not look.</summary>
    public JsonArray? Edits { get; init; }

    /// <summary>Numbers about the whole of the edits.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>What the user should know.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Wall time of each part.</summary>
    public required IReadOnlyDictionary<string, double> Seconds { get; init; }

    /// <summary>Highest resident memory of the process.</summary>
    public long PeakBytes { get; init; }

    /// <summary>The whole of it.</summary>
    public JsonObject ToJson() =>
        new()
        {
            ["format"] = Format,
            ["made"] = Manifest.DeepClone(),
            ["written"] = new JsonObject
            {
                ["kind"] = JsonNamingPolicy.CamelCase.ConvertName(Written.Kind.ToString()),
                ["folder"] = Written.Folder,
                ["files"] = new JsonArray([.. Written.Files.Select(f => (JsonNode)f)]),
                ["bytes"] = Written.Bytes,
                ["leftOut"] = new JsonArray([
                    .. Written.LeftOut.Select(l => new JsonObject { ["file"] = l.File, ["why"] = l.Why }),
                ]),
                ["note"] = Written.Note,
            },
            ["splits"] = new JsonArray([.. MeansBefore.Zip(MeansAfter, (b, a) => Split(b, a))]),
            ["answers"] = new JsonArray([.. Before.Zip(After, Answer)]),
            ["requests"] = new JsonArray([.. Requests.Select(Request)]),
            ["edits"] = Edits?.DeepClone() ?? new JsonArray(),
            ["metrics"] = new JsonObject(
                Metrics
                    .OrderBy(m => m.Key, StringComparer.Ordinal)
                    .Select(m => KeyValuePair.Create(m.Key, Number(m.Value)))
            ),
            ["warnings"] = new JsonArray([.. Warnings.Select(w => (JsonNode)w)]),
            ["seconds"] = new JsonObject(
                Seconds.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)Math.Round(s.Value, 3)))
            ),
            ["peakBytes"] = PeakBytes,
        };

    /// <summary>Writes it as a file that is there whole or not at all.</summary>
    public void Write(string path) => AtomicFile.Write(path, ToJson().ToJsonString(Indented) + "\n");

    private JsonObject Split(SplitMeans before, SplitMeans after)
    {
        var json = new JsonObject
        {
            ["split"] = before.Split,
            ["questions"] = before.Questions,
            ["before"] = before.ToJson(),
            ["after"] = after.ToJson(),
        };
        if (Routed.TryGetValue(before.Split, out var share))
            json["routed"] = Number(share);
        return json;
    }

    private JsonObject Answer(AnswerRow before, AnswerRow after) =>
        new()
        {
            ["split"] = before.Split,
            ["id"] = before.Id,
            ["question"] = before.Question,
            ["answer"] = before.Answer,
            ["target"] = SplitNames.IsToBeForgotten(before.Split) ? Targets.GetValueOrDefault(before.Id) : null,
            ["before"] = before.Generated,
            ["after"] = after.Generated,
            ["refusedBefore"] = before.Refused,
            ["refusedAfter"] = after.Refused,
        };

    private static JsonObject Request(TokenOutcome r) =>
        new()
        {
            ["id"] = r.Id,
            ["probabilityBefore"] = Number(r.ProbabilityBefore),
            ["probabilityAfter"] = Number(r.ProbabilityAfter),
            ["continuationBefore"] = new JsonArray([.. r.ContinuationBefore.Select(i => (JsonNode)i)]),
            ["continuationAfter"] = new JsonArray([.. r.ContinuationAfter.Select(i => (JsonNode)i)]),
        };

    private static JsonNode? Number(double value) =>
        double.IsFinite(value) ? JsonValue.Create(Math.Round(value, 6)) : null;
}
