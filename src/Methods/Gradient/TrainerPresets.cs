using System.Text.Json.Nodes;

namespace EditUnlearn.Methods.Gradient;

/// <summary>
/// Settings of public trainers that hold for every gradient method, as what differs from the defaults of
/// <see cref="TrainingOptions"/>. A method adds what the trainer sets for it alone.
/// </summary>
/// <remarks>
/// Sources: configurations and code of PISTOL (Qiu et al., 2024), TOFU (Maini et al., 2024) and OpenUnlearning;
/// docs/methods.md, "Gradient methods".
/// </remarks>
internal static class TrainerPresets
{
    /// <summary>Tokens to which PISTOL and TOFU pad every row.</summary>
    public const int PublishedLength = 500;

    /// <summary>The study's equations.</summary>
    public static MethodPreset Equations { get; } =
        new(
            MethodPreset.Corrected,
            "the study's equations 4 to 7: a mean per row, then over rows",
            new JsonObject { ["normalisation"] = "sampleMean" }
        );

    /// <summary>PISTOL's trainer as its code runs; its settings are the defaults.</summary>
    public static MethodPreset PistolCompat(JsonObject? own = null) =>
        new("pistol-compat", "PISTOL's trainer as its code runs", OptionStack.Overlay(null, own));

    /// <summary>TOFU's: one epoch of warm-up, effective batches of 32.</summary>
    public static MethodPreset Tofu(JsonObject? own = null) =>
        new("tofu", "TOFU's configuration for Llama-2", OptionStack.Overlay(AllWeights(epochs: 5), own));

    /// <summary>OpenUnlearning's: one epoch of warm-up, effective batches of 32.</summary>
    public static MethodPreset OpenUnlearning(JsonObject? own = null) =>
        new("open-unlearning", "OpenUnlearning's configuration", OptionStack.Overlay(AllWeights(epochs: 10), own));

    private static JsonObject AllWeights(int epochs) =>
        new()
        {
            ["learningRate"] = 1e-5,
            ["epochs"] = epochs,
            ["accumulation"] = 8,
            ["warmupEpochs"] = 1,
            ["trainable"] = "full",
        };
}
