using EditUnlearn.Models.Kernels;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// A pass through some blocks, or up to the logits, that is taken back by hand: what comes behind it is the library's
/// business, and the gradient it finds is given to its backward pass.
/// </summary>
/// <remarks>
/// In our kernels where they can take the model, otherwise over the library's graph; callers see no difference. Weights
/// that require a gradient have it added to, as with the library.
/// </remarks>
public sealed class TrackedPass : IDisposable
{
    private readonly CausalLm _model;
    private ForwardOptions? _options;
    private readonly List<BlockPass> _blocks = [];
    private readonly List<Tensor> _kept = [];
    private Tensor? _graph, // where the library follows: the output and what it starts from
        _start;
    private Tensor? _ids;
    private Tensor? _states, // before the last norm [P, D], its factors and what comes out
        _factors,
        _normed;
    private Tensor? _labels, // of the first positions [N], all logits [P, V], and log sum exp of the first [N]
        _logits,
        _logSums,
        _furtherLogits;
    private bool _throughMap;
    private long[]? _untouched; // shape of the stream where no block is run

    private TrackedPass(CausalLm model, ForwardOptions? options) => (_model, _options) = (model, options);

    /// <summary>
    /// What the pass returned: a leaf that collects a gradient. The stream behind the last block, logits, or negative
    /// log-probabilities of labels.
    /// </summary>
    public Tensor Output { get; private set; } = null!;

    /// <summary>
    /// Logits of the positions behind those that have labels [P - N, V], a leaf that collects a gradient; null where
    /// there are none.
    /// </summary>
    public Tensor? Rest { get; private set; }

    /// <summary>From the stream before one block to the stream behind another.</summary>
    /// <param name="model">The model.</param>
    /// <param name="h">The stream before block <paramref name="first"/> [B, T, D].</param>
    /// <param name="first">0-based.</param>
    /// <param name="end">One past the last block.</param>
    /// <param name="options">As for <see cref="CausalLm.Blocks"/>.</param>
    public static TrackedPass ThroughBlocks(
        CausalLm model,
        Tensor h,
        int first,
        int end,
        ForwardOptions? options = null
    ) => Run(model, (null, h), (first, end), Reach.Stream, options);

    /// <summary>From the stream before one block to the logits at the positions that are read [.., V].</summary>
    /// <param name="model">The model.</param>
    /// <param name="h">The stream before block <paramref name="first"/> [B, T, D].</param>
    /// <param name="first">0-based; the number of blocks for the last norm and output map alone.</param>
    /// <param name="options">As for <see cref="CausalLm.Blocks"/>.</param>
    public static TrackedPass ToLogits(CausalLm model, Tensor h, int first, ForwardOptions? options = null) =>
        Run(model, (null, h), (first, model?.Config.Layers ?? 0), Reach.Logits, options);

    /// <summary>
    /// From the stream before one block to the negative log-probabilities of labels [N], in nats, and the logits of
    /// further positions.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="h">The stream before block <paramref name="first"/> [B, T, D].</param>
    /// <param name="first">0-based; the number of blocks for the last norm and output map alone.</param>
    /// <param name="labels">Of the first positions that are read [N].</param>
    /// <param name="options">With <see cref="ForwardOptions.Positions"/> that choose.</param>
    public static TrackedPass ToNll(CausalLm model, Tensor h, int first, Tensor labels, ForwardOptions options) =>
        Run(model, (null, h), (first, model?.Config.Layers ?? 0), Reach.Nll, options, labels);

    /// <summary>From token ids [B, T] to the negative log-probabilities of labels [N], in nats.</summary>
    public static TrackedPass NllOf(CausalLm model, Tensor ids, Tensor labels, ForwardOptions options) =>
        Run(model, (ids, null), (0, model?.Config.Layers ?? 0), Reach.Nll, options, labels);

    /// <summary>From the stream behind the last block [.., D] to that behind the last norm.</summary>
    public static TrackedPass ToHidden(CausalLm model, Tensor h) =>
        Run(model, (null, h), (model?.Config.Layers ?? 0, model?.Config.Layers ?? 0), Reach.Hidden, null);

    /// <summary>From token ids [B, T] to the stream behind a block, the embedding included.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ids">[B, T].</param>
    /// <param name="end">One past the last block.</param>
    /// <param name="options">As for <see cref="CausalLm.Blocks"/>.</param>
    public static TrackedPass StreamOf(CausalLm model, Tensor ids, int end, ForwardOptions? options = null) =>
        Run(model, (ids, null), (0, end), Reach.Stream, options);

