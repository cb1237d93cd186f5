using EditUnlearn.Foundation;
using EditUnlearn.Models.Kernels;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace EditUnlearn.Models;

/// <summary>
/// A Llama-shaped decoder: RMS norms, rotary attention with grouped heads, SwiGLU. Written out over named weights;
/// holds no run state.
/// </summary>
/// <remarks>
/// Source: Touvron et al. (2023), Jiang et al. (2023, Mistral), Grattafiori et al. (2024, Llama 3.1).
/// Shapes: B rows, T tokens, D width, F MLP width, H heads, K key-value heads, V words. Norms and softmax run in
/// float32.
/// Where float32 weights lie on the processor and no gradient is asked for, blocks run in the kernels of
/// <c>Kernels/</c>; what is written here over library calls is the same arithmetic for every other type and device, and
/// for the library's own gradients.
/// </remarks>
public sealed class CausalLm : IDisposable
{
    private readonly IReadOnlyDictionary<string, Tensor> _weights;
    private readonly bool _owns,
        _kernels;
    private readonly Lock _gate = new();
    private HeldWeights? _held;

    private CausalLm(
        ModelConfig config,
        IReadOnlyDictionary<string, Tensor> weights,
        bool owns,
        bool kernels = true,
        ScalarType? type = null
    )
    {
        Config = config;
        _weights = weights;
        (_owns, _kernels) = (owns, kernels);
        var embedding = weights[TensorNames.Embedding];
        Device = embedding.device;
        DType = type ?? embedding.dtype;
    }

    /// <summary>Shape and constants.</summary>
    public ModelConfig Config { get; }

    /// <summary>Where the weights are.</summary>
    public Device Device { get; }

    /// <summary>
    /// Type of the weights and of what flows through the blocks. Of a model made by <see cref="Over"/> single weights
    /// may be wider: their masters, rounded to this type wherever they are used.
    /// </summary>
    public ScalarType DType { get; }

    /// <summary>The weights by checkpoint name; owned by the model unless it was made by <see cref="Over"/>.</summary>
    public IReadOnlyDictionary<string, Tensor> Weights => _weights;

    /// <summary>A model that owns the given weights.</summary>
    /// <exception cref="ArgumentException">A tensor is missing, superfluous or of another shape; all are
    /// listed.</exception>
    public static CausalLm Create(ModelConfig config, IReadOnlyDictionary<string, Tensor> weights)
    {
        CheckShapes(config, weights);
        foreach (var weight in weights.Values)
            weight.DetachFromDisposeScope();
        return new CausalLm(config, weights, owns: true);
    }

    /// <summary>The same shape over other tensors, for example trainable views; owns nothing.</summary>
    /// <param name="views">All weights. Masters in float32 may stand among weights in half precision: a pass then
    /// rounds them as writing them on this model would.</param>
    public CausalLm Over(IReadOnlyDictionary<string, Tensor> views)
    {
        CheckShapes(Config, views);
        return new CausalLm(Config, views, owns: false, _kernels, DType);
    }

    /// <summary>The same weights, used through library calls alone: what the kernels are compared with.</summary>
    internal CausalLm OverLibrary() => new(Config, _weights, owns: false, kernels: false, DType);

    /// <summary>
    /// The type in which a weight is changed: at least float32, because in half precision most of a small update is
    /// lost to rounding (defect S16).
    /// </summary>
    /// <param name="type">Of the weight.</param>
    public static ScalarType MasterType(ScalarType type) =>
        type == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;

