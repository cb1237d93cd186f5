using System.Runtime.Intrinsics;

namespace EditUnlearn.Models.Kernels;

/// <summary>
/// Scaled dot-product attention over heads of one block, forwards and backwards; probabilities are never kept, they are
/// computed again.
/// </summary>
/// <remarks>
/// Source: Vaswani et al. (2017), equation 1; Dao et al. (2022) for the backward pass from log-sums.
/// Shapes: B rows, Q queries of a row, S keys, H heads, K key-value heads. A masked key counts exactly nothing, and
/// sums run over keys in their order, so neither padding nor company changes the bits of a row, and nor does it where
/// the keys of a common beginning lie elsewhere than a row's own. Beyond 1,024 keys it does, by rounding.
/// </remarks>
internal sealed unsafe class Attention
{
    // Queries whose scores are in memory at once; a multiple of a tile's rows.
    private const int Together = 60;

    [ThreadStatic]
    private static Workspace? _space;

    private readonly float* _queries,
        _mask;
    private readonly nint _maskRow,
        _maskQuery;
    private readonly Heads _keys,
        _values;
    private readonly long _batch,
        _count,
        _all;
    private readonly int _heads,
        _groups,
        _head;
    private readonly bool _causal;
    private readonly float _scale;
    private readonly Row[] _rows;
    private readonly long _most; // keys that a query looks at

    // Queries that look at the same keys: `Before` from `BeforeFirst` on, and `Keys` from `KeyFirst` on, where each
    // query looks no further than itself if attention is causal.
    private readonly record struct Row(
        long Batch,
        long First,
        long Count,
        long Before,
        long BeforeFirst,
        long KeyFirst,
        long Keys
    );

    /// <summary>Keys or values of a block wherever they lie [B, K, S, head]; a head's numbers are neighbours.</summary>
    /// <param name="First">Address.</param>
    /// <param name="Row">Distance of rows of the batch.</param>
    /// <param name="Head">Distance of heads.</param>
    /// <param name="Position">Distance of positions.</param>
    public readonly record struct Heads(nint First, nint Row, nint Head, nint Position)
    {
        /// <summary>One head of one row, from some position on [S - from, head].</summary>
        public Matrix Of(long row, long head, long from = 0) =>
            new((nint)((float*)First + row * Row + head * Head + from * Position), Position, 1);
    }

    /// <summary>Sizes of a pass.</summary>
    /// <param name="Batch">B.</param>
    /// <param name="Queries">Q.</param>
    /// <param name="Keys">S.</param>
    /// <param name="Heads">H.</param>
    /// <param name="KvHeads">K.</param>
    /// <param name="Head">Numbers of a head.</param>
    public readonly record struct Sizes(long Batch, long Queries, long Keys, int Heads, int KvHeads, int Head);

    /// <summary>What is looked at.</summary>
    /// <param name="sizes">Of the pass.</param>
    /// <param name="queries">[B, Q, H, head].</param>
    /// <param name="keys">[B, K, S, head].</param>
    /// <param name="values">[B, K, S, head].</param>
    /// <param name="mask">Added to scores, alike for all heads: address and distances of rows and queries; null for
    /// none.</param>
    /// <param name="causal">Whether query i looks at keys 0 .. i alone; then Q = S, or rows are packed.</param>
    /// <param name="packed">Rows that lie end to end in the one row of a causal batch, the last Q of all keys their
    /// own; null for B rows.</param>
    public Attention(
        Sizes sizes,
        float* queries,
        Heads keys,
        Heads values,
        (nint First, nint Row, nint Query)? mask,
        bool causal,
        IReadOnlyList<PackedRows.Segment>? packed = null
    )
    {
        _queries = queries;
        (_keys, _values, _causal) = (keys, values, causal);
        (_batch, _count, _all) = (sizes.Batch, sizes.Queries, sizes.Keys);
        (_heads, _groups, _head) = (sizes.Heads, sizes.Heads / sizes.KvHeads, sizes.Head);
        _scale = 1f / MathF.Sqrt(_head);
        if (mask is { } m)
        {
            _mask = (float*)m.First;
            (_maskRow, _maskQuery) = (m.Row, m.Query);
        }
        _rows = packed is null
            ? [.. Enumerable.Range(0, (int)_batch).Select(b => new Row(b, 0, _count, 0, 0, 0, _all))]
            :
            [
                .. packed.Select(s => new Row(
                    0,
                    s.First,
                    s.Count,
                    s.Before,
                    s.BeforeFirst,
                    _all - _count + s.First,
                    s.Count
                )),
            ];
        _most = _rows.Max(r => r.Before + r.Keys);
    }

