namespace EditUnlearn.Models.Families;

/// <summary>What one family of checkpoints does its own way; everything else is the common decoder.</summary>
/// <param name="Name">In <c>pipeline.yaml</c>: <c>llama2</c>.</param>
/// <param name="Label">In tables: <c>Llama-2</c>.</param>
/// <param name="ModelType"><c>model_type</c> of config.json.</param>
/// <param name="Architecture"><c>architectures[0]</c> of config.json.</param>
/// <param name="Template">How questions are put to it.</param>
/// <param name="RopeScaling">Scaling a miniature of this family gets for a context of that many positions; null for
/// none.</param>
/// <param name="SlidingWindow">Whether the family attends within a window.</param>
public sealed record Family(
    string Name,
    string Label,
    string ModelType,
    string Architecture,
    ChatTemplate Template,
    Func<int, Llama3RopeScaling?> RopeScaling,
    bool SlidingWindow
)
{
    /// <summary>Name and shape of every tensor of a checkpoint, in the order of the forward pass.</summary>
    public required Func<ModelConfig, IEnumerable<(string Name, long[] Shape)>> Tensors { get; init; }

    /// <summary>Whether <c>attention_bias</c> may be true.</summary>
    public required bool AttentionBias { get; init; }

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

/// <summary>
/// What tells families of one <c>model_type</c> apart. The rotary base does not: Code Llama, a Llama 2, has a larger
/// one than Llama 3.
/// </summary>
/// <param name="VocabSize">Words of the model.</param>
/// <param name="RopeScaling">Scaling of the "llama3" rule, or null.</param>
public sealed record FamilyEvidence(int VocabSize, Llama3RopeScaling? RopeScaling);

/// <summary>All families, in the order of the tables.</summary>
public static class FamilyCatalog
{
    /// <summary>One line a family.</summary>
    public static IReadOnlyList<Family> All { get; } = [Llama2.Family, Mistral.Family, Llama31.Family];

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
