using System.Text.Json.Nodes;

namespace EditUnlearn.Methods;

/// <summary>
/// ROME's hyperparameters for each family. Source: the files of EasyEdit (docs/methods.md, "Hyperparameters"). Where it
/// has none, the numbers are ours and say so.
/// </summary>
internal static class RomePresets
{
    public static IReadOnlyList<FamilyPreset> Families { get; } =
    [
        new("llama2", "reference file for Llama-2-7B", Options()) { Besides = Besides("float32") },
        new("mistral", "reference file for Mistral-7B", Options()) { Besides = Besides("float32") },
        new("llama3", "reference file for Llama-3-8B", Options()) { Besides = Besides("float16") },
        new("llama31", "ours: as Llama-3-8B, in float32; the reference has no file", Options())
        {
            Besides = Besides("float32"),
        },
    ];

    private static JsonObject Options() =>
        new()
        {
            ["layers"] = new JsonArray(5),
            ["contexts"] = 20,
            ["secondMoments"] = false,
            ["value"] = new JsonObject
            {
                ["steps"] = 25,
                ["learningRate"] = 0.5,
                ["weightDecay"] = 1e-3,
                ["clampNormFactor"] = 4,
                ["klFactor"] = 0.0625,
                ["stopLoss"] = 0.05,
            },
        };

    private static JsonObject Besides(string dtype) => new() { ["lossLayer"] = 31, ["modelDtype"] = dtype };
}
