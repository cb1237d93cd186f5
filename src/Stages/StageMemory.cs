using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>A part of what a stage holds in memory at its peak.</summary>
/// <param name="Name">weights, training state, activations, logits, cache, moments, runtime.</param>
/// <param name="Bytes">Its size.</param>
public sealed record MemoryPart(string Name, long Bytes);

/// <summary>What a stage is expected to hold in memory at its peak.</summary>
/// <param name="Parts">In order of appearance.</param>
public sealed record MemoryEstimate(IReadOnlyList<MemoryPart> Parts)
{
    /// <summary>All parts together.</summary>
    public long Bytes => Parts.Sum(p => p.Bytes);

    /// <summary>The part that weighs most.</summary>
    public MemoryPart Largest => Parts.MaxBy(p => p.Bytes)!;
}

/// <summary>
/// Estimates, from a model's shape and a stage's parameters alone, how much memory the stage will need. Nothing is
/// loaded.
/// </summary>
/// <remarks>
/// It adds up the tensors that live at the same time in the code as it is: weights P b; training as
/// <see cref="TrainingMemory"/> counts it; C in float64 twice per layer while it is measured. Activations count what
/// autograd keeps per token and block, 8 D + 4 F values of the model's type and 8 D float32 of the norms. Rows are
/// taken to be 64 tokens and answers 16 tokens long.
/// Symbols: docs/notation.md; b bytes of the type, P parameters.
/// </remarks>
public static class StageMemory
{
    /// <summary>
    /// The process with its libraries and no model: a round number, to be held against the column <c>seen</c> of
    /// <c>doctor</c>.
    /// </summary>
    public const long RuntimeBytes = 400_000_000;

    /// <summary>Tokens of a row: prompt and answer.</summary>
    public const int RowTokens = 64;

    /// <summary>Tokens of an answer.</summary>
    public const int AnswerTokens = 16;

    private const int AnswerRows = 64,
        MomentRows = 32,
        ShortAnswer = 48;

