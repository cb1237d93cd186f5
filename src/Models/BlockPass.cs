using EditUnlearn.Models.Kernels;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// One block of the decoder in the kernels of this room, forwards and, where it was told to keep what that needs,
/// backwards.
/// </summary>
/// <remarks>
/// The same arithmetic as the block that <see cref="CausalLm"/> writes out over library calls, for float32 weights on
/// the processor. Shapes: B rows, T positions, Q of them read, D width, F MLP width, H heads, K key-value heads, R rows
/// of positions that go on (B T, or those that are read).
/// </remarks>
internal sealed unsafe class BlockPass : IDisposable
{
    private readonly CausalLm _model;
    private readonly int _layer;
    private readonly ForwardOptions? _options;
    private readonly List<Tensor> _kept = [];
    private readonly Dictionary<string, LoraAdapter.Added> _added = new(StringComparer.Ordinal);
    private Positions? _read;
    private (Tensor Cos, Tensor Sin) _turn;
    private Tensor? _mask;
    private bool _causal;
    private Tensor _h = null!, // [B, T, D]
        _normed = null!, // [B, T, D]
        _factors = null!, // [B T]
        _asking = null!, // the normed stream at positions that are read [B, Q, D]
        _queries = null!, // [B, Q, H, head]
        _plainQueries = null!, // before their norm, where there is one
        _queryFactors = null!,
        _plainKeys = null!, // [B, T, K, head]
        _keyFactors = null!,
        _keys = null!, // [B, K, S, head]
        _values = null!,
        _mixed = null!, // [B, Q, H head]
        _logSums = null!, // [B, H, Q]
        _taken = null!, // the mixed values that go on [R, H head]
        _middle = null!, // the stream between attention and MLP [R, D]
        _middleNormed = null!, // [R, D]
        _middleFactors = null!, // [R]
        _gate = null!, // [R, F]
        _up = null!,
        _key = null!;

    /// <summary>A pass through one block.</summary>
    /// <param name="model">Gives weights and shapes.</param>
    /// <param name="layer">0-based.</param>
    /// <param name="options">Past, tap, weights used instead.</param>
    public BlockPass(CausalLm model, int layer, ForwardOptions? options) =>
        (_model, _layer, _options) = (model, layer, options);

    /// <summary>Whether a weight of the block moves.</summary>
    public bool Moves =>
        MovesBelow()
        || Weight(TensorNames.PostAttentionNorm(_layer)).requires_grad
        || new[] { "gate_proj", "up_proj", "down_proj" }.Any(map => MapMoves(TensorNames.Mlp(_layer, map)));

    private ModelConfig Config => _model.Config;

    private int From => _read?.First ?? 0;

    /// <summary>The stream behind the block [B, Q, D], or [P, D] where positions are chosen.</summary>
    /// <param name="h">The stream before it [B, T, D].</param>
    /// <param name="seen">What its positions look at, and which are read.</param>
    /// <param name="keep">Whether <see cref="Backward"/> will follow.</param>
    public Tensor Forward(Tensor h, CausalLm.Seen seen, bool keep)
    {
        (_turn, _mask, _causal, _read) = seen;
        var read = seen.Read;
        var tap = _options?.Tap;
        _h = (tap?.ResidPre(_layer, h) ?? h).contiguous();
        Attend();
        var width = Config.HiddenSize;
        var taken = read?.Chosen is null ? _mixed : read.Of(_mixed);
        _taken = taken.reshape(-1, taken.size(-1));
        var stream = read?.Of(_h) ?? _h;
        _middle = Product(_taken, "o_proj");
        var rows = _middle.size(0);
        var residual = stream.contiguous();
        Elementwise.Add(Memory.Of(_middle), Memory.Of(residual), _middle.numel());

        (_middleNormed, _middleFactors) = Normed(_middle, TensorNames.PostAttentionNorm(_layer));
        _gate = Product(_middleNormed, TensorNames.Mlp(_layer, "gate_proj"), rows);
        _up = Product(_middleNormed, TensorNames.Mlp(_layer, "up_proj"), rows);
        _key = Memory.New(rows, _gate.size(1));
        Elementwise.Gate(Memory.Of(_gate), Memory.Of(_up), Memory.Of(_key), _key.numel());
        var value = Product(_key, TensorNames.DownProj(_layer), rows);
        long[] shape = [.. stream.shape];
        if (tap is not null)
            value = tap.MlpOut(_layer, _key.view([.. shape[..^1], _key.size(1)]), value.view(shape)).contiguous();
        Elementwise.Add(Memory.Of(value), Memory.Of(_middle), value.numel());
        if (keep)
            KeepAll();
        value = value.view(shape);
        return tap is not null ? tap.ResidPost(_layer, value) : value;
    }