    /// <summary>Mixes values.</summary>
    /// <param name="mixed">[B, Q, H, head].</param>
    /// <param name="logSums">Logarithm of the sum of exp(score) of each query [B, H, Q].</param>
    public void Forward(float* mixed, float* logSums) =>
        ByGroups((row, h) => Mix(row, h, mixed, logSums), 2);

    private void Mix(Row row, int h, float* mixed, float* logSums)
    {
        var scores = (_space ??= new Workspace()).Of(Together * _most);
        nint line = _heads * _head;
        for (long first = 0; first < row.Count; first += Together)
        {
            var (count, seen) = Part(row, first);
            var at = row.Batch * _count + row.First + first;
            Scores(row, h, first, count, seen, scores);
            var sums = logSums + LogSum(row, h) + first;
            for (nint i = 0; i < count; i++)
                sums[i] = Softmax(scores + i * (nint)seen, seen);
            var to = new Matrix((nint)(mixed + at * line + h * _head), line, 1);
            FromKeys(row, h, count, seen, scores, _values, to);
        }
    }

    /// <summary>Gradients of queries, keys and values.</summary>
    /// <param name="mixed">From <see cref="Forward"/>.</param>
    /// <param name="logSums">The same.</param>
    /// <param name="dMixed">Gradient of it [B, Q, H, head].</param>
    /// <param name="dQueries">Set [B, Q, H, head].</param>
    /// <param name="dKeys">Of the last positions, added to [B, own, K, head].</param>
    /// <param name="dValues">The same.</param>
    /// <param name="own">Positions, the last of S, whose keys and values want a gradient.</param>
    public void Backward(
        float* mixed,
        float* logSums,
        float* dMixed,
        float* dQueries,
        float* dKeys,
        float* dValues,
        long own
    ) => ByGroups((row, h) => TakeBack(row, h, mixed, logSums, dMixed, dQueries, dKeys, dValues, own), 5);

    private void TakeBack(
        Row row,
        int h,
        float* mixed,
        float* logSums,
        float* dMixed,
        float* dQueries,
        float* dKeys,
        float* dValues,
        long own
    )
    {
        var scores = (_space ??= new Workspace()).Of(2 * Together * _most);
        var slopes = scores + Together * _most;
        nint line = _heads * _head,
            kvLine = _heads / _groups * _head;
        for (long first = 0; first < row.Count; first += Together)
        {
            var (count, seen) = Part(row, first);
            var at = (row.Batch * _count + row.First + first) * line + h * _head;
            var (d, q) = (new Matrix((nint)(dMixed + at), line, 1), new Matrix((nint)(_queries + at), line, 1));
            Scores(row, h, first, count, seen, scores);
            ByKeys(row, h, count, seen, d, _values, slopes);
            var sums = logSums + LogSum(row, h) + first;
            for (nint i = 0; i < count; i++)
                Slopes(
                    scores + i * (nint)seen,
                    slopes + i * (nint)seen,
                    sums[i],
                    Elementwise.Dot(dMixed + at + i * line, mixed + at + i * line, _head),
                    seen
                );
            // Some of the keys that are seen get a gradient, if they are among the last `own` of all.
            void Give(long from, long keys, long keyFirst)
            {
                var skipped = Math.Clamp(_all - own - keyFirst, 0, keys);
                (from, keys) = (from + skipped, keys - skipped);
                if (keys <= 0)
                    return;
                var place = row.Batch * own + keyFirst + skipped - (_all - own);
                Matrix To(float* of) => new((nint)(of + place * kvLine + h / _groups * _head), kvLine, 1);
                var (p, s) = (Matrix.Rows(scores + from, seen), Matrix.Rows(slopes + from, seen));
                MatrixProduct.Compute(keys, _head, count, p.Transposed, d, To(dValues), add: true);
                MatrixProduct.Compute(keys, _head, count, s.Transposed, q, To(dKeys), add: true);
            }
            Give(0, row.Before, row.BeforeFirst);
            Give(row.Before, seen - row.Before, row.KeyFirst);
            FromKeys(row, h, count, seen, slopes, _keys, new Matrix((nint)(dQueries + at), line, 1));
        }
    }

    // All heads of all rows. Heads that share keys add to the same gradients, so they stay together and in order.
    private void ByGroups(Action<Row, int> work, int products)
    {
        void Groups(long from, long count)
        {
            foreach (var row in _rows)
                for (var h = (int)from * _groups; h < (from + count) * _groups; h++)
                    work(row, h);
        }
        var groups = _heads / _groups;
        if (ProductThreads.Count > 1 && ProductThreads.Spreads(products * _heads * _head * Looks()))
            ProductThreads.Spread(groups, 1, Groups);
        else
            Groups(0, groups);
    }

