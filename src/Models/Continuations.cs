using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// The ends of rows, each from a position of its own on, with attention keys and values of all earlier positions: a
/// change at the first position of a tail reaches nothing before it.
/// </summary>
/// <remarks>
/// Exact by causality (docs/methods.md, "What is computed once"); only rounding differs from a full pass. Gradients
/// flow through the tail alone.
/// Shapes: R rows, S longest beginning, T longest tail. Tails are padded on the right, where no real position looks.
/// </remarks>
public sealed class Continuations : Past
{
    private readonly int _first;
    private readonly Tensor[] _keys,
        _values;
    private Tensor _cos,
        _sin,
        _mask; // angles [R, 1, T, head], sines as Rope.Rotate takes them; additive [R, 1, T, S + T]
    private Tensor? _open; // the mask of blocks without a window, where others have one

    private Continuations(
        int first,
        Tensor[] keys,
        Tensor[] values,
        Tensor stream,
        Tensor begun,
        Tensor cos,
        Tensor sin,
        Tensor mask,
        Tensor? open
    )
    {
        _first = first;
        (_keys, _values) = (keys, values);
        (Stream, Begun, _cos, _sin, _mask, _open) = (stream, begun, cos, sin, mask, open);
        foreach (var t in Owned)
            t.DetachFromDisposeScope();
    }

    /// <summary>The stream of the tails before the first block that is run [R, T, D].</summary>
    public Tensor Stream { get; private set; }

    /// <summary>The stream of the beginnings after the last block [R, S, D].</summary>
    public Tensor Begun { get; private set; }

    private IEnumerable<Tensor> Owned =>
        [.. _keys, .. _values, Stream, Begun, _cos, _sin, _mask, .. _open is null ? [] : (Tensor[])[_open]];

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
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        int before = starts.Max(),
            width = starts.Zip(lengths, (s, n) => n - s).Max(),
            layers = model.Config.Layers,
            rows = starts.Count;
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1, nameof(lengths));

        using var cache = new KvCache(model, rows, Math.Max(before, 1));
        var begun = h.narrow(1, 0, before);
        if (before > 0)
            begun = model.Blocks(begun, first, layers, new ForwardOptions { Past = cache });
        var held = Enumerable.Range(first, layers - first).Select(l => cache.Written(l, before)).ToArray();

        var start = tensor(starts.Select(s => (long)s).ToArray(), device: h.device);
        var offset = arange(width, device: h.device);
        var at = start.unsqueeze(1) + offset.unsqueeze(0); // [R, T]
        var from = at.clamp_max(h.shape[1] - 1).unsqueeze(-1).expand(rows, width, h.shape[2]);
        var (cos, sin) = Rope.Angles(model.Config, 0, before + width, h.device);
        Tensor Turned(Tensor angles) => angles.index_select(0, at.reshape(-1)).view(rows, 1, width, -1);
        return new Continuations(
            first,
            [.. held.Select(x => x.Keys.clone())],
            [.. held.Select(x => x.Values.clone())],
            h.gather(1, from),
            begun.clone(),
            Turned(cos),
            Turned(Rope.WithSigns(sin)),
            CausalMask.OfEnds(model.Config.SlidingWindow, start, before, width, h.dtype),
            model.Config is { SlidingWindow: not null, WindowedFrom: > 0 }
                ? CausalMask.OfEnds(null, start, before, width, h.dtype)
                : null
        );
    }

    /// <summary>Keeps only these rows.</summary>
    /// <param name="rows">Indices [R'].</param>
    public void Keep(Tensor rows)
    {
        using var quiet = no_grad();
        Tensor Kept(Tensor t)
        {
            var kept = t.index_select(0, rows).DetachFromDisposeScope();
            t.Dispose();
            return kept;
        }
        for (var i = 0; i < _keys.Length; i++)
            (_keys[i], _values[i]) = (Kept(_keys[i]), Kept(_values[i]));
        (Stream, Begun, _cos, _sin, _mask) = (Kept(Stream), Kept(Begun), Kept(_cos), Kept(_sin), Kept(_mask));
        _open = _open is null ? null : Kept(_open);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var t in Owned)
            t.Dispose();
    }

    // All keys and values a block's tail may look at [R, K, S + T, head].
    internal override (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values) =>
        (cat([_keys[layer - _first], keys], 2), cat([_values[layer - _first], values], 2));

    internal override (Tensor Cos, Tensor Sin) Angles(ModelConfig config, Tensor h) => (_cos, _sin);

    internal override Tensor Mask(int? window, Tensor h, int skip, Tensor? real)
    {
        var mask = window is null && _open is not null ? _open : _mask;
        return skip == 0 ? mask : mask.narrow(2, skip, mask.shape[2] - skip);
    }
}
