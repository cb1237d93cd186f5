using System.Runtime.Intrinsics;

namespace EditUnlearn.Models.Kernels;

/// <summary>
/// Scaled dot-product attention over heads of one block, forwards and backwards; probabilities are never kept, they are
/// computed again.
/// </summary>
/// <remarks>
/// Source: Vaswani et al. (2017), equation 1; Dao et al. (2022) for the backward pass from log-sums.
/// Shapes: B rows, Q queries of a row, S keys, H heads, K key-value heads. A masked key counts exactly nothing, and
/// sums run over keys in their order, so neither padding nor company changes the bits of a row.
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

    /// <summary>Keys or values of a block wherever they lie [B, K, S, head]; a head's numbers are neighbours.</summary>
    /// <param name="First">Address.</param>
    /// <param name="Row">Distance of rows of the batch.</param>
    /// <param name="Head">Distance of heads.</param>
    /// <param name="Position">Distance of positions.</param>
    public readonly record struct Heads(nint First, nint Row, nint Head, nint Position)
    {
        /// <summary>One head of one row [S, head].</summary>
        public Matrix Of(long row, long head) =>
            new((nint)((float*)First + row * Row + head * Head), Position, 1);
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
    /// <param name="causal">Whether query i looks at keys 0 .. i alone; then Q = S.</param>
    public Attention(
        Sizes sizes,
        float* queries,
        Heads keys,
        Heads values,
        (nint First, nint Row, nint Query)? mask,
        bool causal
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
    }

    /// <summary>Mixes values.</summary>
    /// <param name="mixed">[B, Q, H, head].</param>
    /// <param name="logSums">Logarithm of the sum of exp(score) of each query [B, H, Q].</param>
    public void Forward(float* mixed, float* logSums)
    {
        var scores = (_space ??= new Workspace()).Of(Together * _all);
        nint row = _heads * _head;
        for (long b = 0; b < _batch; b++)
            for (var h = 0; h < _heads; h++)
                for (long first = 0; first < _count; first += Together)
                {
                    var (count, seen) = Part(first);
                    Scores(b, h, first, count, seen, scores);
                    for (nint i = 0; i < count; i++)
                        logSums[(b * _heads + h) * _count + first + i] = Softmax(scores + i * (nint)seen, seen);
                    MatrixProduct.Compute(
                        count,
                        _head,
                        seen,
                        Matrix.Rows(scores, seen),
                        _values.Of(b, h / _groups),
                        new Matrix((nint)(mixed + (b * _count + first) * row + h * _head), row, 1)
                    );
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
    )
    {
        var scores = (_space ??= new Workspace()).Of(2 * Together * _all);
        var slopes = scores + Together * _all;
        nint row = _heads * _head,
            kvRow = _heads / _groups * _head;
        var before = _all - own;
        for (long b = 0; b < _batch; b++)
            for (var h = 0; h < _heads; h++)
                for (long first = 0; first < _count; first += Together)
                {
                    var (count, seen) = Part(first);
                    var at = (b * _count + first) * row + h * _head;
                    var (d, q) = (new Matrix((nint)(dMixed + at), row, 1), new Matrix((nint)(_queries + at), row, 1));
                    Matrix Own(float* of) => new((nint)(of + (b * own) * kvRow + h / _groups * _head), kvRow, 1);
                    Scores(b, h, first, count, seen, scores);
                    MatrixProduct.Compute(
                        count,
                        seen,
                        _head,
                        d,
                        _values.Of(b, h / _groups).Transposed,
                        Matrix.Rows(slopes, seen)
                    );
                    for (nint i = 0; i < count; i++)
                        Slopes(
                            scores + i * (nint)seen,
                            slopes + i * (nint)seen,
                            logSums[(b * _heads + h) * _count + first + i],
                            Elementwise.Dot(dMixed + at + i * row, mixed + at + i * row, _head),
                            seen
                        );
                    var ownSeen = seen - before;
                    var (p, s) = (Matrix.Rows(scores + before, seen), Matrix.Rows(slopes + before, seen));
                    if (ownSeen > 0)
                    {
                        MatrixProduct.Compute(ownSeen, _head, count, p.Transposed, d, Own(dValues), add: true);
                        MatrixProduct.Compute(ownSeen, _head, count, s.Transposed, q, Own(dKeys), add: true);
                    }
                    MatrixProduct.Compute(
                        count,
                        _head,
                        seen,
                        Matrix.Rows(slopes, seen),
                        _keys.Of(b, h / _groups),
                        new Matrix((nint)(dQueries + at), row, 1)
                    );
                }
    }

    // Queries of a part, and the keys that any of them may see.
    private (long Count, long Seen) Part(long first)
    {
        var count = Math.Min(Together, _count - first);
        return (count, _causal ? first + count : _all);
    }

    // Scaled and masked scores [count, seen].
    private void Scores(long b, int h, long first, long count, long seen, float* scores)
    {
        nint row = _heads * _head;
        MatrixProduct.Compute(
            count,
            seen,
            _head,
            new Matrix((nint)(_queries + (b * _count + first) * row + h * _head), row, 1),
            _keys.Of(b, h / _groups).Transposed,
            Matrix.Rows(scores, seen)
        );
        var scale = Vector256.Create(_scale);
        for (nint i = 0; i < count; i++)
        {
            var at = scores + i * (nint)seen;
            var allowed = _causal ? first + i + 1 : seen;
            var mask = _mask is null ? null : _mask + b * _maskRow + (first + i) * _maskQuery;
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
