using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Tails side by side, padded on the right, where no real position looks; for the library's calls.</summary>
internal sealed class PaddedContinuations : Continuations
{
    private Tensor _mask; // additive [R, 1, T, S + T]
    private Tensor? _open; // the mask of blocks without a window, where others have one

    /// <summary>Lays tails out.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="held">Keys and values of their beginnings, for every block that is run [R, K, S, head].</param>
    public PaddedContinuations(Rows rows, IReadOnlyList<(Tensor Keys, Tensor Values)> held)
        : base(rows)
    {
        using var scope = NewDisposeScope();
        int count = rows.Starts.Count,
            before = rows.Starts.Max(),
            width = rows.Counts.Max();
        var (config, h) = (rows.Config, rows.Stream);
        var start = Index(rows.Starts);
        var at = start.unsqueeze(1) + arange(width, device: h.device).unsqueeze(0); // [R, T]
        var from = at.clamp_max(h.shape[1] - 1).unsqueeze(-1).expand(count, width, h.shape[2]);
        var (cos, sin) = Rope.Angles(config, 0, before + width, h.device);
        Tensor Turned(Tensor angles) => angles.index_select(0, at.reshape(-1)).view(count, 1, width, -1);
        Lay(
            held.Select(x => (x.Keys.clone(), x.Values.clone())),
            h.gather(1, from),
            Turned(cos),
            Turned(Rope.WithSigns(sin))
        );
        _mask = CausalMask.OfEnds(config.SlidingWindow, start, before, width, h.dtype);
        _open = config is { SlidingWindow: not null, WindowedFrom: > 0 }
            ? CausalMask.OfEnds(null, start, before, width, h.dtype)
            : null;
        _mask.DetachFromDisposeScope();
        _open?.DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<int> Starts =>
        [.. Enumerable.Range(0, (int)Stream.shape[0]).Select(r => r * (int)Stream.shape[1])];

    /// <inheritdoc/>
    public override void Keep(IReadOnlyList<int> rows)
    {
        using var scope = NewDisposeScope();
        var index = Index(rows);
        Keep(index, (index, 0), (index, 0), (index, 0));
        _mask = Kept(_mask, index, 0);
        _open = _open is null ? null : Kept(_open, index, 0);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _mask.Dispose();
        _open?.Dispose();
    }

    internal override Tensor Mask(int? window, Tensor h, int skip, Tensor? real)
    {
        var mask = window is null && _open is not null ? _open : _mask;
        return skip == 0 ? mask : mask.narrow(2, skip, mask.shape[2] - skip);
    }
}