    /// <summary>From token ids [B, T] to the stream behind the last norm at the positions that are read
    /// [.., D].</summary>
    public static TrackedPass HiddenOf(CausalLm model, Tensor ids, ForwardOptions? options = null) =>
        Run(model, (ids, null), (0, model?.Config.Layers ?? 0), Reach.Hidden, options);

    /// <summary>From token ids [B, T] to the logits at the positions that are read [.., V].</summary>
    public static TrackedPass LogitsOf(CausalLm model, Tensor ids, ForwardOptions? options = null) =>
        Run(model, (ids, null), (0, model?.Config.Layers ?? 0), Reach.Logits, options);

    /// <summary>Takes the pass back from the gradient that the output's leaf has collected.</summary>
    /// <param name="input">Whether the gradient of the stream that the pass began with is asked for.</param>
    /// <returns>It [B, T, D], owned by the current scope; null where it was not asked for or is nothing.</returns>
    public Tensor? Backward(bool input = true)
    {
        using var found = Output.grad;
        return found is null ? null : Backward(found, input);
    }

    /// <summary>Takes the pass back.</summary>
    /// <param name="gradient">Of the output, in its shape.</param>
    /// <param name="input">See the other.</param>
    public Tensor? Backward(Tensor gradient, bool input = true)
    {
        ArgumentNullException.ThrowIfNull(gradient);
        if (_graph is not null)
        {
            if (!_graph.requires_grad)
                return null;
            using var further = Rest?.grad;
            if (further is null)
                _graph.backward([gradient]);
            else
                autograd.backward([_graph, _furtherLogits!], [gradient, further]);
            return input && _start is { requires_grad: true } ? _start.grad : null;
        }
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var g = _logits is null ? gradient : NllBack(gradient);
        if (_states is not null)
            g = OutputBack(g);
        if (_untouched is { } shape)
            return input ? Positioned(g, shape).MoveToOuterDisposeScope() : null;
        // Below the lowest block that moves there is nothing to collect.
        var embedding = _ids is not null && Table.requires_grad;
        var lowest = input || embedding ? 0 : _blocks.FindIndex(b => b.Moves);
        for (var i = _blocks.Count - 1; i >= 0; i--)
        {
            if (lowest < 0 || i < lowest)
                return null;
            g = _blocks[i].Backward(g, down: input || embedding || i > lowest);
            _blocks[i].Dispose();
            if (g is null)
                return null;
        }
        if (embedding)
            Embeddings.Back(_ids!, g, Table);
        return input ? g.MoveToOuterDisposeScope() : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var block in _blocks)
            block.Dispose();
        foreach (var t in _kept)
            t.Dispose();
        foreach (var t in (Tensor?[])[Output, Rest, _graph, _start, _furtherLogits])
            t?.Dispose();
    }

    private Tensor Table => _model.Of(TensorNames.Embedding, _options);

    private Tensor Gain => _model.Of(TensorNames.FinalNorm, _options);

    private Tensor OutputMap => _model.Of(_model.OutputMapName, _options);

    private PackedMatrix? Packed(bool back) => _model.Packed(_model.OutputMapName, _options, back);

    private enum Reach
    {
        Stream,
        Hidden,
        Logits,
        Nll,
    }

    private static TrackedPass Run(
        CausalLm? model,
        (Tensor? Ids, Tensor? Stream) from,
        (int First, int End) blocks,
        Reach reach,
        ForwardOptions? options,
        Tensor? labels = null
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        var pass = new TrackedPass(model, options);
        using var scope = NewDisposeScope();
        if (reach == Reach.Nll)
            pass._labels = pass.Kept(labels!.contiguous().alias());
        var output = model.TakesKernels(from.Stream, options)
            ? pass.InKernels(from, blocks, reach)
            : pass.OverGraph(from, blocks, reach);
        pass.Output = DeferredBackward.Leaf(output).DetachFromDisposeScope();
        if (pass._furtherLogits is { } further)
            pass.Rest = DeferredBackward.Leaf(further).DetachFromDisposeScope();
        return pass;
    }

    private Tensor InKernels((Tensor? Ids, Tensor? Stream) from, (int First, int End) blocks, Reach reach)
    {
        using var quiet = no_grad();
        if (from.Ids is { } ids)
        {
            if (PackedRows.Of(_model, ids, _options) is { } packed)
            {
                ids = packed.Rows.Ids;
                _options = packed.Options with { Positions = Positions.At(Kept(packed.Options.Positions!.Chosen!)) };
            }
            _ids = Kept(ids.alias());
        }
        var start = from.Stream ?? _model.Embed(_ids!, _options);
        if (blocks.First >= blocks.End)
            _untouched = start.shape;
        var h = _model.RunBlocks(
            start,
            blocks.First,
            blocks.End,
            _options,
            (layer, x, seen) =>
            {
                _blocks.Add(new BlockPass(_model, layer, _options));
                return _blocks[^1].Forward(x, seen, keep: true);
            }
        );
        if (reach == Reach.Stream)
            return h;
        _states = Kept(h.reshape(-1, h.size(-1)).alias());
        (_normed, _factors) = Norms.Of(_states, Gain, _model.Config.RmsNormEps);
        (_normed, _factors) = (Kept(_normed), Kept(_factors));
        _throughMap = reach >= Reach.Logits;
        using var map = _throughMap ? Packed(back: false) : null;
        var y = _throughMap ? Linear.Of(_normed, OutputMap, map) : _normed;
        if (reach != Reach.Nll)
            return y.view([.. h.shape[..^1], y.size(-1)]);
        _logits = Kept(y);
        var (nll, sums) = CrossEntropy.Of(y, _labels!);
        _logSums = Kept(sums);
        if (y.size(0) > nll.size(0))
            _furtherLogits = y.narrow(0, nll.size(0), y.size(0) - nll.size(0));
        return nll;
    }

    // The gradient of all logits, in the place of those of labels.
    private Tensor NllBack(Tensor gradient)
    {
        CrossEntropy.Back(_logits!, _labels!, _logSums!, gradient.contiguous());
        if (Rest is null)
            return _logits!;
        var own = _logits!.narrow(0, _labels!.size(0), Rest.size(0));
        using var found = Rest.grad;
        if (found is null)
            own.zero_();
        else
            own.copy_(found);
        return _logits;
    }

    private Tensor OutputBack(Tensor gradient)
    {
        var dNormed = gradient.contiguous();
        if (_throughMap)
        {
            var dy = dNormed;
            dNormed = Memory.New(_normed!.shape);
            using var packed = Packed(back: true);
            Linear.Back(dy, OutputMap, _normed, dNormed, packed: packed);
        }
        var dStates = zeros_like(_states!);
        Norms.Back(_states!, Gain, _factors!, dNormed, dStates);
        return dStates.view([.. gradient.shape[..^1], dStates.size(-1)]);
    }

    // The gradient of positions that were read, among zeros for the others.
    private Tensor Positioned(Tensor gradient, long[] shape)
    {
        if (_options?.Positions is not { } read)
            return gradient;
        var all = zeros(shape);
        if (read.Chosen is { } chosen)
            return all.view(-1, shape[^1]).index_add_(0, chosen, gradient, 1).view(shape);
        all.narrow(1, read.First, shape[1] - read.First).copy_(gradient);
        return all;
    }

    private Tensor OverGraph((Tensor? Ids, Tensor? Stream) from, (int First, int End) blocks, Reach reach)
    {
        using var tracked = enable_grad();
        if (from.Stream is { } h)
        {
            _start = h.detach().DetachFromDisposeScope();
            _start.requires_grad = true;
        }
        var y = _model.Blocks(_start ?? _model.Embed(from.Ids!, _options), blocks.First, blocks.End, _options);
        if (reach != Reach.Stream)
            y = _model.FinalNorm(y, _options);
        if (reach >= Reach.Logits)
            y = _model.Logits(y, _options);
        if (reach == Reach.Nll)
        {
            var count = _labels!.size(0);
            if (y.size(0) > count)
                _furtherLogits = y.narrow(0, count, y.size(0) - count).DetachFromDisposeScope();
            y = LabelLosses.Nll(y.narrow(0, 0, count), _labels);
        }
        _graph = y.DetachFromDisposeScope();
        return _graph;
    }

    private Tensor Kept(Tensor t)
    {
        _kept.Add(t.DetachFromDisposeScope());
        return t;
    }
}
