using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Web;

/// <summary>Curves of training runs for the page: fewer points than updates where there are many.</summary>
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
            ["axes"] = new JsonObject(axes.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value))),
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

    // Four digits are more than a picture shows.
    private static JsonNode? Rounded(double? value) =>
        value is { } x && double.IsFinite(x)
            ? double.Parse(x.ToString("G4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
            : null;
}
