using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Tails side by side, padded on the right, where no real position looks; for the library's calls.</summary>
internal sealed class PaddedContinuations : Continuations
{
    private readonly int _first;
    private readonly Tensor[] _keys,
        _values; // of the beginnings [R, K, S, head]
    private Tensor _stream,
        _cos,
        _sin,
        _mask; // angles [R, 1, T, head], sines as Rope.Rotate takes them; additive [R, 1, T, S + T]
    private Tensor? _open; // the mask of blocks without a window, where others have one

    /// <summary>Lays tails out.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="held">Keys and values of their beginnings, for every block that is run [R, K, S, head].</param>
    public PaddedContinuations(Rows rows, IReadOnlyList<(Tensor Keys, Tensor Values)> held)
        : base(rows.Begun)
    {
        using var scope = NewDisposeScope();
        _first = rows.First;
        int count = rows.Starts.Count,
            before = rows.Starts.Max(),
            width = rows.Counts.Max();
        var (config, h) = (rows.Config, rows.Stream);
        var start = Index(rows.Starts);
        var at = start.unsqueeze(1) + arange(width, device: h.device).unsqueeze(0); // [R, T]
        var from = at.clamp_max(h.shape[1] - 1).unsqueeze(-1).expand(count, width, h.shape[2]);
        var (cos, sin) = Rope.Angles(config, 0, before + width, h.device);
        Tensor Turned(Tensor angles) => angles.index_select(0, at.reshape(-1)).view(count, 1, width, -1);
        (_keys, _values) = ([.. held.Select(x => x.Keys.clone())], [.. held.Select(x => x.Values.clone())]);
        (_stream, _cos, _sin) = (h.gather(1, from), Turned(cos), Turned(Rope.WithSigns(sin)));
        _mask = CausalMask.OfEnds(config.SlidingWindow, start, before, width, h.dtype);
        _open = config is { SlidingWindow: not null, WindowedFrom: > 0 }
            ? CausalMask.OfEnds(null, start, before, width, h.dtype)
            : null;
        foreach (var t in Owned)
            t.DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Stream => _stream;

    /// <inheritdoc/>
    public override IReadOnlyList<int> Starts =>
        [.. Enumerable.Range(0, (int)_stream.shape[0]).Select(r => r * (int)_stream.shape[1])];

    private IEnumerable<Tensor> Owned =>
        [.. _keys, .. _values, _stream, _cos, _sin, _mask, .. _open is null ? [] : (Tensor[])[_open]];

    /// <inheritdoc/>
    public override void Keep(IReadOnlyList<int> rows)
    {
        using var scope = NewDisposeScope();
        base.Keep(rows);
        var index = Index(rows);
        Tensor Of(Tensor t) => Kept(t, index, 0);
        for (var i = 0; i < _keys.Length; i++)
            (_keys[i], _values[i]) = (Of(_keys[i]), Of(_values[i]));
        (_stream, _cos, _sin, _mask) = (Of(_stream), Of(_cos), Of(_sin), Of(_mask));
        _open = _open is null ? null : Of(_open);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
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
