using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Tails end to end in one row, and their beginnings as well: nothing is computed for padding. Rows of one edit differ
/// in length by the whole target, as of an essence sentence only one position is read.
/// </summary>
/// <remarks>Shapes: P all positions of the beginnings, N all of the tails.</remarks>
internal sealed class PackedContinuations : Continuations
{
    private IReadOnlyList<int> _before, // positions of each beginning, and of each tail
        _counts;

    /// <summary>Lays tails out.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="held">Keys and values of their beginnings, for every block that is run [R, K, S, head].</param>
    public PackedContinuations(Rows rows, IReadOnlyList<(Tensor Keys, Tensor Values)> held)
        : base(rows)
    {
        using var scope = NewDisposeScope();
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
        var width = (int)h.shape[1];
        var stream = h.reshape(-1, h.shape[2])
            .index_select(0, Index(Places(_counts.Select((n, r) => (r * width + _before[r], n)))))
            .unsqueeze(0);
        var (cos, sin) = Rope.Angles(rows.Config, 0, rows.Lengths.Max(), h.device);
        var places = Index(Places(_counts.Select((n, r) => (_before[r], n))));
        Tensor Turned(Tensor angles) => angles.index_select(0, places).unsqueeze(0).unsqueeze(0);
        Lay(held.Select(x => (End(x.Keys), End(x.Values))), stream, Turned(cos), Turned(Rope.WithSigns(sin)));
    }

    /// <inheritdoc/>
    public override IReadOnlyList<int> Starts => Sums(_counts);

    /// <inheritdoc/>
    public override void Keep(IReadOnlyList<int> rows)
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<int> firsts = Sums(_before),
            starts = Starts;
        var begun = Index(Places(rows.Select(r => (firsts[r], _before[r]))));
        var tails = Index(Places(rows.Select(r => (starts[r], _counts[r]))));
        Keep(Index(rows), (begun, 2), (tails, 1), (tails, 2));
        (_before, _counts) = ([.. rows.Select(r => _before[r])], [.. rows.Select(r => _counts[r])]);
    }

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
