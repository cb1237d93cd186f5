using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Prompts side by side, padded on the left, with their keys and values cached: first all their columns in one pass,
/// then one token of each row a pass.
/// </summary>
/// <remarks>
/// Where nobody intervenes, which is below a tap's first block too, the first pass goes over packed rows: what all
/// prompts begin with, a chat template's head, is computed once.
/// </remarks>
internal sealed class PromptBatch : IDisposable
{
    private readonly CausalLm _model;
    private readonly KvCache _cache;
    private readonly ForwardTap? _tap;
    private readonly Tensor _ids;
    private readonly IReadOnlyList<IReadOnlyList<int>> _prompts;
    private Tensor? _real;

    /// <summary>Lays the prompts out; nothing is run yet.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids; none empty.</param>
    /// <param name="more">Most tokens that will follow.</param>
    /// <param name="tap">Sees all passes of the batch.</param>
    public PromptBatch(CausalLm model, IReadOnlyList<IReadOnlyList<int>> prompts, int more, ForwardTap? tap)
    {
        _model = model;
        Width = prompts.Max(p => p.Count);
        var (ids, real) = LeftPadded(prompts, Width, more);
        _ids = tensor(ids, device: model.Device).DetachFromDisposeScope();
        if (prompts.Any(p => p.Count < Width))
            _real = tensor(real, device: model.Device).DetachFromDisposeScope();
        _prompts = prompts;
        _cache = new KvCache(model, prompts.Count, Width + more, [.. prompts.Select(p => Width - p.Count)]);
        _tap = tap?.Begin(LayoutOf(prompts, Width));
    }

    /// <summary>Columns of the longest prompt.</summary>
    public int Width { get; }

    /// <summary>Where left-padded prompts stand.</summary>
    public static BatchLayout LayoutOf(IReadOnlyList<IReadOnlyList<int>> prompts, int width) =>
        new([.. prompts.Select(p => width - p.Count)], [.. prompts.Select(_ => width - 1)]) { PromptIds = prompts };

    /// <summary>
    /// Ids [B, T], and which positions are real [B, T + more]: those of the prompt, and all that will follow.
    /// </summary>
    public static (long[,] Ids, long[,] Real) LeftPadded(IReadOnlyList<IReadOnlyList<int>> prompts, int width, int more)
    {
        var ids = new long[prompts.Count, width];
        var real = new long[prompts.Count, width + more];
        for (var b = 0; b < prompts.Count; b++)
        {
            var prompt = prompts[b];
            for (var t = 0; t < prompt.Count; t++)
                ids[b, width - prompt.Count + t] = prompt[t];
            for (var t = width - prompt.Count; t < real.GetLength(1); t++)
                real[b, t] = 1;
        }
        return (ids, real);
    }

    /// <summary>
    /// The next pass: of the prompts all columns [B, T, D] (the last alone where no tap wants to see the others), then
    /// of one token of each row [B, 1, D].
    /// </summary>
    /// <param name="next">The tokens [B, 1]; null for the prompts.</param>
    public Tensor Pass(Tensor? next)
    {
        if (next is null && _tap is null or { First: > 0 } && Packed() is { } packed)
            return packed;
        var ids = next ?? _ids;
        return _model.Hidden(
            ids,
            new ForwardOptions
            {
                Past = _cache,
                AttentionMask = _real?.narrow(1, 0, _cache.Length + ids.shape[1]),
                Tap = _tap,
                Positions = _tap is null ? Positions.From((int)ids.shape[1] - 1) : null,
            }
        );
    }

    // The last column of all prompts [B, 1, D], or all where a tap sees them, from a pass over packed rows; null
    // where rows cannot be packed.
    private Tensor? Packed()
    {
        using var scope = NewDisposeScope();
        var ids = new long[_prompts.Count, Width];
        foreach (var (b, prompt) in _prompts.Index())
            for (var t = 0; t < prompt.Count; t++)
                ids[b, t] = prompt[t];
        var last = tensor(_prompts.Select((p, b) => (long)b * Width + p.Count - 1).ToArray(), device: _model.Device);
        var pass = new ForwardOptions { Positions = Positions.At(last) };
        if (PackedRows.Of(_model, tensor(ids, device: _model.Device), pass) is not { } packed)
            return null;
        // Which packed position each column holds; columns of padding hold the first, and are masked.
        var columns = tensor([
            .. _prompts.SelectMany(
                (p, b) =>
                    Enumerable
                        .Range(p.Count - Width, Width)
                        .Select(t => t < 0 ? 0L : packed.Rows.Of((long)b * Width + t))
            ),
        ]);
        using var filling = new Filling(_cache, columns, _prompts.Count);
        var options = packed.Options with { Past = filling };
        if (_tap is not { First: var first })
            return _model.Hidden(packed.Rows.Ids, options).unsqueeze(1).MoveToOuterDisposeScope();
        var below = _model.Blocks(_model.Embed(packed.Rows.Ids), 0, first, options with { Positions = null });
        var above = _model.Blocks(
            below[0].index_select(0, columns).view(_prompts.Count, Width, -1),
            first,
            _model.Config.Layers,
            new ForwardOptions
            {
                Past = _cache,
                AttentionMask = _real?.narrow(1, 0, Width),
                Tap = _tap,
            }
        );
        return _model.FinalNorm(above).MoveToOuterDisposeScope();
    }

    // The first pass of a cache: what packed rows have at each position goes where it is looked up later.
    private sealed class Filling(KvCache cache, Tensor columns, int batch) : Past
    {
        internal override (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values)
        {
            using var scope = NewDisposeScope();
            _ = cache.Join(layer, Laid(keys), Laid(values));
            return (keys, values);
        }

        // From [1, K, N, head] to [B, K, T, head].
        private Tensor Laid(Tensor t) =>
            t[0].index_select(1, columns).view(t.shape[1], batch, -1, t.shape[3]).transpose(0, 1);

        protected override void Dispose(bool disposing) { }
    }

    /// <summary>Only these rows are left, in this order.</summary>
    /// <param name="rows">Indices into the rows so far.</param>
    public void Keep(IReadOnlyList<int> rows)
    {
        using var scope = NewDisposeScope();
        var kept = tensor(rows.Select(r => (long)r).ToArray(), device: _model.Device);
        _cache.Keep(kept);
        _tap?.Keep(rows);
        if (_real is not { } real)
            return;
        _real = real.index_select(0, kept).DetachFromDisposeScope();
        real.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cache.Dispose();
        _ids.Dispose();
        _real?.Dispose();
    }
}

/// <summary>
/// Who shares a batch where a tap decides for whole batches (defect W4): rows of one group in the order given, whoever
/// asks and whatever else is asked.
/// </summary>
internal static class Company
{
    /// <summary>Indices of the rows of each batch.</summary>
    /// <param name="rows">How many there are.</param>
    /// <param name="together">Most of one batch.</param>
    /// <param name="group">Of a row.</param>
    public static IEnumerable<int[]> Of(int rows, int together, Func<int, string> group) =>
        Enumerable.Range(0, rows).GroupBy(group, StringComparer.Ordinal).SelectMany(g => g.Chunk(together));
}
