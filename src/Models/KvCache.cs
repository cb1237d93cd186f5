using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Keys and values of the positions a generation has passed. Every pass appends its own.
/// </summary>
/// <remarks>
/// Rows may be padded on the left; a position is then counted from its row's first token, so that a row has the angles
/// it has alone.
/// </remarks>
internal sealed class KvCache : Past
{
    private readonly Tensor[] _keys,
        _values;
    private int[]? _padding; // columns before each row's first token; null for none
    private int _appended;

    /// <summary>Reserves room.</summary>
    /// <param name="model">Gives shapes, device and type.</param>
    /// <param name="batch">B.</param>
    /// <param name="capacity">Positions in all, prompt and generated.</param>
    /// <param name="padding">Columns before each row's first token [B]; null for none.</param>
    public KvCache(CausalLm model, int batch, int capacity, IReadOnlyList<int>? padding = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        var c = model.Config;
        Capacity = capacity;
        Tensor Room() =>
            zeros([batch, c.KvHeads, capacity, c.HeadDim], dtype: model.DType, device: model.Device)
                .DetachFromDisposeScope();
        _keys = [.. Enumerable.Range(0, c.Layers).Select(_ => Room())];
        _values = [.. Enumerable.Range(0, c.Layers).Select(_ => Room())];
        _padding = padding?.Any(p => p > 0) == true ? [.. padding] : null;
    }

    /// <summary>Positions there is room for.</summary>
    public int Capacity { get; }

    /// <summary>Positions held.</summary>
    public int Length { get; private set; }

    /// <summary>Keeps only these rows, for a batch from which finished rows drop out.</summary>
    /// <param name="rows">Indices of the rows to keep [B'].</param>
    public void Keep(Tensor rows)
    {
        using var quiet = no_grad();
        for (var l = 0; l < _keys.Length; l++)
        {
            Replace(ref _keys[l], rows);
            Replace(ref _values[l], rows);
        }
        if (_padding is { } padding)
            _padding = [.. rows.cpu().data<long>().ToArray().Select(r => padding[r])];
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var t in _keys)
            t.Dispose();
        foreach (var t in _values)
            t.Dispose();
    }

    internal override int Before => Length;

    internal override (Tensor Cos, Tensor Sin) Angles(ModelConfig config, Tensor h)
    {
        if (_padding is not { } padding)
            return base.Angles(config, h);
        using var scope = NewDisposeScope();
        var count = (int)h.shape[1];
        // Places of padding are below 0 and never looked at: they get the angles of the first.
        var (cos, sin) = Rope.Angles(config, 0, Before + count, h.device);
        var places = tensor([
            .. padding.SelectMany(p => Enumerable.Range(Before - p, count).Select(t => (long)Math.Max(0, t))),
        ]).to(h.device);
        Tensor Of(Tensor t) =>
            t.index_select(0, places).view(padding.Length, 1, count, -1).MoveToOuterDisposeScope();
        return (Of(cos), Of(Rope.WithSigns(sin)));
    }

    // Writes the new positions of one block and returns all it holds, views [B, K, length, head]. The last block moves
    // Length on.
    internal override (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values)
    {
        var count = (int)keys.shape[2];
        if (Length + count > Capacity)
            throw new InvalidOperationException($"The cache has room for {Capacity} positions, not {Length + count}.");
        using (var place = _keys[layer].narrow(2, Length, count))
            place.copy_(keys);
        using (var place = _values[layer].narrow(2, Length, count))
            place.copy_(values);
        var all = (_keys[layer].narrow(2, 0, Length + count), _values[layer].narrow(2, 0, Length + count));
        if (++_appended == _keys.Length)
        {
            Length += count;
            _appended = 0;
        }
        return all;
    }

    // What one block wrote so far, whether or not the last block has been reached [B, K, count, head].
    internal (Tensor Keys, Tensor Values) Written(int layer, int count) =>
        (_keys[layer].narrow(2, 0, count), _values[layer].narrow(2, 0, count));

    private static void Replace(ref Tensor t, Tensor rows)
    {
        var kept = t.index_select(0, rows).DetachFromDisposeScope();
        t.Dispose();
        t = kept;
    }
}
