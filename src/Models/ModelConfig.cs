using EditUnlearn.Models.Families;

namespace EditUnlearn.Models;

/// <summary>Shape and constants of a decoder, as <c>config.json</c> of a checkpoint gives them.</summary>
public sealed record ModelConfig
{
    /// <summary>Name in the family catalogue: <c>llama2</c>, <c>mistral</c>, <c>qwen3</c>.</summary>
    public required string Family { get; init; }

    /// <summary>V.</summary>
    public required int VocabSize { get; init; }

    /// <summary>D, width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>F, width of the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>L, blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>H, query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>K, key-value heads; divides <see cref="Heads"/>.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Width of one head.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Added to the mean square before its root.</summary>
    public double RmsNormEps { get; init; } = 1e-5;

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>How rotary frequencies are stretched for long contexts; null for not at all.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>w: position i attends to j with i - w &lt; j &lt;= i; null for all earlier positions.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>The first block that attends within the window; those below see all earlier positions.</summary>
    public int WindowedFrom { get; init; }

    /// <summary>
    /// Whether the output map is the embedding itself, so that a checkpoint holds no <c>lm_head.weight</c>.
    /// </summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Whether q, k and v have biases.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether o has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether gate, up and down have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Whether each head's queries and keys are normed before they are turned.</summary>
    public bool QkNorm { get; init; }

    /// <summary>Longest input the checkpoint was made for.</summary>
    public int MaxPositions { get; init; } = 4096;

    /// <summary>Begins every prompt.</summary>
    public int BosId { get; init; } = 1;

    /// <summary>Each of these ends an answer; the first is the one that is written.</summary>
    public IReadOnlyList<int> EosIds { get; init; } = [2];

    /// <summary>
    /// Ids that <c>generation_config.json</c> names as ends of an answer; null where it is absent or silent.
    /// </summary>
    public IReadOnlyList<int>? GenerationEosIds { get; init; }

    /// <summary>
    /// How <c>generation_config.json</c> says that text is drawn; null where the likeliest token is taken. The study's
    /// answers are greedy whatever it says.
    /// </summary>
    public SamplingFilter? Sampling { get; init; }

    /// <summary>
    /// Each of these ends a generated answer: <see cref="GenerationEosIds"/>, else <see cref="EosIds"/>.
    /// </summary>
    public IReadOnlyList<int> StopIds => GenerationEosIds ?? EosIds;

    /// <summary>The window of a block; null where it sees all earlier positions.</summary>
    public int? WindowOf(int layer) => layer >= WindowedFrom ? SlidingWindow : null;

    /// <summary>Whether a map of a block has a bias.</summary>
    /// <param name="weight">Name of its weight.</param>
    public bool HasBias(string weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (!AttentionBias && !OutputBias && !MlpBias)
            return false;
        return weight.Contains(".mlp.", StringComparison.Ordinal) ? MlpBias
            : weight.EndsWith(".o_proj.weight", StringComparison.Ordinal) ? OutputBias
            : weight.Contains(".self_attn.", StringComparison.Ordinal) && AttentionBias;
    }

    /// <summary>
    /// Name and shape of every tensor a checkpoint of this shape holds, in the order of the forward pass.
    /// </summary>
    public IEnumerable<(string Name, long[] Shape)> Tensors() => FamilyCatalog.Get(Family).Tensors(this);

    /// <summary>P: the numbers in all tensors of a checkpoint of this shape, or in some of them.</summary>
    /// <param name="which">Chooses tensors by name; null for all.</param>
    public long ParameterCount(Func<string, bool>? which = null) =>
        Tensors().Where(t => which?.Invoke(t.Name) ?? true).Sum(t => t.Shape.Aggregate(1L, (a, b) => a * b));
}

/// <summary>How rotary frequencies are stretched, so that longer contexts look like those of training.</summary>
public abstract record RopeScaling;

/// <summary>The "linear" rule: every frequency is divided by a factor. Source: Chen et al. (2023).</summary>
/// <param name="Factor">By how much.</param>
internal sealed record LinearRopeScaling(double Factor) : RopeScaling;

/// <summary>
/// The "llama3" rule: slow frequencies are divided by a factor, fast ones kept, those between blended.
/// </summary>
/// <param name="Factor">By how much slow frequencies are divided.</param>
/// <param name="LowFrequencyFactor">Wavelengths above original / this are slow.</param>
/// <param name="HighFrequencyFactor">Wavelengths below original / this are fast.</param>
/// <param name="OriginalMaxPositions">Context of the model before it was stretched.</param>
internal sealed record Llama3RopeScaling(
    double Factor,
    double LowFrequencyFactor,
    double HighFrequencyFactor,
    int OriginalMaxPositions
) : RopeScaling;

/// <summary>The names that Llama-shaped checkpoints give their tensors.</summary>
public static class TensorNames
{
    /// <summary>Token embedding [V, D].</summary>
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary>Gain of the last norm [D].</summary>
    public const string FinalNorm = "model.norm.weight";

    /// <summary>Output map [V, D].</summary>
    public const string LmHead = "lm_head.weight";

    /// <summary>Gain of the norm before attention [D].</summary>
    public static string InputNorm(int layer) => $"model.layers.{layer}.input_layernorm.weight";

    /// <summary>Gain of the norm before the MLP [D].</summary>
    public static string PostAttentionNorm(int layer) => $"model.layers.{layer}.post_attention_layernorm.weight";

    /// <summary><c>q_proj</c>, <c>k_proj</c>, <c>v_proj</c> or <c>o_proj</c> of a block.</summary>
    public static string Attention(int layer, string map) => $"model.layers.{layer}.self_attn.{map}.weight";

    /// <summary>The bias of a map.</summary>
    /// <param name="weight">Name of its weight.</param>
    public static string Bias(string weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return string.Concat(weight.AsSpan(0, weight.LastIndexOf('.')), ".bias");
    }

    /// <summary>Gain of the norm of each head's queries [head].</summary>
    public static string QueryNorm(int layer) => $"model.layers.{layer}.self_attn.q_norm.weight";

    /// <summary>Gain of the norm of each head's keys [head].</summary>
    public static string KeyNorm(int layer) => $"model.layers.{layer}.self_attn.k_norm.weight";

    /// <summary><c>gate_proj</c>, <c>up_proj</c> or <c>down_proj</c> of a block.</summary>
    public static string Mlp(int layer, string map) => $"model.layers.{layer}.mlp.{map}.weight";

    /// <summary>The map whose input is the memory's key and whose output is its value [D, F].</summary>
    public static string DownProj(int layer) => Mlp(layer, "down_proj");
}
