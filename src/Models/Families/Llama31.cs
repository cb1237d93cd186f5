namespace EditUnlearn.Models.Families;

/// <summary>Llama 3.1: grouped heads, stretched rotary angles, headers around every turn.</summary>
public static class Llama31
{
    /// <summary>Source: Grattafiori et al. (2024); template of the study's evaluation.</summary>
    public static Family Family { get; } = new(
        "llama31", "Llama-3.1", "llama", "LlamaForCausalLM",
        new ChatTemplate("<|start_header_id|>user<|end_header_id|>\n\n{q}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"),
        positions => new Llama3RopeScaling(8, 1, 4, positions), SlidingWindow: false);
}
