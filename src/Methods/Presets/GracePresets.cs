using System.Text.Json.Nodes;

namespace EditUnlearn.Methods;

/// <summary>
/// GRACE's hyperparameters for each family of models. Source: the files of EasyEdit (docs/methods.md,
/// "Hyperparameters").
/// </summary>
internal static class GracePresets
{
    private const string File = "reference file for Llama-2-7B";
    private const string Ours =
        "ours: there is no reference file; the one for Llama-2-7B, whose layer the reference's other layer adapter "
        + "also has for Mistral";

    /// <summary>All families.</summary>
    public static IReadOnlyList<FamilyPreset> Families { get; } =
    [
        new("llama2", File, Values()),
        new("mistral", Ours, Values()),
        new("llama3", Ours, Values()),
        new("llama31", Ours, Values()),
    ];

    private static JsonObject Values() =>
        new()
        {
            ["layer"] = 27,
            ["learningRate"] = 1.0,
            ["steps"] = 50,
            ["radius"] = 1.0,
            ["start"] = "cold",
            ["replacement"] = "last",
        };
}
