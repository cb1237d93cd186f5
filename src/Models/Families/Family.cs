namespace EditUnlearn.Models.Families;

/// <summary>What one family of checkpoints does its own way; everything else is the common decoder.</summary>
/// <param name="Name">In <c>pipeline.yaml</c>: <c>llama2</c>.</param>
/// <param name="Label">In tables: <c>Llama-2</c>.</param>
/// <param name="ModelType"><c>model_type</c> of config.json.</param>
/// <param name="Architecture"><c>architectures[0]</c> of config.json.</param>
/// <param name="Template">How questions are put to it.</param>
/// <param name="RopeScaling">Scaling a miniature of this family gets for a context of that many positions; null for none.</param>
/// <param name="SlidingWindow">Whether the family attends within a window.</param>
public sealed record Family(
    string Name, string Label, string ModelType, string Architecture, ChatTemplate Template, Func<int, Llama3RopeScaling?> RopeScaling, bool SlidingWindow);

/// <summary>All families, in the order of the tables.</summary>
public static class FamilyCatalog
{
    /// <summary>One line a family.</summary>
    public static IReadOnlyList<Family> All { get; } = [Llama2.Family, Mistral.Family, Llama31.Family];

    /// <summary>The family of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static Family Get(string name) =>
        All.FirstOrDefault(f => f.Name == name) ?? throw new ArgumentException($"There is no family '{name}'; known are {string.Join(", ", All.Select(f => f.Name))}.", nameof(name));
}
