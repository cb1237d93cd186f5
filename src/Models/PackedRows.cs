using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Rows laid end to end, as far as somebody reads: no padding between them, nothing behind the last position of a row
/// that is read, and what all rows begin with once.
/// </summary>
/// <remarks>
/// Exact, because the decoder is causal: what stands behind a position does not change it, and like beginnings have
/// like states. Forward, not a bit differs from the same rows padded (products and sums run along the same numbers in
/// the same order), up to 1,024 keys: beyond, sums are cut at other places (<see cref="Kernels.MatrixProduct"/>).
/// Gradients of weights are summed in another order.
/// Shapes: B rows of a batch [B, T], N positions that are left, P of them the common beginning.
/// </remarks>
internal sealed class PackedRows
{
    private readonly int _width;
    private readonly int[] _starts, // packed position of each row's first own one
        _counts; // positions of each row that are left

    private PackedRows(PackedRowsBuilder rows, int width, int[] counts, Tensor ids, long[] places)
    {
        (Head, _starts, Segments) = (rows.Head, rows.Starts, rows.Segments);
        (_width, _counts, Ids, Places) = (width, counts, ids, places);
    }

    /// <summary>A stretch of packed positions that follow one another in one row.</summary>
    /// <param name="First">0-based.</param>
    /// <param name="Count">At least 1.</param>
    /// <param name="Before">Positions that stand before it in its row.</param>
    public readonly record struct Segment(int First, int Count, int Before)
    {
        /// <summary>
        /// Where those begin among all keys, of which the pass's own are the last: 0 for a common beginning.
        /// </summary>
        public int BeforeFirst { get; init; }
    }

    /// <summary>P; 0 for none.</summary>
    public int Head { get; }

    /// <summary>The common beginning, where there is one, and the rest of each row.</summary>
    public IReadOnlyList<Segment> Segments { get; }

    /// <summary>Token ids [1, N].</summary>
    public Tensor Ids { get; }

    /// <summary>Where each packed position stands in its row [N].</summary>
    public IReadOnlyList<long> Places { get; }

    /// <summary>
    /// Packs a pass over rows that nobody intervenes in; null where that is not possible, as where every row drops
    /// inputs of its own.
    /// </summary>
    /// <param name="model">In whose kernels the pass is to run.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="options">Of the pass over them.</param>
    /// <returns>The rows, and options for the pass over them: its positions are those of the packed rows.</returns>
    public static (PackedRows Rows, ForwardOptions Options)? Of(CausalLm model, Tensor ids, ForwardOptions? options)
    {
        if (
            options is not { Positions.Chosen: { } chosen, Tap: null, Past: null, AttentionMask: null }
            || chosen.shape[0] == 0
            || options.Adapter is { Drops: true }
            || !model.TakesKernels(null, options)
            || model.Config.SlidingWindow < ids.shape[1]
        )
            return null;
        using var quiet = no_grad();
        var (batch, width) = ((int)ids.shape[0], (int)ids.shape[1]);
        using var words = ids.to(ScalarType.Int64).contiguous();
        var tokens = words.data<long>().ToArray();
        var read = chosen.data<long>().ToArray();
        var counts = new int[batch];
        foreach (var position in read)
        {
            var (row, place) = Math.DivRem((int)position, width);
            counts[row] = Math.Max(counts[row], place + 1);
        }
        var rows = new PackedRowsBuilder(tokens, width, counts);
        var packed = new PackedRows(
            rows,
            width,
            counts,
            tensor([.. rows.At.Select(i => tokens[i])], [1, rows.At.Count]),
            [.. rows.At.Select(i => (long)(i % width))]
        );
        return (
            packed,
            options with
            {
                Positions = Positions.At(tensor([.. read.Select(packed.Of)])),
                Packed = packed,
            }
        );
    }

    /// <summary>Angles of the packed positions [1, 1, N, head], from those of places [T, head].</summary>
    public (Tensor Cos, Tensor Sin) Angles((Tensor Cos, Tensor Sin) places)
    {
        using var scope = NewDisposeScope();
        var at = tensor([.. Places]);
        Tensor Of(Tensor t) => t.index_select(0, at).unsqueeze(0).unsqueeze(0).MoveToOuterDisposeScope();
        return (Of(places.Cos), Of(places.Sin));
    }

    /// <summary>The packed position of one of [B * T] that is read, or stands before one.</summary>
    public long Of(long position)
    {
        var (row, place) = Math.DivRem((int)position, _width);
        return place < Head ? place : _starts[row] + place - Head;
    }

    /// <summary>
    /// The stream of the packed positions [1, N, D] where it stands in the rows [B, T, D]. Positions that were left out
    /// hold that of another.
    /// </summary>
    public Tensor Unpacked(Tensor stream)
    {
        using var scope = NewDisposeScope();
        var at = tensor([
            .. _counts.SelectMany(
                (n, b) => Enumerable.Range(0, _width).Select(t => t < n ? Of((long)b * _width + t) : 0L)
            ),
        ]);
        return stream[0].index_select(0, at).view(_counts.Length, _width, -1).MoveToOuterDisposeScope();
    }

    // What goes where.
    private sealed class PackedRowsBuilder
    {
        public PackedRowsBuilder(long[] tokens, int width, int[] counts)
        {
            var rows = Enumerable.Range(0, counts.Length).Where(b => counts[b] > 0).ToList();
            Head = rows.Count > 1 ? Common(tokens, width, rows, rows.Min(b => counts[b])) : 0;
            Starts = new int[counts.Length];
            if (Head > 0)
                Add(rows[0] * width, Head, 0);
            foreach (var b in rows)
            {
                Starts[b] = At.Count;
                if (counts[b] > Head)
                    Add(b * width + Head, counts[b] - Head, Head);
            }
        }

        public int Head { get; }

        public int[] Starts { get; }

        // Index into [B * T] of each packed position.
        public List<int> At { get; } = [];

        public List<Segment> Segments { get; } = [];

        private void Add(int from, int count, int before)
        {
            Segments.Add(new Segment(At.Count, count, before));
            At.AddRange(Enumerable.Range(from, count));
        }

        private static int Common(long[] tokens, int width, List<int> rows, int most)
        {
            var first = tokens.AsSpan(rows[0] * width, most);
            foreach (var b in rows.Skip(1))
                first = first[..first.CommonPrefixLength(tokens.AsSpan(b * width, most))];
            return first.Length;
        }
    }
}
