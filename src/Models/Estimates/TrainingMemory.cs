using EditUnlearn.Models.Training;

namespace EditUnlearn.Models.Estimates;

/// <summary>What a training run will look like, as far as memory goes.</summary>
public sealed record TrainingPlan
{
    /// <summary>Shape of the model.</summary>
    public required ModelConfig Config { get; init; }

    /// <summary>What moves, and whether blocks are recomputed.</summary>
    public required TrainableModel.Options Moves { get; init; }

    /// <summary>B, rows of one forward pass.</summary>
    public required int Rows { get; init; }

    /// <summary>T, tokens of the longest row; padding is computed like any token.</summary>
    public required int Width { get; init; }

    /// <summary>Forward passes whose graphs exist at once: one for each set of rows in the loss.</summary>
    public int Forwards { get; init; } = 1;

    /// <summary>Positions whose logits count in likelihoods, all forward passes together.</summary>
    public required int Labels { get; init; }

    /// <summary>
    /// Positions that the last block finishes, all forward passes together: those with labels and those compared with a
    /// reference. The others stop at what these look at.
    /// </summary>
    public required long Read { get; init; }

    /// <summary>Positions compared with a reference at once; 0 for none.</summary>
    public long Compared { get; init; }

    /// <summary>Kept of what a reference model said [bytes].</summary>
    public long ReferenceBytes { get; init; }

    /// <summary>Bytes of a weight: 4 in float32, 2 in half precision.</summary>
    public int WeightBytes { get; init; } = 4;
}

