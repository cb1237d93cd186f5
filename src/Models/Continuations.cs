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
public sealed class Continuations : IDisposable
{
    private readonly int _first;
    private readonly Tensor[] _keys,
        _values;

    private Continuations(
        int first,
        Tensor[] keys,
        Tensor[] values,
        Tensor stream,
        Tensor begun,
        Tensor cos,
        Tensor sin,
        Tensor mask
    )
    {
        _first = first;
        (_keys, _values) = (keys, values);
        (Stream, Begun, Cos, Sin, Mask) = (stream, begun, cos, sin, mask);
        foreach (var t in Owned)
            t.DetachFromDisposeScope();
    }

    /// <summary>The stream of the tails before the first block that is run [R, T, D].</summary>
    public Tensor Stream { get; private set; }

    /// <summary>The stream of the beginnings after the last block [R, S, D].</summary>
    public Tensor Begun { get; private set; }

    internal Tensor Cos { get; private set; }

    internal Tensor Sin { get; private set; }

    // Additive [R, 1, T, S + T].
    internal Tensor Mask { get; private set; }

    private IEnumerable<Tensor> Owned => [.. _keys, .. _values, Stream, Begun, Cos, Sin, Mask];

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
            begun = model.Blocks(begun, first, layers, new ForwardOptions { Cache = cache });
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
            MaskOf(model.Config, start, before, width, h.dtype)
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
        (Stream, Begun, Cos, Sin, Mask) = (Kept(Stream), Kept(Begun), Kept(Cos), Kept(Sin), Kept(Mask));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var t in Owned)
            t.Dispose();
    }

    // All keys and values a block's tail may look at [R, K, S + T, head].
    internal (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values) =>
        (cat([_keys[layer - _first], keys], 2), cat([_values[layer - _first], values], 2));

    private static Tensor MaskOf(ModelConfig config, Tensor start, int before, int width, ScalarType dtype)
    {
        var device = start.device;
        var first = start.view(-1, 1, 1); // [R, 1, 1]
        var query = first + arange(width, device: device).view(1, -1, 1); // [R, T, 1] positions
        var earlier = arange(before, device: device).view(1, 1, -1); // [1, 1, S]
        var later = first + arange(width, device: device).view(1, 1, -1); // [R, 1, T]
        var toEarlier = (earlier < first).expand(start.shape[0], width, before);
        var toLater = later <= query;
        if (config.SlidingWindow is { } window)
        {
            toEarlier = toEarlier.logical_and(earlier > query - window);
            toLater = toLater.logical_and(later > query - window);
        }
        var allowed = cat([toEarlier, toLater], -1).unsqueeze(1);
        var lowest = dtype == ScalarType.Float16 ? -65504.0 : -1e30;
        return zeros(allowed.shape, dtype: dtype, device: device).masked_fill_(allowed.logical_not(), lowest);
    }
}
