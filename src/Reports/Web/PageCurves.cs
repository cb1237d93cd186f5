using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Web;

/// <summary>
/// Curves of training runs and of edits for the page: fewer points than updates where there are many.
/// </summary>
public static class PageCurves
{
    private const int MostPoints = 400;

    /// <summary>One run; null where nothing was trained.</summary>
    /// <param name="cell">Which cell of the study.</param>
    /// <param name="stage">Its stage.</param>
    /// <param name="axes">Its labels by axis.</param>
    /// <param name="rows">An update each.</param>
    /// <param name="end">How it ended; null where that is not known.</param>
    public static JsonObject? Of(
        string cell,
        string stage,
        IEnumerable<KeyValuePair<string, string>> axes,
        IReadOnlyList<TrainingRow> rows,
        TrainingSummaryRow? end
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            return null;
        var stride = (rows.Count + MostPoints - 1) / MostPoints;
        // The last update always shows.
        var shown = rows.Where((_, i) => (rows.Count - 1 - i) % stride == 0).ToList();
        var json = new JsonObject
        {
            ["cell"] = cell,
            ["stage"] = stage,
            ["axes"] = Axes(axes),
            ["updates"] = rows.Count,
            ["diverged"] = end?.DivergedStep,
            ["step"] = new JsonArray([.. shown.Select(r => (JsonNode)r.Step)]),
        };
        void Add(string name, Func<TrainingRow, double?> value)
        {
            if (shown.Any(r => value(r) is { } x && double.IsFinite(x)))
                json[name] = new JsonArray([.. shown.Select(r => Rounded(value(r)))]);
        }
        Add("loss", r => r.Loss);
        Add("forget", r => r.ForgetLoss);
        Add("retain", r => r.RetainLoss);
        Add("rouge1", r => r.Rouge1);
        return json;
    }

    /// <summary>
    /// The edits of one run: at each update the mean loss over all of them, where an edit that has stopped keeps its
    /// last. Null where no edit has losses.
    /// </summary>
    /// <param name="cell">Which cell of the study.</param>
    /// <param name="stage">Its stage.</param>
    /// <param name="axes">Its labels by axis.</param>
    /// <param name="edits">As a patch holds them: <c>loss</c> of a value, <c>targetLoss</c> of a side memory.</param>
    public static JsonObject? OfEdits(
        string cell,
        string stage,
        IEnumerable<KeyValuePair<string, string>> axes,
        JsonArray edits
    )
    {
        ArgumentNullException.ThrowIfNull(edits);
        var losses = edits
            .Select(e => (e?["loss"] ?? e?["targetLoss"]) as JsonArray)
            .Select(l => l?.Select(x => (double?)x).OfType<double>().ToArray() ?? [])
            .Where(l => l.Length > 0)
            .ToList();
        if (losses.Count == 0)
            return null;
        var longest = losses.Max(l => l.Length);
        double Mean(int update) => losses.Average(l => l[Math.Min(update, l.Length - 1)]);
        return new JsonObject
        {
            ["cell"] = cell,
            ["stage"] = stage,
            ["axes"] = Axes(axes),
            ["updates"] = longest,
            ["edits"] = losses.Count,
            ["step"] = new JsonArray([.. Enumerable.Range(1, longest).Select(i => (JsonNode)i)]),
            ["edit"] = new JsonArray([.. Enumerable.Range(0, longest).Select(i => Rounded(Mean(i)))]),
        };
    }

    private static JsonObject Axes(IEnumerable<KeyValuePair<string, string>> axes) =>
        new(axes.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value)));

    // Four digits are more than a picture shows.
    private static JsonNode? Rounded(double? value) =>
        value is { } x && double.IsFinite(x)
            ? double.Parse(x.ToString("G4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
            : null;
}
