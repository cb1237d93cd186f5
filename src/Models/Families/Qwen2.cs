namespace EditUnlearn.Models.Families;

/// <summary>
/// Qwen2 and Qwen2.5: biases on queries, keys and values, which no field says; a window in the upper blocks where one
/// is asked for; prompts begin with no token of their own. Tensor names: the shared map.
/// </summary>
internal static class Qwen2
{
    /// <summary>Source: Yang et al. (2024), arXiv 2407.10671.</summary>
    public static Family Family { get; } =
        new(
            "qwen2",
            "Qwen2",
            "qwen2",
            "Qwen2ForCausalLM",
            TemplateCatalog.Get("qwen2"),
            _ => null,
            WindowRule.Above
        )
        {
            Tensors = SharedTensors.Of,
            Biases = BiasRule.QueryKeyValue,
            BeginsWithToken = false,
            Recognises = _ => true,
        };
}
