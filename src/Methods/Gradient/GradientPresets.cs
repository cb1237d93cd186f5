using System.Text.Json.Nodes;

namespace EditUnlearn.Methods.Gradient;

/// <summary>
/// Settings that others have published, by preset: what differs from the defaults, which are those of the study and of
/// PISTOL's configuration.
/// </summary>
/// <remarks>
/// Sources: configurations and code of PISTOL (Qiu et al., 2024), TOFU (Maini et al., 2024) and OpenUnlearning;
/// docs/methods.md, "Gradient methods".
/// </remarks>
internal static class GradientPresets
{
    /// <summary>
    /// PISTOL's trainer as its code runs: padded positions at length 500, compared with the model before finetuning.
    /// </summary>
    public const string PistolCompat = "pistol-compat";

    /// <summary>TOFU's: all weights, five epochs, one of them warm-up, effective batches of 32.</summary>
    public const string Tofu = "tofu";

    /// <summary>OpenUnlearning's: all weights, ten epochs, one of them warm-up, effective batches of 32.</summary>
    public const string OpenUnlearning = "open-unlearning";

    private const int PublishedLength = 500;

    /// <summary>Means over rows, as the study's equations 4 to 7 have them.</summary>
    public static JsonObject Equations => new() { ["normalisation"] = "sampleMean" };

    /// <summary>The published settings of one method.</summary>
    /// <param name="method">Its name in the catalogue.</param>
    public static IReadOnlyDictionary<string, JsonObject> Of(string method) =>
        new Dictionary<string, JsonObject>(StringComparer.Ordinal)
        {
            [PistolCompat] = Pistol(method),
            [Tofu] = With(
                Full(epochs: 5),
                method switch
                {
                    "kl" => new JsonObject
                    {
                        ["kl"] = new JsonObject { ["positions"] = "paddedCompat", ["paddedLength"] = PublishedLength },
                    },
                    "idk" => new JsonObject { ["union"] = true },
                    _ => [],
                }
            ),
            [OpenUnlearning] = With(
                Full(epochs: 10),
                method switch
                {
                    "kl" => new JsonObject { ["kl"] = new JsonObject { ["positions"] = "paddedCompat" } },
                    "dpo" => new JsonObject { ["scale"] = 20, ["retainWeight"] = 1 }, // 2 / beta
                    _ => [],
                }
            ),
        };

    private static JsonObject Pistol(string method) =>
        method switch
        {
            "kl" => new JsonObject
            {
                ["kl"] = new JsonObject
                {
                    ["positions"] = "paddedCompat",
                    ["paddedLength"] = PublishedLength,
                    ["reference"] = "pretrained",
                },
            },
            "dpo" => new JsonObject { ["reference"] = "pretrained" },
            _ => [],
        };

    private static JsonObject Full(int epochs) =>
        new()
        {
            ["learningRate"] = 1e-5,
            ["epochs"] = epochs,
            ["batchSize"] = 4,
            ["accumulation"] = 8,
            ["warmupEpochs"] = 1,
            ["trainable"] = "full",
        };

    private static JsonObject With(JsonObject settings, JsonObject more)
    {
        foreach (var (key, value) in more)
            settings[key] = value!.DeepClone();
        return settings;
    }
}
