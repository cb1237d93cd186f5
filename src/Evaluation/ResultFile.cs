using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Evaluation;

/// <summary>
/// The result of one run on one split as JSON, for readers without Parquet (docs/metrics.md, "Everything that is
/// stored").
/// </summary>
/// <remarks>
/// Hashes, seed and commit of a run stand in its <c>manifest.json</c>: they must not change a result's bytes.
/// </remarks>
public static class ResultFile
{
    private static readonly JsonSerializerOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The document.</summary>
    /// <param name="answers">Evidence of one split.</param>
    /// <param name="scores">Metrics of its rows.</param>
    /// <param name="means">Of the split, in all profiles.</param>
    public static string Json(
        IReadOnlyList<AnswerRow> answers,
        IReadOnlyList<ScoreRow> scores,
        IReadOnlyList<CellScore> means
    )
    {
        ArgumentNullException.ThrowIfNull(answers);
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(means);
        if (answers.Count == 0 || means.Count == 0)
            throw new ArgumentException("A result needs a row.", nameof(answers));
        var first = means[0];
        var byId = scores.ToLookup(s => s.Id);
        var metrics = new JsonObject();
        foreach (var profile in means.GroupBy(m => m.Profile))
            metrics[profile.Key] = new JsonObject(
                profile.Select(m =>
                    KeyValuePair.Create(
                        m.Metric,
                        (JsonNode?)
                            new JsonObject
                            {
                                ["mean"] = Number(m.Mean),
                                ["se"] = Number(m.StandardError),
                                ["ciLow"] = Number(m.CiLow),
                                ["ciHigh"] = Number(m.CiHigh),
                                ["n"] = m.Count,
                                ["excluded"] = m.Excluded,
                            }
                    )
                )
            );
        return new JsonObject
        {
            ["run"] = new JsonObject
            {
                ["id"] =
                        $"{first.Model}/{first.Data}-{first.Size}/{first.Method}"
                        + (first.Target.Length > 0 ? "/" + first.Target : "")
                        + (first.Merge > 1 ? $"/k={first.Merge}" : ""),
                ["method"] = first.Method,
                ["model"] = first.Model,
                ["dataset"] = first.Data,
                ["nForget"] = first.Size,
                ["target"] = first.Target,
                ["merge"] = first.Merge,
                ["diverged"] = first.Diverged,
            },
            ["split"] = first.Split,
            ["n"] = answers.Count,
            ["excluded"] = new JsonObject(
                    means
                        .Where(m => m.Profile == ProfileNames.Strict && m.Excluded > 0)
                        .Select(m => KeyValuePair.Create(m.Metric, (JsonNode?)m.Excluded))
                ),
            ["metrics"] = metrics,
            ["rows"] = new JsonArray([
                    .. answers.OrderBy(a => a.Id, StringComparer.Ordinal).Select(a => Row(a, byId[a.Id])),
                ]),
        }.ToJsonString(Options) + "\n";
    }

    private static JsonObject Row(AnswerRow a, IEnumerable<ScoreRow> scores)
    {
        var row = new JsonObject
        {
            ["id"] = a.Id,
            ["question"] = a.Question,
            ["answer"] = a.Answer,
            ["generated"] = a.Generated,
            ["stopReason"] = a.StopReason,
            ["nNew"] = a.NewTokens,
            ["targetIds"] = Numbers(a.TargetIds),
            ["logProbabilities"] = new JsonArray([.. a.LogProbabilities.Select(x => Number(x))]),
            ["ranks"] = Numbers(a.Ranks),
        };
        foreach (var score in scores)
            row[score.Metric] = Number(score.Value);
        return row;
    }

    private static JsonArray Numbers(IEnumerable<int> values) => new([.. values.Select(v => (JsonNode)v)]);

    // JSON has no NaN; the word is kept so that nobody takes it for a missing value.
    private static JsonNode? Number(double? value) =>
        value is not { } x ? null
        : double.IsFinite(x) ? JsonValue.Create(x)
        : JsonValue.Create(
            double.IsNaN(x) ? "NaN"
            : x > 0 ? "Infinity"
            : "-Infinity"
        );
}
