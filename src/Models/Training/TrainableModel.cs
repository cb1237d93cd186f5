using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Patches;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>Which weights a training run moves.</summary>
public enum Trainable
{
    /// <summary>A low-rank adapter on the linear maps of every block.</summary>
    Lora,

    /// <summary>Every weight.</summary>
    Full,

    /// <summary>Every weight of the listed blocks.</summary>
    Layers,

    /// <summary>The memory, <c>down_proj</c>, of each listed block.</summary>
    Memories,
}

/// <summary>
/// A model of which some weights move: a copy of them in one vector, or a low-rank adapter beside them. The model it
/// came from is only read.
/// </summary>
public sealed class TrainableModel : IDisposable
{
    private readonly LoraAdapter? _adapter;
    private readonly bool _recompute;
    private readonly DeferredBackward _deferred = new();
    private readonly Dictionary<RowBatch, Tensor> _asked = [];
    private string? _pass;
    private int _forwards;

    private TrainableModel(
        CausalLm start,
        CausalLm model,
        FlatParameters parameters,
        LoraAdapter? adapter,
        bool recompute
    ) => (Start, Model, Parameters, _adapter, _recompute) = (start, model, parameters, adapter, recompute);

    /// <summary>What moves, and how passes are taken.</summary>
    public sealed record Options
    {
        /// <summary>Which weights.</summary>
        public Trainable Trainable { get; init; } = Trainable.Lora;

        /// <summary>
        /// Blocks that move, or whose memories do, under <see cref="Training.Trainable.Layers"/> and
        /// <see cref="Training.Trainable.Memories"/>, 0-based.
        /// </summary>
        public IReadOnlyList<int> Layers { get; init; } = [];

        /// <summary>The adapter under <see cref="Training.Trainable.Lora"/>.</summary>
        public LoraAdapter.Options Lora { get; init; } = new();

        /// <summary>Also decay norm gains and biases.</summary>
        public bool DecayNormGains { get; init; }

        /// <summary>Recompute each block in the backward pass instead of keeping its activations.</summary>
        public bool GradientCheckpointing { get; init; }

        /// <summary>Whether a weight of that name moves itself, not an adapter beside it.</summary>
        public bool Moves(string name) =>
            Trainable switch
            {
                Trainable.Full => true,
                Trainable.Layers => Layers.Any(l => name.StartsWith($"model.layers.{l}.", StringComparison.Ordinal)),
                Trainable.Memories => Layers.Any(l => name == TensorNames.DownProj(l)),
                _ => false,
            };
    }

    /// <summary>The model before training.</summary>
    public CausalLm Start { get; }

    /// <summary>The model under training, without its adapter.</summary>
    public CausalLm Model { get; }

