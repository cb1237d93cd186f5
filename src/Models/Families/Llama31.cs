namespace EditUnlearn.Models.Families;

/// <summary>
/// Llama 3.1: grouped heads, stretched rotary angles, headers around every turn. Tensor names: the shared map.
/// </summary>
/// <remarks>
/// Llama 3 (no scaling) and 3.2 (tied embedding, factor 32) have the same wiring, words and turns, and are read as this
/// family.
/// </remarks>
internal static class Llama31
{
    // Words of the Llama 3 vocabulary before its special tokens; no Llama 2 comes near.
    private const int LeastWords = 128_000;

    /// <summary>Source: Grattafiori et al. (2024); template of the study's evaluation.</summary>
    public static Family Family { get; } =
        new(
            "llama31",
            "Llama-3.1",
            "llama",
            "LlamaForCausalLM",
            TemplateCatalog.Get("llama31"),
            positions => new Llama3RopeScaling(8, 1, 4, positions),
            WindowRule.None
        )
        {
            Tensors = SharedTensors.Of,
            Biases = BiasRule.Said,
            UngroupedByDefault = true,
            Recognises = Has,
        };

    // The scaling rule came with 3.1; Llama 3 is known by its vocabulary.
    internal static bool Has(FamilyEvidence evidence) =>
        evidence.RopeScaling is Llama3RopeScaling || evidence.VocabSize >= LeastWords;
}
