namespace EditUnlearn.Models.Families;

/// <summary>Llama 2 chat: plain rotary angles, heads ungrouped in the 7B model. Tensor names: the shared map.</summary>
internal static class Llama2
{
    /// <summary>Source: Touvron et al. (2023); template of the study's evaluation.</summary>
    public static Family Family { get; } =
        new(
            "llama2",
            "Llama-2",
            "llama",
            "LlamaForCausalLM",
            TemplateCatalog.Get("llama2"),
            _ => null,
            WindowRule.None
        )
        {
            Tensors = SharedTensors.Of,
            Biases = BiasRule.Said,
            UngroupedByDefault = true,
            // Every model of type llama that is no Llama 3: Llama 2 itself and what was made from it.
            Recognises = evidence => !Llama31.Has(evidence),
        };
}
