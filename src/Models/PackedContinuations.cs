using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Tails end to end in one row, and their beginnings as well: nothing is computed for padding. Rows of one edit differ
/// in length by the whole target, as of an essence sentence only one position is read.
/// </summary>
/// <remarks>Shapes: P all positions of the beginnings, N all of the tails.</remarks>
internal sealed class PackedContinuations : Continuations
{
    private readonly int _first;
    private readonly Tensor[] _keys,
        _values; // of the beginnings [1, K, P, head]
    private Tensor _stream, // [1, N, D]
        _cos,
        _sin; // angles [1, 1, N, head], sines as Rope.Rotate takes them
    private IReadOnlyList<int> _before, // positions of each beginning, and of each tail
        _counts;

    /// <summary>Lays tails out.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="held">Keys and values of their beginnings, for every block that is run [R, K, S, head].</param>
    public PackedContinuations(Rows rows, IReadOnlyList<(Tensor Keys, Tensor Values)> held)
        : base(rows.Begun)
    {
        using var scope = NewDisposeScope();
        _first = rows.First;
        (_before, _counts) = (rows.Starts, rows.Counts);
        var h = rows.Stream;
        var begun = Index(Places(_before.Select((n, r) => (r * _before.Max(), n))));
        Tensor End(Tensor t) =>
            t.transpose(1, 2)
                .reshape(-1, t.shape[1], t.shape[3])
                .index_select(0, begun)
                .transpose(0, 1)
                .unsqueeze(0)
                .contiguous();
        (_keys, _values) = ([.. held.Select(x => End(x.Keys))], [.. held.Select(x => End(x.Values))]);
        var width = (int)h.shape[1];
        _stream = h.reshape(-1, h.shape[2])
            .index_select(0, Index(Places(_counts.Select((n, r) => (r * width + _before[r], n)))))
            .unsqueeze(0);
        var (cos, sin) = Rope.Angles(rows.Config, 0, rows.Lengths.Max(), h.device);
        var places = Index(Places(_counts.Select((n, r) => (_before[r], n))));
        Tensor Turned(Tensor angles) => angles.index_select(0, places).unsqueeze(0).unsqueeze(0);
        (_cos, _sin) = (Turned(cos), Turned(Rope.WithSigns(sin)));
        foreach (var t in Owned)
            t.DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Stream => _stream;

    /// <inheritdoc/>
    public override IReadOnlyList<int> Starts => Sums(_counts);

    private IEnumerable<Tensor> Owned => [.. _keys, .. _values, _stream, _cos, _sin];

    /// <inheritdoc/>
    public override void Keep(IReadOnlyList<int> rows)
    {
        using var scope = NewDisposeScope();
        base.Keep(rows);
        IReadOnlyList<int> firsts = Sums(_before),
            starts = Starts;
        var begun = Index(Places(rows.Select(r => (firsts[r], _before[r]))));
        var tails = Index(Places(rows.Select(r => (starts[r], _counts[r]))));
        for (var i = 0; i < _keys.Length; i++)
            (_keys[i], _values[i]) = (Kept(_keys[i], begun, 2), Kept(_values[i], begun, 2));
        (_stream, _cos, _sin) = (Kept(_stream, tails, 1), Kept(_cos, tails, 2), Kept(_sin, tails, 2));
        (_before, _counts) = ([.. rows.Select(r => _before[r])], [.. rows.Select(r => _counts[r])]);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        foreach (var t in Owned)
            t.Dispose();
    }

    // All beginnings and behind them all tails [1, K, P + N, head].
    internal override (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values) =>
        (cat([_keys[layer - _first], keys], 2), cat([_values[layer - _first], values], 2));

    internal override (Tensor Cos, Tensor Sin) Angles(ModelConfig config, Tensor h) => (_cos, _sin);

    internal override Tensor? Mask(int? window, Tensor h, int skip, Tensor? real) =>
        skip == 0
            ? null
            : throw new NotSupportedException("Of tails that lie end to end, positions are chosen by index.");

    internal override IReadOnlyList<PackedRows.Segment> Segments
    {
        get
        {
            IReadOnlyList<int> firsts = Sums(_before),
                starts = Starts;
            return
            [
                .. _counts.Select(
                    (n, r) => new PackedRows.Segment(starts[r], n, _before[r]) { BeforeFirst = firsts[r] }
                ),
            ];
        }
    }

    // Positions of stretches, one after the other.
    private static IEnumerable<int> Places(IEnumerable<(int First, int Count)> stretches) =>
        stretches.SelectMany(s => Enumerable.Range(s.First, s.Count));

    // Where stretches begin that lie end to end.
    private static IReadOnlyList<int> Sums(IReadOnlyList<int> counts)
    {
        var firsts = new int[counts.Count];
        for (var i = 1; i < firsts.Length; i++)
            firsts[i] = firsts[i - 1] + counts[i - 1];
        return firsts;
    }
}
