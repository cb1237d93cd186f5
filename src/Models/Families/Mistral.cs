namespace EditUnlearn.Models.Families;

/// <summary>Mistral: grouped heads, attention within a sliding window.</summary>
public static class Mistral
{
    /// <summary>Source: Jiang et al. (2023); template of the study's evaluation.</summary>
    public static Family Family { get; } = new("mistral", "Mistral", "mistral", "MistralForCausalLM", new ChatTemplate("[INST] {q} [/INST]"), _ => null, SlidingWindow: true);
}
