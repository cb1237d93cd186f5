using System.Text.Json.Nodes;

namespace EditUnlearn.Methods.Shared;

/// <summary>Value optimisations that several methods' presets share, as what differs from the defaults.</summary>
internal static class ValuePresets
{
    /// <summary>That of the reference's files for Llama-3, far gentler than those for Llama-2 and Mistral.</summary>
    public static JsonObject Llama3 =>
        new()
        {
            ["learningRate"] = 0.1,
            ["weightDecay"] = 0.5,
            ["clampNormFactor"] = 0.75,
        };
}
