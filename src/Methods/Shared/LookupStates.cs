using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// Prompts of some edits under every context prefix, cut after their lookup positions, with the stream kept where it
/// has got to: what lies below an edited block is run once.
/// </summary>
/// <remarks>
/// See docs/methods.md, "Keys and second moments" and "What is computed once". Shapes: B edits, N context rows of all
/// of them, D width, F MLP width.
/// </remarks>
internal sealed class LookupStates : IDisposable
{
    private readonly CausalLm _model;
    private readonly int _edits,
        _contexts,
        _first;
    private readonly Tensor _positions,
        _bareRows,
        _bareLast,
        _start;
    private readonly int _bareWidth;
    private Tensor _stream;
    private int _at;

    /// <summary>Runs the prompts up to block <paramref name="first"/>.</summary>
    /// <param name="model">Read as it is when a method is called; blocks below <paramref name="first"/> must not
    /// change.</param>
    /// <param name="requests">The edits.</param>
    /// <param name="contexts">Prefixes, the empty one first.</param>
    /// <param name="first">The first edited block.</param>
    public LookupStates(
        CausalLm model,
        IReadOnlyList<EditRequest> requests,
        IReadOnlyList<IReadOnlyList<int>> contexts,
        int first
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(contexts);
        (_model, _edits, _contexts, _first, _at) = (model, requests.Count, contexts.Count, first, first);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var rows = requests
            .SelectMany(r =>
                Prompts.InContext(r, contexts).Select(p => (IReadOnlyList<int>)[.. p.Ids.Take(p.SubjectLast + 1)])
            )
            .ToList();
        var ids = IdRows.Of(rows, model.Device);
        Tensor Kept(Tensor t) => t.DetachFromDisposeScope();
        _positions = Kept(ids.At([.. rows.Select(r => r.Count - 1)]));
        _bareWidth = requests.Max(r => r.SubjectLast + 1);
        _bareRows = Kept(tensor(requests.Select((_, e) => (long)e * contexts.Count).ToArray(), device: model.Device));
        _bareLast = Kept(
            tensor(requests.Select((r, e) => (long)e * _bareWidth + r.SubjectLast).ToArray(), device: model.Device)
        );
        _start = Kept(model.Blocks(model.Embed(ids.Ids), 0, first));
        _stream = Kept(_start.alias());
    }

    /// <summary>
    /// Keys [N, F] of every row at one block, on the weights as they are; the block must not lie below one asked for
    /// before.
    /// </summary>
    public Tensor KeysAt(int layer)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Advance(layer);
        var tap = new Capture([layer], _positions);
        _ = _model.Blocks(_stream, layer, layer + 1, new ForwardOptions { Tap = tap });
        return tap.Keys[layer].MoveToOuterDisposeScope();
    }

    /// <summary>Keys [N, F] at several blocks in one pass from the first, on the weights as they are.</summary>
    public IReadOnlyDictionary<int, Tensor> KeysAt(IReadOnlyList<int> layers)
    {
        ArgumentNullException.ThrowIfNull(layers);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var tap = new Capture(layers, _positions);
        _ = _model.Blocks(_start, _first, layers.Max() + 1, new ForwardOptions { Tap = tap });
        return layers.ToDictionary(l => l, l => tap.Keys[l].MoveToOuterDisposeScope());
    }

    /// <summary>
    /// Outputs of a block [B, D] at the lookup position of the bare prompts, on the weights as they are.
    /// </summary>
    public Tensor OutputAt(int layer)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var bare = _stream.index_select(0, _bareRows).narrow(1, 0, _bareWidth);
        var h = _model.Blocks(bare, _at, layer + 1);
        return h.reshape(-1, h.shape[^1]).index_select(0, _bareLast).MoveToOuterDisposeScope();
    }

    /// <summary>Plain mean over all contexts [F, B]: ROME.</summary>
    public Tensor MeanOverContexts(Tensor keys) => Grouped(keys).mean([1L]).t();

    /// <summary>Half the bare prompt's key, half the mean over the prefixed ones [F, B]: MEMIT, AlphaEdit.</summary>
    public Tensor MeanOfGroups(Tensor keys)
    {
        var grouped = Grouped(keys);
        var bare = grouped.select(1, 0);
        return (_contexts == 1 ? bare : (bare + grouped.narrow(1, 1, _contexts - 1).mean([1L])) / 2).t();
    }

    /// <summary>The bare prompts' keys [F, B].</summary>
    public Tensor Bare(Tensor keys) => Grouped(keys).select(1, 0).t();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var t in (Tensor[])[_positions, _bareRows, _bareLast, _start, _stream])
            t.Dispose();
    }

    private Tensor Grouped(Tensor keys) => keys.to(ScalarType.Float32).view(_edits, _contexts, keys.shape[1]);

    private void Advance(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layer, _at);
        if (layer == _at)
            return;
        var next = _model.Blocks(_stream, _at, layer).DetachFromDisposeScope();
        _stream.Dispose();
        (_stream, _at) = (next, layer);
    }

    private sealed class Capture(IReadOnlyList<int> layers, Tensor positions) : ForwardTap
    {
        public Dictionary<int, Tensor> Keys { get; } = [];

        public override Tensor MlpOut(int at, Tensor key, Tensor value)
        {
            // Out of the block's scope and out of the pass's: the caller's scope owns it.
            if (layers.Contains(at))
                Keys[at] = key.reshape(-1, key.shape[^1])
                    .index_select(0, positions)
                    .MoveToOuterDisposeScope()
                    .MoveToOuterDisposeScope();
            return value;
        }
    }
}
