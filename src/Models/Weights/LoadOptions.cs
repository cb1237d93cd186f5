namespace EditUnlearn.Models.Weights;

/// <summary>How a checkpoint is loaded.</summary>
public sealed record LoadOptions
{
    /// <summary>
    /// Whether tensors that need no conversion lie over the file instead of being copied. The file must then not be cut
    /// short while the model lives.
    /// </summary>
    public bool Mapped { get; init; } = true;

    /// <summary>Whether every value is looked at, so that NaN and infinite weights are known from the start.</summary>
    public bool CheckFinite { get; init; } = true;

    /// <summary>
    /// Whether weights that keep their own types may have several; for copies, since a model that computes needs one.
    /// </summary>
    public bool MixedTypes { get; init; }

    /// <summary>Name of the family in the catalogue; null to recognise it from config.json.</summary>
    public string? Family { get; init; }

    /// <summary>Told after each tensor.</summary>
    public Action<LoadProgress>? Progress { get; init; }

    /// <summary>
    /// Told what is odd but no error: weights that are not finite, values in the folder that are not used.
    /// </summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Looked at before each tensor.</summary>
    public CancellationToken Cancelled { get; init; }
}

/// <summary>How far a load or an export is.</summary>
/// <param name="BytesDone">Bytes in the file's own types.</param>
/// <param name="BytesTotal">In all.</param>
/// <param name="Tensor">The one just done.</param>
public readonly record struct LoadProgress(long BytesDone, long BytesTotal, string Tensor);
