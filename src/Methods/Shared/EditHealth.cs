using System.Text.Json.Nodes;

namespace EditUnlearn.Methods.Shared;

/// <summary>What one edit did to the model, for people who wonder why it went well or badly.</summary>
/// <param name="Id">Of the question.</param>
/// <param name="Losses">Of the value optimisation, layer after layer where it ran for each; before each update.</param>
/// <param name="ProbabilityBefore">Geometric mean of the target tokens' probabilities after the bare prompt, before
/// this edit.</param>
/// <param name="ProbabilityAfter">And after it.</param>
/// <param name="Clamped">Whether the offset was held back by its bound.</param>
/// <param name="Growth">|v0| now over |v0| in the unedited model; far from 1 the edits before have moved the model out
/// of its working range.</param>
/// <param name="Layers">What was written where.</param>
internal sealed record EditHealth(
    string Id,
    IReadOnlyList<ValueLoss> Losses,
    double ProbabilityBefore,
    double ProbabilityAfter,
    bool Clamped,
    double Growth,
    IReadOnlyList<LayerHealth> Layers
)
{
    /// <summary>As it stands in a patch.</summary>
    public JsonObject ToJson() =>
        new()
        {
            ["id"] = Id,
            ["loss"] = new JsonArray([.. Losses.Select(l => Number(l.Total))]),
            ["probabilityBefore"] = Number(ProbabilityBefore),
            ["probabilityAfter"] = Number(ProbabilityAfter),
            ["clamped"] = Clamped,
            ["growth"] = Number(Growth),
            ["layers"] = new JsonArray([.. Layers.Select(l => l.ToJson())]),
        };

    // Five digits: more would be rounding noise in a file that people read.
    internal static JsonNode? Number(double value) =>
        double.IsFinite(value)
            ? JsonValue.Create(
                double.Parse(
                    value.ToString("g5", System.Globalization.CultureInfo.InvariantCulture),
                    System.Globalization.CultureInfo.InvariantCulture
                )
            )
            : null;
}

/// <summary>What one edit wrote into one layer.</summary>
/// <param name="Layer">The block.</param>
/// <param name="Written">phi, the share of the residual that the update gives to the edit's own key; 1 for ROME by
/// construction.</param>
/// <param name="Update">|r a^T| / |W|, Frobenius, W the unedited weight.</param>
/// <param name="Drift">|W now - W| / |W| after the edit, of all edits so far.</param>
/// <param name="Alignment">kᵀu / |k|: how far the denominator's key lies along the direction of the update (ROME); null
/// elsewhere.</param>
internal sealed record LayerHealth(int Layer, double Written, double Update, double Drift, double? Alignment)
{
    internal JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["layer"] = Layer,
            ["written"] = EditHealth.Number(Written),
            ["update"] = EditHealth.Number(Update),
            ["drift"] = EditHealth.Number(Drift),
        };
        if (Alignment is { } alignment)
            json["alignment"] = EditHealth.Number(alignment);
        return json;
    }
}
