namespace EditUnlearn.Models.Families;

/// <summary>
/// Mistral: grouped heads, attention within a sliding window (v0.1) or without one (v0.2, v0.3, Nemo, whose heads have
/// a width of their own). Tensor names: the shared map.
/// </summary>
internal static class Mistral
{
    /// <summary>Source: Jiang et al. (2023); template of the study's evaluation.</summary>
    public static Family Family { get; } =
        new(
            "mistral",
            "Mistral",
            "mistral",
            "MistralForCausalLM",
            TemplateCatalog.Get("mistral"),
            _ => null,
            WindowRule.Every
        )
        {
            Tensors = SharedTensors.Of,
            Biases = BiasRule.None,
            Recognises = _ => true,
        };
}
