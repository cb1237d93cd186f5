using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// What a pass may look back at: keys and values of earlier positions, for every block. An argument of the pass; a
/// model keeps none.
/// </summary>
/// <remarks>
/// A <see cref="KvCache"/> grows with every pass, a <see cref="KvPrefix"/> is read by many passes over what follows,
/// and <see cref="Continuations"/> hold rows that are continued from a position of their own each.
/// </remarks>
public abstract class Past : IDisposable
{
    /// <summary>Nothing: the pass begins its rows.</summary>
    internal static Past None { get; } = new Nothing();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the tensors.</summary>
    /// <param name="disposing">Always true; there is no finalizer.</param>
    protected abstract void Dispose(bool disposing);

    // Positions before those of the pass, where all rows have the same number.
    internal virtual int Before => 0;

    // All keys and values that a block's own positions may look at, theirs included [B, K, before + T, head].
    internal abstract (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values);

    // Angles of the pass's own positions, sines as Rope.Rotate takes them.
    internal virtual (Tensor Cos, Tensor Sin) Angles(ModelConfig config, Tensor h)
    {
        var (cos, sin) = Rope.Angles(config, Before, (int)h.shape[1], h.device);
        return (cos, Rope.WithSigns(sin));
    }

    // The additive mask of the pass's positions from `skip` on, in blocks of that window; null where the causal flag
    // says all.
    internal virtual Tensor? Mask(int? window, Tensor h, int skip, Tensor? real) =>
        CausalMask.Of(window, Before, h, skip, real);

    // Where rows lie that are laid end to end in the one row of the pass; null where they are side by side.
    internal virtual IReadOnlyList<PackedRows.Segment>? Segments => null;

    private sealed class Nothing : Past
    {
        internal override (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values) => (keys, values);

        protected override void Dispose(bool disposing) { }
    }
}