    /// <summary>The estimate for a cell; null where this class does not know the stage or the method.</summary>
    /// <param name="cell">With its parameters.</param>
    /// <param name="config">Shape of the model it works on.</param>
    /// <param name="typeBytes">b: 4 for float32, 2 for bfloat16 and float16.</param>
    public static MemoryEstimate? Of(Cell cell, ModelConfig config, int typeBytes)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Parameters switch
        {
            AnswerStage.Params p => Answer(config, typeBytes, p.MaxNewTokens),
            QualityStage.Params p => Answer(config, typeBytes, p.MaxNewTokens),
            TargetsStage.Params { From: TargetsStage.RefusalSource.Model } => Answer(config, typeBytes, ShortAnswer),
            TargetsStage.Params => new MemoryEstimate([new("runtime", RuntimeBytes)]),
            ContextsStage.Params => Answer(config, typeBytes, AnswerTokens),
            ProjectorStage.Params p => Projectors(config, p.Layers.Count),
            FinetuneStage.Params p => Finetuning(config, typeBytes, p),
            MomentsStage.Params p => Moments(config, typeBytes, p.Layers.Count),
            PretrainStage.Params p => Pretraining(config, p.Size.Batch),
            ApplyStage.Params p => MethodCatalog.Bind(p.Method, p.Preset, p.Options, out _) is { } bound
                ? Apply(config, typeBytes, bound.Entry, bound.Options)
                : null,
            _ => null,
        };
    }

    /// <summary>P: all values of a checkpoint.</summary>
    public static long Parameters(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.Tensors().Sum(t => t.Shape.Aggregate(1L, (a, b) => a * b));
    }

    /// <summary>Generation of 64 answers side by side, or scoring of 64, whichever holds more.</summary>
    public static MemoryEstimate Answer(ModelConfig config, int typeBytes, int maxNewTokens)
    {
        ArgumentNullException.ThrowIfNull(config);
        const long Tokens = (long)AnswerRows * RowTokens;
        var cache =
            2L * config.Layers * config.KvHeads * config.HeadDim * typeBytes * AnswerRows * (RowTokens + maxNewTokens);
        var scoring = 3L * AnswerRows * AnswerTokens * config.VocabSize * 4;
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
            new("activations", (long)MomentRows * RowTokens * PerToken(config, typeBytes))
        );
    }

    /// <summary>
    /// Pretraining in float32: initial weights, moving copy, the gradients of two shards, two moments.
    /// </summary>
    public static MemoryEstimate Pretraining(ModelConfig config, int batch)
    {
        ArgumentNullException.ThrowIfNull(config);
        var parameters = Parameters(config);
        var tokens = (long)batch * RowTokens;
        return new MemoryEstimate([
            new("runtime", RuntimeBytes),
            new("weights", parameters * 4),
            new("training state", parameters * 4 * 5),
            new("activations", tokens * config.Layers * PerToken(config, 4)),
            new("logits", tokens * config.VocabSize * 4 * 3),
        ]);
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

    // Contracts and the rows of the pretraining text shown beside them, as the planner of training counts them.
    private static MemoryEstimate Finetuning(ModelConfig config, int typeBytes, FinetuneStage.Params parameters)
    {
        var rows = parameters.Training.BatchSize * (1 + (int)Math.Ceiling((parameters.Replay?.RowsPerRow ?? 0)));
        return Planned(
            new TrainingPlan
            {
                Config = config,
                Moves = parameters.Training.Moves,
                Rows = rows,
                Width = RowTokens,
                Labels = rows * AnswerTokens,
                Read = (long)rows * AnswerTokens,
                WeightBytes = typeBytes,
            }
        );
    }

    private static MemoryEstimate Planned(TrainingPlan plan)
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

    /// <summary>A method at work.</summary>
    public static MemoryEstimate? Apply(ModelConfig config, int typeBytes, MethodEntry entry, object options)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return options is TrainingOptions training ? Training(config, typeBytes, training, entry.Needs(options))
            : entry.IsEditing ? Editing(config, typeBytes, entry, options)
            : null;
    }

    // As the planner of training counts it, with rows and answers of usual length.
    private static MemoryEstimate Training(ModelConfig config, int typeBytes, TrainingOptions options, Needs needs)
    {
        // Forget rows, and beside them as many retain or refusal rows as the loss asks for; a reference is compared
        // with at every position of the retain rows.
        var kinds = 1 + (needs.HasFlag(Needs.RetainSet) ? 1 : 0) + (needs.HasFlag(Needs.Refusals) ? 1 : 0);
        var compared = options.ComparesStates ? (long)options.BatchSize * RowTokens : 0;
        var labels = options.BatchSize * kinds * AnswerTokens;
        return Planned(
            new TrainingPlan
            {
                Config = config,
                Moves = options.Moving(),
                Rows = options.BatchSize,
                Width = RowTokens,
                Forwards = kinds,
                Labels = labels,
                Read = labels + compared,
                Compared = Math.Min(compared, TrainedModel.PositionsAtOnce(config.VocabSize)),
                WeightBytes = typeBytes,
            }
        );
    }

    // What all locate-and-edit methods share: the edited maps kept aside, moments and their solve, a value optimisation
    // through the blocks above.
    private static MemoryEstimate? Editing(ModelConfig config, int typeBytes, MethodEntry entry, object options)
    {
        if (JsonSerializer.SerializeToNode(options, options.GetType(), ParameterBinder.Json) is not JsonObject named)
            return null;
        // Adapters sit on one block and name it alone.
        var layers =
            named["layers"] is JsonArray list ? list.Select(l => (int)l!).ToList()
            : named["layer"] is JsonValue one ? [(int)one]
            : new List<int>();
        if (layers.Count == 0)
            return null;
        // contexts, the bare prompt, the essence sentence
        var rows = 2L + (named["contexts"] is JsonValue c && c.TryGetValue<int>(out var contexts) ? contexts : 0);
        var square = (long)config.IntermediateSize * config.IntermediateSize;
        var moments = entry.Needs(options).HasFlag(Needs.SecondMoments) ? square * (4L * layers.Count + 16) : 0;
        var above = Math.Max(1, config.Layers - layers.Min());
        return Sum(
            config,
            typeBytes,
            new("edited maps", (long)layers.Count * config.HiddenSize * config.IntermediateSize * typeBytes),
            new("moments", moments),
            new("activations", rows * RowTokens * above * PerToken(config, typeBytes)),
            new("logits", 3L * rows * AnswerTokens * config.VocabSize * 4)
        );
    }

    private static MemoryEstimate Sum(ModelConfig config, int typeBytes, params MemoryPart[] work) =>
        new([
            new("runtime", RuntimeBytes),
            new("weights", Parameters(config) * typeBytes),
            .. work.Where(w => w.Bytes > 0),
        ]);

    // Values of one token in one block that live while it is computed, or until the backward pass.
    private static long PerToken(ModelConfig config, int typeBytes) =>
        (8L * config.HiddenSize + 4L * config.IntermediateSize) * typeBytes + 8L * config.HiddenSize * 4;
}
