namespace EditUnlearn.Models.Estimates;

/// <summary>
/// Estimates how much memory each kind of work needs, from the shape of a model and the size of the work alone.
/// Nothing is loaded.
/// </summary>
/// <remarks>
/// It adds up the tensors that live at the same time in the code as it is: weights P b; training as
/// <see cref="TrainingMemory"/> counts it; C in float64 twice per layer while it is measured. Activations count what
/// autograd keeps per token and block, 8 D + 4 F values of the model's type and 8 D float32 of the norms. Rows have
/// the length of <see cref="UsualRow"/>.
/// Symbols: docs/notation.md; b bytes of the type, P parameters.
/// </remarks>
public static class MemoryModel
{
    /// <summary>
    /// The process with its libraries and no model: a round number, to be held against the column <c>seen</c> of
    /// <c>doctor</c>.
    /// </summary>
    public const long RuntimeBytes = 400_000_000;

    private const int AnswerRows = 64,
        MomentRows = 32;

    /// <summary>Work on text alone, without a model.</summary>
    public static MemoryEstimate Text { get; } = new([new("runtime", RuntimeBytes)]);

    /// <summary>Generation of 64 answers side by side, or scoring of 64, whichever holds more.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="typeBytes">b: 4 for float32, 2 for bfloat16 and float16.</param>
    /// <param name="maxNewTokens">Limit of an answer.</param>
    public static MemoryEstimate Answers(ModelConfig config, int typeBytes, int maxNewTokens)
    {
        ArgumentNullException.ThrowIfNull(config);
        const long Tokens = (long)AnswerRows * UsualRow.Tokens;
        var cache =
            2L
            * config.Layers
            * config.KvHeads
            * config.HeadDim
            * typeBytes
            * AnswerRows
            * (UsualRow.Tokens + maxNewTokens);
        var scoring = 3L * AnswerRows * UsualRow.AnswerTokens * config.VocabSize * 4;
        var work = cache >= scoring ? new MemoryPart("cache", cache) : new MemoryPart("logits", scoring);
        // Without a graph the values of one block live at a time.
        return Sum(config, typeBytes, work, new("activations", Tokens * PerToken(config, typeBytes)));
    }

    /// <summary>
    /// Second moments of the keys of some layers, in one pass: sums and means in float64, a product of one pass in
    /// float32 and its float64 copy.
    /// </summary>
    public static MemoryEstimate Moments(ModelConfig config, int typeBytes, int layers)
    {
        ArgumentNullException.ThrowIfNull(config);
        var square = (long)config.IntermediateSize * config.IntermediateSize;
        return Sum(
            config,
            typeBytes,
            new("moments", square * (16L * layers + 12)),
            new("activations", (long)MomentRows * UsualRow.Tokens * PerToken(config, typeBytes))
        );
    }

    /// <summary>
    /// Projectors from second moments: C, its eigenvectors and their workspace in float64, and of each layer a factor
    /// of at most half of that. No model is loaded.
    /// </summary>
    public static MemoryEstimate Projectors(ModelConfig config, int layers)
    {
        ArgumentNullException.ThrowIfNull(config);
        var square = (long)config.IntermediateSize * config.IntermediateSize * 8;
        return new MemoryEstimate([new("runtime", RuntimeBytes), new("moments", square * 4 + square * layers / 2)]);
    }

    /// <summary>
    /// Pretraining in float32: initial weights, moving copy, the gradients of two shards, two moments.
    /// </summary>
    public static MemoryEstimate Pretraining(ModelConfig config, int batch)
    {
        ArgumentNullException.ThrowIfNull(config);
        var parameters = config.ParameterCount();
        var tokens = (long)batch * UsualRow.Tokens;
        return new MemoryEstimate([
            new("runtime", RuntimeBytes),
            new("weights", parameters * 4),
            new("training state", parameters * 4 * 5),
            new("activations", tokens * config.Layers * PerToken(config, 4)),
            new("logits", tokens * config.VocabSize * 4 * 3),
        ]);
    }

    /// <summary>Training of a checkpoint, as <see cref="TrainingMemory"/> counts it.</summary>
    public static MemoryEstimate Training(TrainingPlan plan)
    {
        var memory = TrainingMemory.Of(plan);
        MemoryPart[] parts =
        [
            new("runtime", RuntimeBytes),
            new("weights", memory.Weights),
            new("training state", memory.Moving + memory.Gradients + memory.Moments),
            new("activations", memory.Activations),
            new("logits", memory.Logits),
            new("reference", memory.Reference),
        ];
        return new MemoryEstimate([.. parts.Where(p => p.Bytes > 0)]);
    }

    /// <summary>A model that is loaded and left alone.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="typeBytes">b: 4 for float32, 2 for bfloat16 and float16.</param>
    public static MemoryEstimate Loaded(ModelConfig config, int typeBytes)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Sum(config, typeBytes);
    }

    /// <summary>
    /// What all locate-and-edit methods share: the edited maps in float32, moments and their solve, a value
    /// optimisation through the blocks above.
    /// </summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="typeBytes">b: 4 for float32, 2 for bfloat16 and float16.</param>
    /// <param name="layers">Edited blocks, at least one.</param>
    /// <param name="rows">Rows of one value optimisation.</param>
    /// <param name="moments">Whether second moments are read.</param>
    public static MemoryEstimate Editing(
        ModelConfig config,
        int typeBytes,
        IReadOnlyList<int> layers,
        long rows,
        bool moments
    )
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(layers);
        var square = (long)config.IntermediateSize * config.IntermediateSize;
        var above = Math.Max(1, config.Layers - layers.Min());
        return Sum(
            config,
            typeBytes,
            new("edited maps", (long)layers.Count * config.HiddenSize * config.IntermediateSize * 4),
            new("moments", moments ? square * (4L * layers.Count + 16) : 0),
            new("activations", rows * UsualRow.Tokens * above * PerToken(config, typeBytes)),
            new("logits", 3L * rows * UsualRow.AnswerTokens * config.VocabSize * 4)
        );
    }

    private static MemoryEstimate Sum(ModelConfig config, int typeBytes, params MemoryPart[] work) =>
        new([
            new("runtime", RuntimeBytes),
            new("weights", config.ParameterCount() * typeBytes),
            .. work.Where(w => w.Bytes > 0),
        ]);

    // Values of one token in one block that live while it is computed, or until the backward pass.
    private static long PerToken(ModelConfig config, int typeBytes) =>
        (8L * config.HiddenSize + 4L * config.IntermediateSize) * typeBytes + 8L * config.HiddenSize * 4;
}
