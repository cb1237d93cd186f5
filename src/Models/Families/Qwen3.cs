namespace EditUnlearn.Models.Families;

/// <summary>
/// Qwen3: each head's queries and keys are normed, no biases unless a field says so, heads of a width of their own,
/// prompts begin with no token of their own. Tensor names: the shared map.
/// </summary>
internal static class Qwen3
{
    /// <summary>Source: Yang et al. (2025), arXiv 2505.09388.</summary>
    public static Family Family { get; } =
        new(
            "qwen3",
            "Qwen3",
            "qwen3",
            "Qwen3ForCausalLM",
            TemplateCatalog.Get("qwen3"),
            _ => null,
            WindowRule.Above
        )
        {
            Tensors = SharedTensors.Of,
            Biases = BiasRule.Said,
            QkNorm = true,
            BeginsWithToken = false,
            Recognises = _ => true,
        };
}
