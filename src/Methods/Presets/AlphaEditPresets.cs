using System.Text.Json.Nodes;

namespace EditUnlearn.Methods;

/// <summary>
/// AlphaEdit's hyperparameters for each family. Source: the files of EasyEdit (docs/methods.md, "Hyperparameters").
/// Where it has none, the numbers are ours and say so.
/// </summary>
internal static class AlphaEditPresets
{
    public static IReadOnlyList<FamilyPreset> Families { get; } =
    [
        new(
            "llama2",
            "ours: MEMIT's value optimisation, bound and ridge kept, as the toolkit's maintainers advise; ridge 1 "
                + "is to be reported too",
            Options(0.5, 1e-3, 4, 10)
        )
        {
            Besides = Besides(),
        },
        new(
            "mistral",
            "ours: as Llama-2-7B; the reference cannot run this family (defect A2)",
            Options(0.5, 1e-3, 4, 10)
        )
        {
            Besides = Besides(),
        },
        new("llama3", "reference file for Llama-3-8B", Options(0.1, 0.5, 0.75, 1)) { Besides = Besides() },
        new("llama31", "reference file for Llama-3.1-8B", Options(0.1, 0.5, 0.75, 10)) { Besides = Besides() },
    ];

    private static JsonObject Options(double rate, double decay, double clamp, double ridge) =>
        new()
        {
            ["layers"] = new JsonArray(4, 5, 6, 7, 8),
            ["contexts"] = 5,
            ["nullSpaceThreshold"] = 0.02,
            ["nullSpaceUnit"] = "absolute",
            ["ridge"] = ridge,
            ["batchSize"] = 1,
            ["value"] = MemitPresets.Value(rate, decay, clamp),
        };

    private static JsonObject Besides() =>
        new()
        {
            ["lossLayer"] = 31,
            ["modelDtype"] = "float32",
            ["momentDocuments"] = 1000,
        };
}
