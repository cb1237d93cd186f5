namespace EditUnlearn.Models.Estimates;

/// <summary>A part of what some work holds in memory at its peak.</summary>
/// <param name="Name">weights, training state, activations, logits, cache, moments, runtime.</param>
/// <param name="Bytes">Its size.</param>
public sealed record MemoryPart(string Name, long Bytes);

/// <summary>What some work is expected to hold in memory at its peak.</summary>
/// <param name="Parts">In order of appearance.</param>
public sealed record MemoryEstimate(IReadOnlyList<MemoryPart> Parts)
{
    /// <summary>All parts together.</summary>
    public long Bytes => Parts.Sum(p => p.Bytes);

    /// <summary>The part that weighs most.</summary>
    public MemoryPart Largest => Parts.MaxBy(p => p.Bytes)!;
}
