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
    private readonly int _first;
    private Tensor[] _keys = [],
        _values = []; // of the beginnings, for every block that is run
    private Tensor _cos = null!,
        _sin = null!; // angles of the tails, sines as Rope.Rotate takes them

    /// <summary>What a layout begins with; it is laid out by <see cref="Lay"/>.</summary>
    /// <param name="rows">The rows.</param>
    private protected Continuations(Rows rows) => (_first, Begun) = (rows.First, rows.Begun.DetachFromDisposeScope());

    /// <summary>The stream of the tails before the first block that is run, [1, N, D] or [R, T, D].</summary>
    public Tensor Stream { get; private set; } = null!;

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
    public abstract void Keep(IReadOnlyList<int> rows);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var t in (Tensor[])[.. _keys, .. _values, Stream, Begun, _cos, _sin])
            t.Dispose();
    }

    // All beginnings and behind them all tails.
    internal override (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values) =>
        (cat([_keys[layer - _first], keys], 2), cat([_values[layer - _first], values], 2));

    internal override (Tensor Cos, Tensor Sin) Angles(ModelConfig config, Tensor h) => (_cos, _sin);

    /// <summary>Takes what tails are: keys and values of their beginnings, their stream, their angles.</summary>
    private protected void Lay(IEnumerable<(Tensor Keys, Tensor Values)> held, Tensor stream, Tensor cos, Tensor sin)
    {
        var all = held.ToList();
        _keys = [.. all.Select(x => x.Keys.DetachFromDisposeScope())];
        _values = [.. all.Select(x => x.Values.DetachFromDisposeScope())];
        Stream = stream.DetachFromDisposeScope();
        (_cos, _sin) = (cos.DetachFromDisposeScope(), sin.DetachFromDisposeScope());
    }

    /// <summary>Keeps some indices of everything, each along the dimension that has the rows.</summary>
    /// <param name="rows">Of <see cref="Begun"/> [R'].</param>
    /// <param name="begun">Of keys and values, and along which dimension.</param>
    /// <param name="tails">Of the stream.</param>
    /// <param name="turned">Of the angles.</param>
    private protected void Keep(
        Tensor rows,
        (Tensor Indices, int Dimension) begun,
        (Tensor Indices, int Dimension) tails,
        (Tensor Indices, int Dimension) turned
    )
    {
        Begun = Kept(Begun, rows, 0);
        for (var i = 0; i < _keys.Length; i++)
        {
            _keys[i] = Kept(_keys[i], begun.Indices, begun.Dimension);
            _values[i] = Kept(_values[i], begun.Indices, begun.Dimension);
        }
        Stream = Kept(Stream, tails.Indices, tails.Dimension);
        _cos = Kept(_cos, turned.Indices, turned.Dimension);
        _sin = Kept(_sin, turned.Indices, turned.Dimension);
    }

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
