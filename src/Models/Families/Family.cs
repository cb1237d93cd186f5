namespace EditUnlearn.Models.Families;

/// <summary>What one family of checkpoints does its own way; everything else is the common decoder.</summary>
/// <param name="Name">In <c>pipeline.yaml</c>: <c>llama2</c>.</param>
/// <param name="Label">In tables: <c>Llama-2</c>.</param>
/// <param name="ModelType"><c>model_type</c> of config.json.</param>
/// <param name="Architecture"><c>architectures[0]</c> of config.json.</param>
/// <param name="Template">How questions are put to it.</param>
/// <param name="RopeScaling">Scaling a miniature of this family gets for a context of that many positions; null for
/// none.</param>
/// <param name="Window">Whether, and how, a checkpoint says that it attends within a window.</param>
public sealed record Family(
    string Name,
    string Label,
    string ModelType,
    string Architecture,
    ChatTemplate Template,
    Func<int, RopeScaling?> RopeScaling,
    WindowRule Window
)
{
    /// <summary>Name and shape of every tensor of a checkpoint, in the order of the forward pass.</summary>
    public required Func<ModelConfig, IEnumerable<(string Name, long[] Shape)>> Tensors { get; init; }

    /// <summary>Which maps have biases.</summary>
    public required BiasRule Biases { get; init; }

    /// <summary>Whether each head's queries and keys are normed before they are turned.</summary>
    public bool QkNorm { get; init; }

    /// <summary>
    /// Whether every prompt begins with a token of its own, so that a checkpoint must name it.
    /// </summary>
    public bool BeginsWithToken { get; init; } = true;

    /// <summary>
    /// Whether a config without <c>num_key_value_heads</c> has as many as query heads. Other families have a number of
    /// their own in that case, which depends on the reader: it must be there.
    /// </summary>
    public bool UngroupedByDefault { get; init; }

    /// <summary>
    /// Whether the study asks checkpoints of this family in their own chat template rather than in
    /// <see cref="Template"/>.
    /// </summary>
    public bool OwnTemplate { get; init; }

    /// <summary>
    /// Whether a config of this <see cref="ModelType"/> is this family's rather than another's of the same type.
    /// </summary>
    public required Func<FamilyEvidence, bool> Recognises { get; init; }
}

/// <summary>How the checkpoints of a family say that attention has a window.</summary>
public enum WindowRule
{
    /// <summary>There is none.</summary>
    None,

    /// <summary><c>sliding_window</c>, a number or null, is the window of every block.</summary>
    Every,

    /// <summary>
    /// Where <c>use_sliding_window</c> is true, <c>sliding_window</c> is that of block <c>max_window_layers</c> and of
    /// those above; the blocks below see everything.
    /// </summary>
    Above,
}

/// <summary>Which maps of a family's blocks have biases.</summary>
public enum BiasRule
{
    /// <summary>None has.</summary>
    None,

    /// <summary>Those of attention if <c>attention_bias</c> is true, those of the MLP if <c>mlp_bias</c> is.</summary>
    Said,

    /// <summary>Queries, keys and values, whatever the config says; it says nothing.</summary>
    QueryKeyValue,
}

/// <summary>
/// What tells families of one <c>model_type</c> apart. The rotary base does not: Code Llama, a Llama 2, has a larger
/// one than Llama 3.
/// </summary>
/// <param name="VocabSize">Words of the model.</param>
/// <param name="RopeScaling">How rotary frequencies are stretched, or null.</param>
public sealed record FamilyEvidence(int VocabSize, RopeScaling? RopeScaling);

/// <summary>All families, in the order of the tables.</summary>
public static class FamilyCatalog
{
    /// <summary>One line a family.</summary>
    public static IReadOnlyList<Family> All { get; } =
    [Llama2.Family, Mistral.Family, Llama31.Family, Qwen2.Family, Qwen3.Family];

    /// <summary>The family of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static Family Get(string name) =>
        All.FirstOrDefault(f => f.Name == name)
        ?? throw new ArgumentException(
            $"There is no family '{name}'; known are {string.Join(", ", All.Select(f => f.Name))}.",
            nameof(name)
        );

    /// <summary>The family a config belongs to; null where no family has that <c>model_type</c>.</summary>
    public static Family? Recognise(string? modelType, FamilyEvidence evidence) =>
        All.FirstOrDefault(f => f.ModelType == modelType && f.Recognises(evidence));
}
