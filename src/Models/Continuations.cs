using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// The ends of rows, each from a position of its own on, with attention keys and values of all earlier positions: a
/// change at the first position of a tail reaches nothing before it.
/// </summary>
/// <remarks>
/// Exact by causality (docs/methods.md, "What is computed once"); only rounding differs from a full pass. Gradients
/// flow through the tail alone. Where the kernels take the model the tails lie end to end, elsewhere side by side and
/// padded; not a bit of a tail differs between the two, up to 1,024 keys.
/// Shapes: R rows, S longest beginning, T longest tail, N all positions of the tails.
/// </remarks>
public abstract class Continuations : Past
{
    /// <summary>What a layout begins with.</summary>
    /// <param name="begun">See <see cref="Begun"/>; kept.</param>
    private protected Continuations(Tensor begun) => Begun = begun.DetachFromDisposeScope();

    /// <summary>The stream of the tails before the first block that is run, [1, N, D] or [R, T, D].</summary>
    public abstract Tensor Stream { get; }

    /// <summary>Where each row's tail begins among the flattened positions of <see cref="Stream"/> [R].</summary>
    public abstract IReadOnlyList<int> Starts { get; }

    /// <summary>The stream of the beginnings after the last block [R, S, D].</summary>
    public Tensor Begun { get; private set; }

    /// <summary>
    /// Runs the beginnings of rows through the remaining blocks and keeps what their tails will look back at.
    /// </summary>
    /// <param name="model">Must not change while the tails are used.</param>
    /// <param name="h">The stream of whole rows before block <paramref name="first"/> [R, width, D], padded on the
    /// right.</param>
    /// <param name="first">0-based; the number of blocks where none remains.</param>
    /// <param name="starts">First position of each row's tail.</param>
    /// <param name="lengths">Real tokens of each row, tail included.</param>
    public static Continuations Of(
        CausalLm model,
        Tensor h,
        int first,
        IReadOnlyList<int> starts,
        IReadOnlyList<int> lengths
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(h);
        ArgumentNullException.ThrowIfNull(starts);
        ArgumentNullException.ThrowIfNull(lengths);
        var fits = model.TakesKernels(h, null) && !(model.Config.SlidingWindow < lengths.Max());
        return Of(model, h, first, starts, lengths, fits);
    }

    /// <summary>The same in one of both layouts.</summary>
    internal static Continuations Of(
        CausalLm model,
        Tensor h,
        int first,
        IReadOnlyList<int> starts,
        IReadOnlyList<int> lengths,
        bool packed
    )
    {
        if (starts.Zip(lengths).Any(r => r.First >= r.Second))
            throw new ArgumentException("Every tail needs a position.", nameof(lengths));
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        int before = starts.Max(),
            layers = model.Config.Layers;
        using var cache = new KvCache(model, starts.Count, Math.Max(before, 1));
        var begun = h.narrow(1, 0, before);
        if (before > 0)
            begun = model.Blocks(begun, first, layers, new ForwardOptions { Past = cache });
        var held = Enumerable.Range(first, layers - first).Select(l => cache.Written(l, before)).ToList();
        var rows = new Rows(model.Config, first, h, begun.clone(), starts, lengths);
        return packed ? new PackedContinuations(rows, held) : new PaddedContinuations(rows, held);
    }

    /// <summary>Keeps only these rows.</summary>
    /// <param name="rows">Indices [R'].</param>
    public virtual void Keep(IReadOnlyList<int> rows)
    {
        using var scope = NewDisposeScope();
        Begun = Kept(Begun, Index(rows), 0);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Begun.Dispose();

    /// <summary>Some indices along a dimension, in place of the tensor itself.</summary>
    private protected static Tensor Kept(Tensor t, Tensor indices, int dimension)
    {
        using var quiet = no_grad();
        var kept = t.index_select(dimension, indices).DetachFromDisposeScope();
        t.Dispose();
        return kept;
    }

    /// <summary>Indices where the tails are.</summary>
    private protected Tensor Index(IEnumerable<int> indices) =>
        tensor([.. indices.Select(i => (long)i)], device: Begun.device);

    /// <summary>What tails are made of.</summary>
    /// <param name="Config">Of the model.</param>
    /// <param name="First">The first block that is run.</param>
    /// <param name="Stream">Whole rows before it [R, width, D].</param>
    /// <param name="Begun">See <see cref="Continuations.Begun"/>.</param>
    /// <param name="Starts">First position of each row's tail.</param>
    /// <param name="Lengths">Real tokens of each row.</param>
    internal sealed record Rows(
        ModelConfig Config,
        int First,
        Tensor Stream,
        Tensor Begun,
        IReadOnlyList<int> Starts,
        IReadOnlyList<int> Lengths
    )
    {
        /// <summary>Positions of each tail.</summary>
        public IReadOnlyList<int> Counts => [.. Starts.Zip(Lengths, (s, n) => n - s)];
    }
}