/// <summary>
/// Bytes a training run needs at its peak, by what they are for. A pure function of the plan: nothing is allocated to
/// find out.
/// </summary>
/// <remarks>
/// Weights, gradients and the optimiser's states are counted by their types; activations are what autograd keeps of
/// this decoder's blocks, counted operation by operation.
/// </remarks>
/// <param name="Weights">The model as it came.</param>
/// <param name="Moving">What moves, in float32: masters of the weights with what graphs keep of them in the model's
/// type, or adapter factors.</param>
/// <param name="Gradients">Of what moves.</param>
/// <param name="Moments">Both of AdamW.</param>
/// <param name="Activations">What the graphs keep, and one block's backward pass.</param>
/// <param name="Logits">And what their losses keep.</param>
/// <param name="Reference">Kept of a reference model.</param>
/// <param name="Process">Runtime and libraries.</param>
public sealed record TrainingMemory(
    long Weights,
    long Moving,
    long Gradients,
    long Moments,
    long Activations,
    long Logits,
    long Reference,
    long Process
)
{
    // Resident memory of a worker with libtorch loaded and nothing of a model in it, and what the runtime lets pile up
    // between two collections.
    private const long ProcessBytes = 256L << 20;

    // glibc keeps more than is in use: libtorch's aligned tensors leave small rests that graph nodes settle in.
    // Measured with `-- memory` where graphs are kept, and where blocks come and go (docs/log.md).
    private const double KeptHeapShare = 1.5,
        RecomputedHeapShare = 2.4;
    private const int Float = 4;

    /// <summary>All of it.</summary>
    public long Total => Weights + Moving + Gradients + Moments + Activations + Logits + Reference + Process;

    /// <summary>Counts.</summary>
    public static TrainingMemory Of(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var config = plan.Config;
        var all = config.ParameterCount();
        var lora = plan.Moves.Trainable == Trainable.Lora;
        var moving = lora ? AdapterParameters(config, plan.Moves.Lora) : config.ParameterCount(plan.Moves.Moves);
        var share = plan.Moves.GradientCheckpointing ? RecomputedHeapShare : KeptHeapShare;
        return new TrainingMemory(
            all * plan.WeightBytes,
            moving * Float + RoundedBytes(plan),
            moving * Float,
            2 * moving * Float,
            (long)(ActivationBytes(plan) * share),
            (long)(LogitBytes(plan) * share),
            plan.ReferenceBytes,
            ProcessBytes
        );
    }

    /// <summary>Trainable numbers of an adapter: r (in + out) for each map.</summary>
    public static long AdapterParameters(ModelConfig config, LoraAdapter.Options adapter)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(adapter);
        return config
            .Tensors()
            .Where(t =>
                t.Shape.Length == 2
                && adapter.Targets.Any(m => t.Name.EndsWith(m + ".weight", StringComparison.Ordinal))
            )
            .Sum(t => adapter.Rank * (t.Shape[0] + t.Shape[1]));
    }

    /// <summary>
    /// Bytes that keeping a reference's states takes: one state before the output map for each compared position.
    /// </summary>
    public static long ReferenceStates(ModelConfig config, long positions, int weightBytes = Float)
    {
        ArgumentNullException.ThrowIfNull(config);
        return positions * config.HiddenSize * weightBytes;
    }

    // Masters are rounded to the model's type on use, and the graphs keep that, once a forward pass.
    private static long RoundedBytes(TrainingPlan plan)
    {
        if (plan.WeightBytes == Float || plan.Moves.Trainable == Trainable.Lora)
            return 0;
        var moving = plan.Config.ParameterCount(plan.Moves.Moves) * plan.WeightBytes;
        return plan.Moves.GradientCheckpointing ? moving / plan.Config.Layers : moving * plan.Forwards;
    }

    // What autograd keeps of one block for one token, in elements: up to the mixed values of the heads, and from there
    // on.
    private static (long Looked, long Finished) PerToken(TrainingPlan plan)
    {
        var c = plan.Config;
        long d = c.HiddenSize,
            f = c.IntermediateSize,
            q = (long)c.Heads * c.HeadDim;
        if (plan.Moves.Trainable != Trainable.Lora)
        {
            // A norm keeps its input, the normed one for the gain and what it gives to the next maps; the heads q, k, v
            // and the mixed values, repeated;
            // then the same of the second norm; gate, up, SiLU of gate, their product.
            return (3 * d + 4 * q + c.Heads, 3 * d + 4 * f);
        }
        // Frozen maps and gains need no inputs, only the adapted ones: mask and masked input, or the input itself.
        long Inputs(params string[] maps) =>
            (plan.Moves.Lora.Dropout > 0 ? 2 : 1) * AdaptedInputs(c, plan.Moves.Lora, maps);
        return (
            d + 4 * q + c.Heads + Inputs("q_proj", "k_proj", "v_proj"),
            d + 3 * f + Inputs("o_proj", "gate_proj", "up_proj", "down_proj")
        );
    }

    private static long AdaptedInputs(ModelConfig config, LoraAdapter.Options adapter, params string[] maps) =>
        config
            .Tensors()
            .Where(t =>
                t.Name.StartsWith("model.layers.0.", StringComparison.Ordinal)
                && t.Shape.Length == 2
                && maps.Intersect(adapter.Targets).Any(m => t.Name.EndsWith(m + ".weight", StringComparison.Ordinal))
            )
            .Sum(t => t.Shape[1]);

    private static long ActivationBytes(TrainingPlan plan)
    {
        var c = plan.Config;
        var tokens = (long)plan.Rows * plan.Width;
        var (looked, finished) = PerToken(plan);
        var block = tokens * (looked + finished);
        var read = Math.Min(plan.Read, plan.Forwards * tokens);
        // While a block goes backward: gradients of gate, up, their product and the stream.
        var backward = tokens * (3L * c.IntermediateSize + 3L * c.HiddenSize);
        var ends = tokens * 3L * c.HiddenSize; // embedding, last norm
        var atOnce = plan.Moves.GradientCheckpointing
            ? plan.Forwards * (tokens * c.Layers * c.HiddenSize + ends) + block
            : plan.Forwards * ((c.Layers - 1) * block + tokens * looked + ends) + read * finished;
        // The gradient of the largest weight exists once beside the place it is added to.
        var largest =
            plan.Moves.Trainable == Trainable.Lora ? 0 : c.Tensors().Max(t => t.Shape.Aggregate(1L, (a, b) => a * b));
        return (atOnce + backward) * plan.WeightBytes + largest * plan.WeightBytes;
    }

    // Log-probabilities are kept in float32; their gradient and that of the logits exist together for an instant. A
    // divergence holds both models' and their exponentials, differences and products.
    private static long LogitBytes(TrainingPlan plan) =>
        Float
        * (long)plan.Config.VocabSize
        * (plan.Labels + 3L * plan.Compared + 2L * Math.Max(plan.Labels / Math.Max(1, plan.Forwards), plan.Compared));
}
