using System.Text.Json.Nodes;

namespace EditUnlearn.Methods;

/// <summary>
/// MEMIT's hyperparameters for each family. Source: the files of EasyEdit (docs/methods.md, "Hyperparameters"). Where
/// it has none, the numbers are ours and say so.
/// </summary>
internal static class MemitPresets
{
    public static IReadOnlyList<FamilyPreset> Families { get; } =
    [
        new("llama2", "reference file for Llama-2-7B", Options(0.5, 1e-3, 4)) { Besides = Besides() },
        new("mistral", "reference file for Mistral-7B", Options(0.5, 1e-3, 4)) { Besides = Besides() },
        new(
            "llama3",
            "ours: value optimisation as in the method authors' file for Llama-3; the reference has no file",
            Options(0.1, 0.5, 0.75)
        )
        {
            Besides = Besides(),
        },
        new("llama31", "ours: as Llama-3-8B; the reference has no file", Options(0.1, 0.5, 0.75))
        {
            Besides = Besides(),
        },
    ];

    // Values of the original release are clamp 0.75 and decay 0.5; the reference's own files are far more violent.
    internal static JsonObject Value(double rate, double decay, double clamp) =>
        new()
        {
            ["steps"] = 25,
            ["learningRate"] = rate,
            ["weightDecay"] = decay,
            ["clampNormFactor"] = clamp,
            ["klFactor"] = 0.0625,
            ["stopLoss"] = 0.05,
        };

    private static JsonObject Options(double rate, double decay, double clamp) =>
        new()
        {
            ["layers"] = new JsonArray(4, 5, 6, 7, 8),
            ["contexts"] = 5,
            ["lambda"] = 15000,
            ["batchSize"] = 1,
            ["value"] = Value(rate, decay, clamp),
        };

    // Documents: 100,000 in the reference's files; the paper sets 1,000.
    private static JsonObject Besides() =>
        new()
        {
            ["lossLayer"] = 31,
            ["modelDtype"] = "float32",
            ["solveDtype"] = "float64",
            ["momentDocuments"] = 1000,
        };
}