    // How often a query of a head looks at a key.
    private long Looks() => _rows.Sum(r => r.Count * (r.Before + (_causal ? (r.Count + 1) / 2 : r.Keys)));

    // Where the sums of a row's queries are in [B, H, Q].
    private long LogSum(Row row, int h) => (row.Batch * _heads + h) * _count + row.First;

    // Queries of a part, and the keys that any of them may see.
    private (long Count, long Seen) Part(Row row, long first)
    {
        var count = Math.Min(Together, row.Count - first);
        return (count, row.Before + (_causal ? first + count : row.Keys));
    }

    // Products of [count, head] with every key or value that is seen [count, seen].
    private void ByKeys(Row row, int h, long count, long seen, Matrix of, Heads with, float* to)
    {
        if (row.Before > 0)
            MatrixProduct.Compute(
                count,
                row.Before,
                _head,
                of,
                with.Of(row.Batch, h / _groups, row.BeforeFirst).Transposed,
                Matrix.Rows(to, seen)
            );
        MatrixProduct.Compute(
            count,
            seen - row.Before,
            _head,
            of,
            with.Of(row.Batch, h / _groups, row.KeyFirst).Transposed,
            Matrix.Rows(to + row.Before, seen)
        );
    }

    // Weights [count, seen] of every key or value that is seen, times these [count, head].
    private void FromKeys(Row row, int h, long count, long seen, float* weights, Heads of, Matrix to)
    {
        if (row.Before > 0)
            MatrixProduct.Compute(
                count,
                _head,
                row.Before,
                Matrix.Rows(weights, seen),
                of.Of(row.Batch, h / _groups, row.BeforeFirst),
                to
            );
        MatrixProduct.Compute(
            count,
            _head,
            seen - row.Before,
            Matrix.Rows(weights + row.Before, seen),
            of.Of(row.Batch, h / _groups, row.KeyFirst),
            to,
            add: row.Before > 0
        );
    }

    // Scaled and masked scores [count, seen].
    private void Scores(Row row, int h, long first, long count, long seen, float* scores)
    {
        nint line = _heads * _head;
        var queries = _queries + (row.Batch * _count + row.First + first) * line + h * _head;
        ByKeys(row, h, count, seen, new Matrix((nint)queries, line, 1), _keys, scores);
        var scale = Vector256.Create(_scale);
        for (nint i = 0; i < count; i++)
        {
            var at = scores + i * (nint)seen;
            var allowed = _causal ? row.Before + first + i + 1 : seen;
            var mask = _mask is null ? null : _mask + row.Batch * _maskRow + (first + i) * _maskQuery;
            for (long j = 0; j < allowed; j += Lanes.Count)
            {
                var left = (int)Math.Min(Lanes.Count, allowed - j);
                var score = Lanes.Load(at + j, left) * scale;
                if (mask is not null)
                    score += Lanes.Load(mask + j, left);
                Lanes.Store(score, at + j, left);
            }
            for (var j = allowed; j < seen; j++)
                at[j] = Masked;
        }
    }

    // Very low, but finite: a query that may look at nothing looks at everything alike, and not at NaN.
    private const float Masked = -1e30f;

    // In place; returns the logarithm of the sum of exp.
    private static float Softmax(float* x, long count)
    {
        var largest = Lanes.Max(x, count);
        var most = Vector256.Create(largest);
        for (long j = 0; j < count; j += Lanes.Count)
        {
            var left = (int)Math.Min(Lanes.Count, count - j);
            Lanes.Store(Lanes.Exp(Lanes.Load(x + j, left) - most), x + j, left);
        }
        // One after the other: where padding stands before or behind, zeros are added and nothing else changes.
        var sum = 0f;
        for (long j = 0; j < count; j++)
            sum += x[j];
        var share = Vector256.Create(1f / sum);
        for (long j = 0; j < count; j += Lanes.Count)
        {
            var left = (int)Math.Min(Lanes.Count, count - j);
            Lanes.Store(Lanes.Load(x + j, left) * share, x + j, left);
        }
        return largest + MathF.Log(sum);
    }

    // Scores become probabilities p, and dp becomes the gradient of unscaled scores, p (dp - mean) * scale.
    private void Slopes(float* scores, float* slopes, float logSum, float mean, long count)
    {
        var (log, average, scale) = (Vector256.Create(logSum), Vector256.Create(mean), Vector256.Create(_scale));
        for (long j = 0; j < count; j += Lanes.Count)
        {
            var left = (int)Math.Min(Lanes.Count, count - j);
            var p = Lanes.Exp(Lanes.Load(scores + j, left) - log);
            Lanes.Store(p, scores + j, left);
            Lanes.Store(p * (Lanes.Load(slopes + j, left) - average) * scale, slopes + j, left);
        }
    }
}
