using System.Text.Json.Nodes;

namespace EditUnlearn.Methods;

/// <summary>
/// WISE's hyperparameters for each family of models. Source: the files of EasyEdit (docs/methods.md,
/// "Hyperparameters").
/// </summary>
internal static class WisePresets
{
    /// <summary>All families.</summary>
    public static IReadOnlyList<FamilyPreset> Families { get; } =
    [
        Of("llama2", "reference file for Llama-2-7B", layer: 27, rate: 1.0, steps: 70, alpha: 5, beta: 20, ratio: 0.88),
        Of(
            "mistral",
            "reference file for Mistral-7B",
            layer: 27,
            rate: 1.0,
            steps: 70,
            alpha: 5,
            beta: 20,
            ratio: 0.88
        ),
        Of("llama3", "reference file for Llama-3-8B", layer: 29, rate: 0.9, steps: 30, alpha: 2, beta: 20, ratio: 0.5),
        Of(
            "llama31",
            "reference file for Llama-3.1-8B",
            layer: 29,
            rate: 0.9,
            steps: 30,
            alpha: 5,
            beta: 10,
            ratio: 0.88
        ),
    ];

    private static FamilyPreset Of(
        string family,
        string origin,
        int layer,
        double rate,
        int steps,
        double alpha,
        double beta,
        double ratio
    ) =>
        new(
            family,
            origin,
            new JsonObject
            {
                ["layer"] = layer,
                ["learningRate"] = rate,
                ["steps"] = steps,
                ["alpha"] = alpha,
                ["beta"] = beta,
                ["gamma"] = 10,
                ["actRatio"] = ratio,
                ["maskRatio"] = 0.2,
                ["normConstraint"] = 1.0,
                ["saveFrequency"] = 500,
                ["mergeFrequency"] = 1000,
                ["merge"] = "ties",
                ["density"] = 0.53,
                ["mergeWeight"] = 1.0,
                ["retrieve"] = true,
            }
        );
}