    /// <summary>
    /// The gradient of the stream before the block [B, T, D], null where nobody asks for it; adds to the gradients of
    /// the block's moving weights.
    /// </summary>
    /// <param name="gradient">Of the stream behind it, in its shape.</param>
    /// <param name="down">Whether the stream before it wants a gradient.</param>
    public Tensor? Backward(Tensor gradient, bool down)
    {
        using var scope = NewDisposeScope();
        var g = gradient.contiguous();
        long rows = g.numel() / Config.HiddenSize,
            inner = _key.size(1);
        // MLP
        var dKey = Memory.New(rows, inner);
        Back(g, TensorNames.DownProj(_layer), _key, dKey);
        var dGate = Memory.New(rows, inner);
        Elementwise.GateBack(
            Memory.Of(_gate),
            Memory.Of(_up),
            Memory.Of(dKey),
            Memory.Of(dGate),
            Memory.Of(dKey),
            dKey.numel()
        );
        var dNormed = Memory.New(rows, Config.HiddenSize);
        Back(dGate, TensorNames.Mlp(_layer, "gate_proj"), _middleNormed, dNormed);
        Back(dKey, TensorNames.Mlp(_layer, "up_proj"), _middleNormed, dNormed, add: true);
        var dMiddle = g.view(rows, -1).clone();
        NormBack(_middle, TensorNames.PostAttentionNorm(_layer), _middleFactors, dNormed, dMiddle);
        if (!down && !MovesBelow())
            return null;
        return AttendBack(dMiddle).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var t in _kept)
            t.Dispose();
        _kept.Clear();
    }

    // Norm, queries, keys and values, their turns, and the mixture.
    private void Attend()
    {
        (_normed, _factors) = Normed(_h, TensorNames.InputNorm(_layer));
        long batch = _h.size(0),
            count = _h.size(1),
            asked = count - From;
        _asking = From == 0 ? _normed : _normed.narrow(1, From, asked).contiguous();
        _queries = Map(_asking, "q_proj", batch, asked, Config.Heads);
        var keys = Map(_normed, "k_proj", batch, count, Config.KvHeads);
        if (Config.QkNorm)
        {
            (_plainQueries, _plainKeys) = (_queries, keys);
            (_queries, _queryFactors) = Normed(_plainQueries, TensorNames.QueryNorm(_layer));
            (keys, _keyFactors) = Normed(_plainKeys, TensorNames.KeyNorm(_layer));
        }
        var values = Map(_normed, "v_proj", batch, count, Config.KvHeads);
        Turn(_queries, From, back: false);
        Turn(keys, 0, back: false);
        (_keys, _values) = (_options?.Past ?? Past.None).Join(_layer, keys.transpose(1, 2), values.transpose(1, 2));
        _mixed = Memory.New(batch, asked, Config.Heads * Config.HeadDim);
        _logSums = Memory.New(batch, Config.Heads, asked);
        Looking().Forward(Memory.Of(_mixed), Memory.Of(_logSums));
    }

    private Tensor AttendBack(Tensor dMiddle)
    {
        long batch = _h.size(0),
            count = _h.size(1),
            asked = count - From;
        var dTaken = Memory.New(_taken.shape);
        Back(dMiddle, TensorNames.Attention(_layer, "o_proj"), _taken, dTaken);
        var dMixed = _read?.Chosen is { } chosen
            ? zeros(batch * asked, dTaken.size(1)).index_add_(0, chosen, dTaken, 1)
            : dTaken;
        var dQueries = Memory.New(_queries.shape);
        var dKeys = zeros(batch, count, Config.KvHeads, Config.HeadDim);
        var dValues = zeros_like(dKeys);
        Looking()
            .Backward(
                Memory.Of(_mixed),
                Memory.Of(_logSums),
                Memory.Of(dMixed),
                Memory.Of(dQueries),
                Memory.Of(dKeys),
                Memory.Of(dValues),
                count
            );
        Turn(dQueries, From, back: true);
        Turn(dKeys, 0, back: true);
        if (Config.QkNorm)
        {
            dQueries = NormBack(_plainQueries, TensorNames.QueryNorm(_layer), _queryFactors, dQueries);
            dKeys = NormBack(_plainKeys, TensorNames.KeyNorm(_layer), _keyFactors, dKeys);
        }

        var dAsking = Memory.New(batch * asked, Config.HiddenSize);
        Back(dQueries, TensorNames.Attention(_layer, "q_proj"), _asking, dAsking);
        var dNormed = Spread(dAsking, batch, count);
        Back(dKeys, TensorNames.Attention(_layer, "k_proj"), _normed, dNormed, add: true);
        Back(dValues, TensorNames.Attention(_layer, "v_proj"), _normed, dNormed, add: true);
        var dh = _read?.Chosen is { } only
            ? zeros(batch * count, Config.HiddenSize).index_add_(0, only, dMiddle, 1)
            : Spread(dMiddle, batch, count);
        NormBack(_h, TensorNames.InputNorm(_layer), _factors, dNormed, dh);
        return dh.view(_h.shape);
    }

    // Rows of the positions that are read, among zeros for those before them.
    private Tensor Spread(Tensor rows, long batch, long count)
    {
        if (From == 0)
            return rows;
        var all = zeros(batch, count, rows.size(-1));
        all.narrow(1, From, count - From).copy_(rows.view(batch, count - From, -1));
        return all.view(batch * count, -1);
    }

    private Attention Looking()
    {
        static Attention.Heads Lie(Tensor t)
        {
            var strides = t.stride();
            return new((nint)Memory.Start(t), (nint)strides[0], (nint)strides[1], (nint)strides[2]);
        }
        (nint, nint, nint)? mask = null;
        if (_mask is { } m)
        {
            var strides = m.stride();
            mask = ((nint)Memory.Start(m), m.size(0) == 1 ? 0 : (nint)strides[0], (nint)strides[2]);
        }
        return new Attention(
            new(_h.size(0), _queries.size(1), _keys.size(2), Config.Heads, Config.KvHeads, Config.HeadDim),
            Memory.Of(_queries),
            Lie(_keys),
            Lie(_values),
            mask,
            _causal,
            _options?.Past?.Segments ?? _options?.Packed?.Segments
        );
    }

    private Tensor Map(Tensor x, string map, long batch, long count, int heads) =>
        Product(x, map).view(batch, count, heads, Config.HeadDim);

    private Tensor Product(Tensor x, string map) =>
        Product(x, TensorNames.Attention(_layer, map), x.numel() / x.size(-1));

    private Tensor Product(Tensor x, string name, long rows)
    {
        using var packed = _model.Packed(name, _options, back: false);
        x = x.view(rows, -1);
        var y = Linear.Of(x, Weight(name), packed);
        if (_options?.Adapter?.AddTo(y, name, x) is { } added)
            _added[name] = added;
        if (Config.HasBias(name))
        {
            var bias = Weight(TensorNames.Bias(name));
            Elementwise.AddToRows(Memory.Of(y), Memory.Of(bias), rows, (int)bias.size(0));
        }
        return y;
    }

    // Sets or adds to the gradient of the map's input, and adds to those of its weight and bias where they move.
    private void Back(Tensor dy, string name, Tensor x, Tensor dx, bool add = false)
    {
        var weight = Weight(name);
        using var packed = _model.Packed(name, _options, back: true);
        Linear.Back(dy, weight, x, dx, add, packed);
        if (_added.TryGetValue(name, out var added))
            _options!.Adapter!.Back(
                added,
                name,
                dy.view(-1, weight.size(0)),
                x.view(-1, weight.size(1)),
                dx.view(-1, weight.size(1))
            );
        if (Config.HasBias(name) && Linear.GradientOf(Weight(TensorNames.Bias(name))) is not 0 and var sums)
            Elementwise.AddRows((float*)sums, Memory.Of(dy), dy.numel() / weight.size(0), (int)weight.size(0));
    }

    private (Tensor Normed, Tensor Factors) Normed(Tensor x, string name) =>
        Norms.Of(x, Weight(name), Config.RmsNormEps);

    private void NormBack(Tensor x, string name, Tensor factors, Tensor dy, Tensor dx) =>
        Norms.Back(x, Weight(name), factors, dy, dx);

    private Tensor NormBack(Tensor x, string name, Tensor factors, Tensor dy)
    {
        var dx = zeros_like(x);
        NormBack(x, name, factors, dy, dx);
        return dx;
    }

    private void Turn(Tensor x, long skipped, bool back)
    {
        long batch = x.size(0),
            positions = x.size(1);
        int heads = (int)x.size(2),
            head = (int)x.size(3);
        // [T, head] for all rows, or [B, 1, T, head]
        var own = _turn.Cos.dim() == 4 ? _turn.Cos.size(2) * head : 0;
        for (long b = 0; b < batch; b++)
        {
            var at = b * own + skipped * head;
            Elementwise.Rotate(
                Memory.Of(x) + b * positions * heads * head,
                Memory.Of(_turn.Cos) + at,
                Memory.Of(_turn.Sin) + at,
                positions,
                heads,
                head,
                back
            );
        }
    }

    // Whether a weight in front of the MLP moves.
    private bool MovesBelow() =>
        Weight(TensorNames.InputNorm(_layer)).requires_grad
        || new[] { "q_proj", "k_proj", "v_proj", "o_proj" }.Any(map => MapMoves(TensorNames.Attention(_layer, map)))
        || (
            Config.QkNorm
            && (
                Weight(TensorNames.QueryNorm(_layer)).requires_grad
                || Weight(TensorNames.KeyNorm(_layer)).requires_grad
            )
        );

    private bool MapMoves(string name) =>
        Weight(name).requires_grad
        || (Config.HasBias(name) && Weight(TensorNames.Bias(name)).requires_grad)
        || _options?.Adapter?.Adapts(name) == true;

    private Tensor Weight(string name) => _model.Of(name, _options);

    // The caller's scopes close before the backward pass.
    private void KeepAll()
    {
        (_h, _normed, _factors, _asking) = (Kept(_h), Kept(_normed), Kept(_factors), Kept(_asking));
        (_queries, _keys, _values) = (Kept(_queries), Kept(_keys), Kept(_values));
        if (Config.QkNorm)
        {
            (_plainQueries, _queryFactors) = (Kept(_plainQueries), Kept(_queryFactors));
            (_plainKeys, _keyFactors) = (Kept(_plainKeys), Kept(_keyFactors));
        }
        (_mixed, _logSums, _taken) = (Kept(_mixed), Kept(_logSums), Kept(_taken));
        (_middle, _middleNormed, _middleFactors) = (Kept(_middle), Kept(_middleNormed), Kept(_middleFactors));
        (_gate, _up, _key) = (Kept(_gate), Kept(_up), Kept(_key));
        _turn = (Kept(_turn.Cos), Kept(_turn.Sin));
        foreach (var (name, added) in _added.ToList())
            _added[name] = added with { Reduced = Kept(added.Reduced) };
        _mask = _mask is null ? null : Kept(_mask);
        if (_read?.Chosen is { } chosen)
            _read = Positions.At(Kept(chosen));
    }

    private Tensor Kept(Tensor t)
    {
        var kept = t.alias().DetachFromDisposeScope();
        _kept.Add(kept);
        return kept;
    }
}