    /// <summary>What moves.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Sets up what the options name.</summary>
    /// <exception cref="ArgumentException">Nothing would move, or a listed block does not exist.</exception>
    public static TrainableModel Of(CausalLm model, Options options, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Trainable == Trainable.Lora)
        {
            var maps = model
                .Weights.Where(w =>
                    w.Value.dim() == 2
                    && options.Lora.Targets.Any(m => w.Key.EndsWith(m + ".weight", StringComparison.Ordinal))
                )
                .ToList();
            if (maps.Count == 0)
                throw new ArgumentException(
                    $"No linear map of the model is called {string.Join(", ", options.Lora.Targets)}, so nothing would "
                        + "be trained.",
                    nameof(options)
                );
            var adapter = new LoraAdapter(maps, options.Lora, seed);
            return new TrainableModel(model, model, adapter.Parameters, adapter, options.GradientCheckpointing);
        }
        var beyond = options.Trainable is Trainable.Layers or Trainable.Memories
            ? options.Layers.Where(l => l < 0 || l >= model.Config.Layers).ToList()
            : [];
        if (beyond.Count > 0)
            throw new ArgumentException(
                $"The model has blocks 0 to {model.Config.Layers - 1}, but layers names {string.Join(", ", beyond)}.",
                nameof(options)
            );
        var moving = model.Weights.Where(w => options.Moves(w.Key)).ToList();
        if (moving.Count == 0)
            throw new ArgumentException(
                "No block is listed under layers, so nothing would be trained.",
                nameof(options)
            );
        var parameters = FlatParameters.CopyOf(moving, name => options.DecayNormGains || !IsNormOrBias(name));
        var weights = model.Weights.ToDictionary(
            w => w.Key,
            w => parameters.Views.GetValueOrDefault(w.Key) ?? w.Value,
            StringComparer.Ordinal
        );
        return new TrainableModel(model, model.Over(weights), parameters, null, options.GradientCheckpointing);
    }

    /// <summary>Whether the reference trainers leave a weight of that name undecayed.</summary>
    public static bool IsNormOrBias(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.EndsWith("norm.weight", StringComparison.Ordinal)
            || name.EndsWith(".bias", StringComparison.Ordinal);
    }

    /// <summary>Opens a training pass: the adapter's dropout is active until the result is disposed.</summary>
    /// <param name="name">Names the pass within the run; the same name gives the same masks.</param>
    public IDisposable TrainingPass(string name)
    {
        (_pass, _forwards) = (name, 0);
        return new Closing(this);
    }

    /// <summary>
    /// Logits at some positions [P, V], or at all [B, T, V], whose gradients reach the moving weights.
    /// </summary>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="positions">See <see cref="Positions.At"/>; null for all.</param>
    /// <param name="attentionMask">See <see cref="ForwardOptions.AttentionMask"/>.</param>
    public Tensor Logits(Tensor ids, Tensor? positions, Tensor? attentionMask = null)
    {
        var options = Passing(positions, attentionMask);
        if (IsTracked(options))
            return Tracked(() => TrackedPass.LogitsOf(Model, ids, options));
        using var scope = NewDisposeScope();
        return Logits(Hidden(ids, positions, attentionMask)).MoveToOuterDisposeScope();
    }

    /// <summary>Negative log-probabilities of labels [P], in nats, whose gradients reach the moving weights.</summary>
    /// <param name="batch">Rows and labels.</param>
    public Tensor Nll(RowBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (_asked.TryGetValue(batch, out var there))
            return there;
        var options = Passing(batch.LabelPositions, null);
        if (IsTracked(options))
            return Tracked(() => TrackedPass.NllOf(Model, batch.Ids, batch.LabelTargets, options));
        // Backward keeps the log-probabilities; the logits themselves need not outlive this.
        using var scope = NewDisposeScope();
        return LabelLosses.Nll(Logits(batch.Ids, batch.LabelPositions), batch.LabelTargets).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Asks for the labels of several batches in one pass, which reads every weight once; <see cref="Nll"/> then only
    /// looks up, until the next backward pass. Where inputs are dropped nothing is asked: each batch has masks of its
    /// own.
    /// </summary>
    /// <param name="batches">Whose labels will be asked for.</param>
    public void AskTogether(IReadOnlyList<RowBatch> batches)
    {
        ArgumentNullException.ThrowIfNull(batches);
        if (batches.Count < 2 || _adapter is { HasDropout: true } || !IsTracked(Passing(null, null)))
            return;
        using var all = RowBatch.Of([.. batches.SelectMany(b => b.Rows)], Model.Device);
        var nll = Nll(all);
        long first = 0;
        foreach (var batch in batches)
        {
            var count = batch.LabelTargets.shape[0];
            _asked.Add(batch, nll.narrow(0, first, count));
            first += count;
        }
    }

    /// <summary>
    /// The stream after the last norm [B, T, D], or at some positions [P, D], whose gradients reach the moving weights.
    /// </summary>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="positions">See <see cref="Positions.At"/>; null for all.</param>
    /// <param name="attentionMask">See <see cref="ForwardOptions.AttentionMask"/>.</param>
    public Tensor Hidden(Tensor ids, Tensor? positions = null, Tensor? attentionMask = null)
    {
        var options = Passing(positions, attentionMask);
        if (IsTracked(options))
            return Tracked(() => TrackedPass.HiddenOf(Model, ids, options));
        using var scope = NewDisposeScope();
        var stream = ResidPost(ids, Model.Config.Layers - 1, positions, attentionMask);
        if (!is_grad_enabled())
            return Model.FinalNorm(stream, options).MoveToOuterDisposeScope();
        var (pass, from) = (TrackedPass.ToHidden(Model, stream), stream.alias());
        _deferred.Add(
            () =>
            {
                using var inner = NewDisposeScope();
                if (pass.Backward(input: from.requires_grad) is { } gradient)
                    from.backward([gradient]);
            },
            pass,
            from
        );
        return pass.Output.alias().MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The stream as a block leaves it [B, T, D], or at some positions [P, D], whose gradients reach the moving
    /// weights. Blocks above are not run.
    /// </summary>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="layer">The block, 0-based.</param>
    /// <param name="positions">See <see cref="Positions.At"/>; null for all.</param>
    /// <param name="attentionMask">See <see cref="ForwardOptions.AttentionMask"/>.</param>
    public Tensor ResidPost(Tensor ids, int layer, Tensor? positions = null, Tensor? attentionMask = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var options = Passing(positions, attentionMask);
        if (IsTracked(options))
            return Tracked(() => TrackedPass.StreamOf(Model, ids, layer + 1, options));
        var pass = Forward();
        using var dropout = Dropout(pass);
        if (_recompute && is_grad_enabled())
            return Recomputed(ids, options, pass, layer + 1);
        using var scope = NewDisposeScope();
        return Model.Blocks(Model.Embed(ids, options), 0, layer + 1, options).MoveToOuterDisposeScope();
    }

    /// <summary>Logits [.., V] of states after the last norm.</summary>
    /// <param name="hidden">From <see cref="Hidden"/> [.., D].</param>
    public Tensor Logits(Tensor hidden)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        if (!is_grad_enabled() || !Model.TakesKernels(hidden, null))
            return Model.Logits(hidden);
        var (map, from) = (Model.OutputMap, hidden.alias());
        Tensor leaf;
        using (no_grad())
            leaf = DeferredBackward.Leaf(Kernels.Linear.Plain(hidden, map));
        _deferred.Add(
            () =>
            {
                using var scope = NewDisposeScope();
                if (leaf.grad is not { } gradient)
                    return;
                var d = zeros_like(from);
                using (no_grad())
                    Kernels.Linear.Back(gradient.contiguous(), map, from.detach().contiguous(), d);
                if (from.requires_grad)
                    from.backward([d]);
            },
            leaf,
            from
        );
        return leaf.alias();
    }

    /// <summary>Runs a part of a pass later, in the backward pass.</summary>
    public DeferredBackward Deferred => _deferred;

    /// <summary>Back-propagates a loss into the parameters' gradient, recomputed parts included.</summary>
    public void Backward(Tensor loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        loss.backward();
        _deferred.Run();
        _asked.Clear();
    }

    /// <summary>Puts the moving weights back to where they began.</summary>
    public void Reset()
    {
        if (_adapter is { } adapter)
            adapter.Reset();
        else
            Parameters.CopyFrom(Start.Weights);
    }

    /// <summary>
    /// Shows the trained model to somebody who knows no adapters: with its change merged, and taken off again
    /// afterwards.
    /// </summary>
    public T WithMerged<T>(Func<CausalLm, T> look)
    {
        ArgumentNullException.ThrowIfNull(look);
        if (_adapter is null)
            return look(Model);
        using var patch = ToPatch();
        using var applied = patch.ApplyTo(Start);
        return look(Start);
    }

    /// <summary>What has changed: low-rank factors under an adapter, whole tensors otherwise.</summary>
    public ModelPatch ToPatch()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        if (_adapter is { } adapter)
            return new WeightPatch(
                adapter.AdaptedWeights.Select(name =>
                {
                    var (left, right) = adapter.Factors(name);
                    return KeyValuePair.Create<string, WeightChange>(name, new LowRankChange(left, right));
                })
            );
        return new WeightPatch(
            Parameters.Views.Select(v =>
                KeyValuePair.Create<string, WeightChange>(v.Key, new FullChange(v.Value.detach().clone()))
            )
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _deferred.Dispose();
        if (_adapter is { } adapter)
            adapter.Dispose();
        else
            Parameters.Dispose();
    }

    private ForwardOptions Passing(Tensor? positions, Tensor? attentionMask) =>
        new()
        {
            Adapter = _adapter,
            AttentionMask = attentionMask,
            Positions = positions is null ? null : Positions.At(positions),
        };

    private bool IsTracked(ForwardOptions options) =>
        is_grad_enabled() && !_recompute && Model.TakesKernels(null, options);

    // What the pass returned; the pass itself is taken back after the library's part, with what its leaf collected.
    private Tensor Tracked(Func<TrackedPass> run)
    {
        using var dropout = Dropout(Forward());
        var pass = run();
        _deferred.Add(() => pass.Backward(input: false), pass);
        return pass.Output.alias();
    }

    // Runs the blocks without a graph and keeps what each received; the backward pass runs them again, one by one.
    private Tensor Recomputed(Tensor ids, ForwardOptions options, string? pass, int blocks)
    {
        var inputs = new Tensor[blocks];
        Tensor top;
        using (no_grad())
        {
            var h = Model.Embed(ids, options);
            for (var layer = 0; layer < inputs.Length; layer++)
            {
                inputs[layer] = h;
                h = Model.Blocks(h, layer, layer + 1, Within(options, layer, blocks));
            }
            top = h;
        }
        var leaf = DeferredBackward.Leaf(top);
        // The caller's own handles may be gone by the time of the backward pass.
        var (again, mask, only) = (ids.alias(), options.AttentionMask?.alias(), options.Positions?.Chosen?.alias());
        var later = options with { AttentionMask = mask, Positions = only is null ? null : Positions.At(only) };
        Tensor[] kept = [leaf, again, .. new[] { mask, only }.OfType<Tensor>(), .. inputs];
        _deferred.Add(() => BackThroughBlocks(leaf, inputs, again, later, pass), kept);
        return leaf;
    }

    private void BackThroughBlocks(Tensor leaf, Tensor[] inputs, Tensor ids, ForwardOptions options, string? pass)
    {
        using var outer = NewDisposeScope();
        if (leaf.grad is not { } gradient)
            return;
        using var dropout = Dropout(pass);
        for (var layer = inputs.Length - 1; layer >= 0; layer--)
        {
            using var block = NewDisposeScope();
            // Below the lowest block that moves there is nothing to collect.
            var below = LowestMoving() < layer;
            using var again = TrackedPass.ThroughBlocks(
                Model,
                inputs[layer],
                layer,
                layer + 1,
                Within(options, layer, inputs.Length)
            );
            if (again.Backward(gradient, input: below) is not { } found)
                return;
            gradient = found.MoveToOuterDisposeScope();
        }
        var start = Model.Embed(ids, options);
        if (start.requires_grad)
            start.backward([gradient]);
    }

    // Blocks that are run one by one: only the last of all may leave positions out.
    private static ForwardOptions Within(ForwardOptions options, int layer, int blocks) =>
        layer == blocks - 1 ? options : options with { Positions = null };

    // The lowest block with moving weights; -1 where the embedding moves.
    private int LowestMoving()
    {
        if (_adapter is not null)
            return 0;
        if (Parameters.Views.ContainsKey(TensorNames.Embedding))
            return -1;
        for (var layer = 0; layer < Model.Config.Layers; layer++)
            if (Parameters.Views.ContainsKey(TensorNames.DownProj(layer)))
                return layer;
        return Model.Config.Layers;
    }

    // Every forward pass of a training pass has masks of its own, so that forget and retain rows do not lose the same
    // inputs.
    private string? Forward() =>
        _pass is null ? null : string.Create(CultureInfo.InvariantCulture, $"{_pass}/{_forwards++}");

    private IDisposable? Dropout(string? pass) => pass is null ? null : _adapter?.TrainingPass(pass);

    private sealed class Closing(TrainableModel model) : IDisposable
    {
        public void Dispose() => model._pass = null;
    }
}