    /// <summary>
    /// A model to be trained: normal weights, 0.02 wide, those that write into the residual stream narrowed by sqrt(2
    /// L); gains 1.
    /// </summary>
    /// <remarks>Source: Radford et al. (2019), section 2.3.</remarks>
    public static CausalLm Random(ModelConfig config, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(config);
        var weights = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, shape) in config.Tensors())
        {
            if (shape.Length == 1)
            {
                weights.Add(name, name.EndsWith(".bias", StringComparison.Ordinal) ? zeros(shape) : ones(shape));
                continue;
            }
            var writes =
                name.EndsWith("o_proj.weight", StringComparison.Ordinal)
                || name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            var width = writes ? 0.02 / Math.Sqrt(2.0 * config.Layers) : 0.02;
            var stream = seed.Stream("init/" + name);
            var values = new float[shape[0] * shape[1]];
            for (var i = 0; i < values.Length; i++)
                values[i] = (float)(stream.NextGaussian() * width);
            weights.Add(name, tensor(values, shape));
        }
        return Create(config, weights);
    }

    /// <summary>
    /// Says that no weight changes until the result is disposed of, but those that <see cref="Changed"/> is told of:
    /// what products need of them is then prepared once. Holding what is held already is fine.
    /// </summary>
    public IDisposable Hold()
    {
        lock (_gate)
        {
            _held ??= new HeldWeights();
            _held.Holders++;
        }
        return new Holding(this);
    }

    /// <summary>Says that a weight was written on while the model is held.</summary>
    public void Changed(string name) => _held?.Forget(name);

    /// <summary>
    /// The weight as products of one direction read it, where it is held; null otherwise. The caller disposes of it:
    /// another thread may close what it opened while this one multiplies.
    /// </summary>
    internal PackedMatrix? Packed(string name, ForwardOptions? options, bool back) =>
        _held is { } held && options?.Overrides?.ContainsKey(name) != true ? held.Of(name, _weights[name], back) : null;

    /// <summary>One weight.</summary>
    /// <exception cref="KeyNotFoundException">There is none of that name.</exception>
    public Tensor Weight(string name) => _weights[name];

    /// <summary>The name of a block's <c>down_proj</c>, the memory that editing methods write to.</summary>
    public static string DownProjName(int layer) => TensorNames.DownProj(layer);

    /// <summary>Logits [B, T, V] of the next token at every position.</summary>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="options">Interventions, past, padding.</param>
    public Tensor Forward(Tensor ids, ForwardOptions? options = null)
    {
        using var scope = NewDisposeScope();
        return Logits(Hidden(ids, options), options).MoveToOuterDisposeScope();
    }

    /// <summary>The stream after the last norm [B, T, D]; <see cref="Logits"/> of it are the logits.</summary>
    public Tensor Hidden(Tensor ids, ForwardOptions? options = null)
    {
        using var scope = NewDisposeScope();
        var below = 0;
        if (!is_grad_enabled() && PackedRows.Of(this, ids, options) is { } packed)
            (ids, options) = (packed.Rows.Ids, packed.Options);
        else if (!is_grad_enabled() && options is { Tap.First: > 0 and var first, Past: null })
            below = first;
        var h = below > 0 ? Before(below, ids, options) : Embed(ids, options);
        return FinalNorm(Blocks(h, below, Config.Layers, options), options).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The stream before a block [B, T, D] where nobody intervenes below it. Of positions behind the last of a row that
    /// is read it says nothing.
    /// </summary>
    /// <param name="block">0-based.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="options">Of the whole pass, positions that are read among them; its tap is not asked.</param>
    internal Tensor Before(int block, Tensor ids, ForwardOptions? options)
    {
        using var scope = NewDisposeScope();
        var plain = (options ?? new ForwardOptions()) with { Tap = null };
        var stream = PackedRows.Of(this, ids, plain) is { } packed
            ? packed.Rows.Unpacked(
                Blocks(Embed(packed.Rows.Ids, plain), 0, block, packed.Options with { Positions = null })
            )
            : Blocks(Embed(ids, plain), 0, block, plain with { Positions = null });
        return stream.MoveToOuterDisposeScope();
    }

    /// <summary>The same at some positions [P, D]; less work than all of them.</summary>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="positions">See <see cref="Positions.At"/> [P].</param>
    /// <param name="options">Interventions, past, padding.</param>
    public Tensor Hidden(Tensor ids, Tensor positions, ForwardOptions? options = null) =>
        Hidden(ids, (options ?? new ForwardOptions()) with { Positions = Positions.At(positions) });

    /// <summary>Token embeddings [B, T, D].</summary>
    public Tensor Embed(Tensor ids, ForwardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        using var scope = NewDisposeScope();
        var table = Of(TensorNames.Embedding, options);
        return table
            .index_select(0, ids.reshape(-1))
            .view(ids.shape[0], ids.shape[1], Config.HiddenSize)
            .to(DType)
            .MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Runs the stream through blocks <paramref name="first"/> .. <paramref name="end"/> - 1: an edit needs only those
    /// above it.
    /// </summary>
    /// <param name="h">The stream before block <paramref name="first"/> [B, T, D].</param>
    /// <param name="first">0-based.</param>
    /// <param name="end">One past the last block.</param>
    /// <param name="options">Interventions, past, padding.</param>
    public Tensor Blocks(Tensor h, int first, int end, ForwardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(h);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(end, Config.Layers);
        return TakesKernels(h, options) && !WantsGraph(h, first, end, options)
            ? RunBlocks(h, first, end, options, InKernels)
            : RunBlocks(h, first, end, options, Block);

        Tensor InKernels(int layer, Tensor x, Seen seen)
        {
            using var pass = new BlockPass(this, layer, options);
            return pass.Forward(x, seen, keep: false);
        }
        Tensor Block(int layer, Tensor x, Seen seen) => this.Block(x, layer, seen, options);
    }

    /// <summary>What a block's positions look at, and which of them are read.</summary>
    /// <param name="Turn">Angles of the positions, cosines and signed sines: [T, head] or [B, 1, T, head].</param>
    /// <param name="Mask">Added to scores [B or 1, 1, Q, S], or null.</param>
    /// <param name="Causal">Whether each position looks at itself and those before it.</param>
    /// <param name="Read">The positions that are read, null for all.</param>
    internal sealed record Seen((Tensor Cos, Tensor Sin) Turn, Tensor? Mask, bool Causal, Positions? Read);

    /// <summary>Runs blocks one after the other, each told what it looks at.</summary>
    internal Tensor RunBlocks(
        Tensor h,
        int first,
        int end,
        ForwardOptions? options,
        Func<int, Tensor, Seen, Tensor> run
    )
    {
        var positions = options?.Positions;
        if (first >= end)
            return positions?.Of(h) ?? h.alias();
        using var scope = NewDisposeScope();
        var past = options?.Past ?? Past.None;
        var turn = Angles(past, h, options);
        var (lowest, highest) = (Config.WindowOf(first), Config.WindowOf(end - 1));
        var low = Look(lowest);
        var high = highest == lowest ? low : Look(highest);
        for (var layer = first; layer < end; layer++)
        {
            using var block = NewDisposeScope();
            var seen = Config.WindowOf(layer) == lowest ? low : high;
            var read =
                layer < end - 1 || (positions?.Chosen is not null && options?.Tap is not null) ? null : positions;
            if (read is not null)
                seen = seen with { Read = read };
            if (read?.First > 0)
                seen = seen with { Mask = past.Mask(highest, h, read.First, options?.AttentionMask), Causal = false };
            h = run(layer, h, seen).MoveToOuterDisposeScope();
        }
        // A tap sees all positions of the last block, so they are chosen behind it.
        return (
            positions?.Chosen is not null && options?.Tap is not null ? positions.Of(h) : h
        ).MoveToOuterDisposeScope();

        // Without padding and window a causal flag does what the mask would, and the kernel skips the upper half.
        Seen Look(int? window)
        {
            var mask = options?.Packed is null ? past.Mask(window, h, 0, options?.AttentionMask) : null;
            return new Seen(turn, mask, mask is null && h.shape[1] > 1, null);
        }
    }

    private (Tensor Cos, Tensor Sin) Angles(Past past, Tensor h, ForwardOptions? options) =>
        options?.Packed is { } packed ? packed.Angles(past.Angles(Config, h)) : past.Angles(Config, h);

    /// <summary>Whether the kernels can run this model on such a stream.</summary>
    internal bool TakesKernels(Tensor? h, ForwardOptions? options) =>
        _kernels
        && DType == ScalarType.Float32
        && Device.type == TorchSharp.DeviceType.CPU
        && (h is null || h.dtype == ScalarType.Float32)
        && Config.HeadDim % 2 == 0;

    // Whether the library has to follow, because somebody may ask for gradients through blocks. What a tap puts into
    // the stream may want one too.
    private bool WantsGraph(Tensor h, int first, int end, ForwardOptions? options)
    {
        if (!is_grad_enabled())
            return false;
        if (h.requires_grad || options?.Tap is not null)
            return true;
        for (var layer = first; layer < end; layer++)
            if (new BlockPass(this, layer, options).Moves)
                return true;
        return false;
    }

    /// <summary>The last norm [.., D].</summary>
    public Tensor FinalNorm(Tensor h, ForwardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(h);
        var gain = Of(TensorNames.FinalNorm, options);
        if (!TakesKernels(h, options) || (is_grad_enabled() && (h.requires_grad || gain.requires_grad)))
            return RmsNorm(h, gain);
        using var scope = NewDisposeScope();
        return Norms.Of(h.contiguous(), gain, Config.RmsNormEps).Normed.MoveToOuterDisposeScope();
    }

    /// <summary>Logits [.., V] of normed states [.., D].</summary>
    public Tensor Logits(Tensor hidden, ForwardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        var map = Of(OutputMapName, options);
        if (!TakesKernels(hidden, options) || (is_grad_enabled() && (hidden.requires_grad || map.requires_grad)))
            return F.linear(hidden, Rounded(map, hidden));
        using var scope = NewDisposeScope();
        var rows = hidden.contiguous().view(-1, Config.HiddenSize);
        using var packed = Packed(OutputMapName, options, back: false);
        return Kernels
            .Linear.Of(rows, map, packed)
            .view([.. hidden.shape[..^1], map.shape[0]])
            .MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_owns)
            return;
        foreach (var weight in _weights.Values)
            weight.Dispose();
    }

    // Positions that nobody reads are looked at, but not computed and returned.
    private Tensor Block(Tensor h, int layer, Seen seen, ForwardOptions? options)
    {
        var (tap, read) = (options?.Tap, seen.Read);
        if (tap is not null)
            h = tap.ResidPre(layer, h);
        var normed = RmsNorm(h, Of(TensorNames.InputNorm(layer), options));
        var mixed = Attention(normed, layer, seen, options);
        h = (read?.Of(h) ?? h) + mixed;

        var x = RmsNorm(h, Of(TensorNames.PostAttentionNorm(layer), options));
        var key =
            F.silu(Linear(TensorNames.Mlp(layer, "gate_proj"), x, options))
            * Linear(TensorNames.Mlp(layer, "up_proj"), x, options); // [B, T, F]
        var value = Linear(TensorNames.DownProj(layer), key, options); // [B, T, D]
        if (tap is not null)
            value = tap.MlpOut(layer, key, value);
        h = h + value;
        return tap is not null ? tap.ResidPost(layer, h) : h;
    }

    private Tensor Attention(Tensor x, int layer, Seen seen, ForwardOptions? options)
    {
        var (turn, read) = (seen.Turn, seen.Read);
        var from = read?.First ?? 0;
        long batch = x.shape[0],
            count = x.shape[1] - from,
            head = Config.HeadDim;
        Tensor Heads(string map, long heads, Tensor of, string? norm = null)
        {
            var y = Linear(TensorNames.Attention(layer, map), of, options).view(batch, of.shape[1], heads, head);
            return (Config.QkNorm && norm is not null ? RmsNorm(y, Of(norm, options)) : y).transpose(1, 2);
        }
        Tensor Later(Tensor t, int dimension) => from == 0 ? t : t.narrow(dimension, from, count);

        // Angles are float32 whatever the weights are, as in the reference.
        var asking = Heads("q_proj", Config.Heads, Later(x, 1), TensorNames.QueryNorm(layer));
        var q = Rope.Rotate(asking, Later(turn.Cos, -2), Later(turn.Sin, -2)).to(x.dtype); // [B, H, T, head]
        var k = Rope.Rotate(Heads("k_proj", Config.KvHeads, x, TensorNames.KeyNorm(layer)), turn.Cos, turn.Sin)
            .to(x.dtype); // [B, K, T, head]
        var v = Heads("v_proj", Config.KvHeads, x);
        (k, v) = (options?.Past ?? Past.None).Join(layer, k, v);
        if (Config.KvHeads != Config.Heads)
        {
            k = Repeated(k);
            v = Repeated(v);
        }
        var mixed = F.scaled_dot_product_attention(q, k, v, attn_mask: seen.Mask, is_casual: seen.Causal);
        mixed = mixed.transpose(1, 2).reshape(batch, count, Config.Heads * head);
        return Linear(
            TensorNames.Attention(layer, "o_proj"),
            read?.Chosen is null ? mixed : read.Of(mixed),
            options
        );
    }

    // Each key-value head serves Heads / KvHeads neighbouring query heads.
    private Tensor Repeated(Tensor t)
    {
        long group = Config.Heads / Config.KvHeads;
        return t.unsqueeze(2)
            .expand(t.shape[0], t.shape[1], group, t.shape[2], t.shape[3])
            .reshape(t.shape[0], Config.Heads, t.shape[2], t.shape[3]);
    }

    // In the type of the stream: the library sums bfloat16 products in float32 and rounds each result once (relative
    // 2.4e-3 against float32). Widening the weights tile by tile for the product rounds the same and was 5 to 60 times
    // slower on an AVX-512 machine, so it is not done. Gradients flow to x alone.
    private Tensor Linear(string name, Tensor x, ForwardOptions? options)
    {
        var y = F.linear(
            x,
            Rounded(Of(name, options), x),
            Config.HasBias(name) ? Rounded(Of(TensorNames.Bias(name), options), x) : null
        );
        if (options?.Adapter?.Addition(name, x) is not { } addition)
            return y;
        // Nobody needs the two parts again, and seven maps of them would lie about until the block ends.
        var sum = y + addition;
        y.Dispose();
        addition.Dispose();
        return sum;
    }

    private Tensor RmsNorm(Tensor x, Tensor gain)
    {
        using var scope = NewDisposeScope();
        var wide = x.to(ScalarType.Float32);
        var normed = wide * rsqrt((wide * wide).mean([-1L], keepdim: true) + Config.RmsNormEps);
        return (normed.to(x.dtype) * Rounded(gain, x)).MoveToOuterDisposeScope();
    }

    // A master is rounded once, on use, to what it will be when it is written.
    private static Tensor Rounded(Tensor weight, Tensor x) => weight.dtype == x.dtype ? weight : weight.to(x.dtype);

    /// <summary>The output map [V, D].</summary>
    internal Tensor OutputMap => _weights[OutputMapName];

    /// <summary>Name of the output map.</summary>
    internal string OutputMapName => Config.TieWordEmbeddings ? TensorNames.Embedding : TensorNames.LmHead;

    /// <summary>A weight, or what stands in for it.</summary>
    internal Tensor Of(string name, ForwardOptions? options) =>
        options?.Overrides is { } overrides && overrides.TryGetValue(name, out var other) ? other : _weights[name];

    private sealed class Holding(CausalLm model) : IDisposable
    {
        private bool _closed;

        public void Dispose()
        {
            lock (model._gate)
            {
                if (_closed)
                    return;
                _closed = true;
                if (--model._held!.Holders > 0)
                    return;
                model._held.Dispose();
                model._held = null;
            }
        }
    }

    private static void CheckShapes(ModelConfig config, IReadOnlyDictionary<string, Tensor> weights)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        var problems = new List<string>();
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, shape) in config.Tensors())
        {
            expected.Add(name);
            if (!weights.TryGetValue(name, out var weight))
                problems.Add($"{name} is missing");
            else if (!weight.shape.SequenceEqual(shape))
                problems.Add($"{name} is [{string.Join(", ", weight.shape)}], not [{string.Join(", ", shape)}]");
        }
        problems.AddRange(
            weights.Keys.Where(name => !expected.Contains(name)).Select(name => $"{name} is not part of this model")
        );
        if (problems.Count > 0)
            throw new ArgumentException(string.Join('\n', problems), nameof(weights));
    }
}
