using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Gradient;

/// <summary>A model of which some weights move: a copy of them in one vector, or a low-rank adapter beside them. The model it came from is only read.</summary>
public sealed class TrainedModel : IDisposable
{
    private readonly CausalLm _start, _model;
    private readonly LoraAdapter? _adapter;
    private readonly TrainingOptions _options;

    private TrainedModel(CausalLm start, CausalLm model, FlatParameters parameters, LoraAdapter? adapter, TrainingOptions options)
    {
        _start = start;
        _model = model;
        Parameters = parameters;
        _adapter = adapter;
        _options = options;
    }

    /// <summary>What moves.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Where it is.</summary>
    public Device Device => _model.Device;

    /// <summary>Sets up what <see cref="TrainingOptions.Trainable"/> names.</summary>
    public static TrainedModel Of(CausalLm model, TrainingOptions options, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Trainable == Trainable.Lora)
        {
            var maps = model.Weights.Where(w => w.Value.dim() == 2 && options.Lora.Maps.Any(m => w.Key.EndsWith(m + ".weight", StringComparison.Ordinal)));
            var adapter = new LoraAdapter(maps, options.Lora, seed);
            return new TrainedModel(model, model, adapter.Parameters, adapter, options);
        }
        bool Moves(string name) => options.Trainable == Trainable.Full
            || options.Layers.Any(l => name.StartsWith($"model.layers.{l}.", StringComparison.Ordinal));
        var moving = model.Weights.Where(w => Moves(w.Key)).ToList();
        if (moving.Count == 0) throw new ArgumentException("No block is listed under layers, so nothing would be trained.", nameof(options));
        var parameters = FlatParameters.CopyOf(moving, name => options.DecayNormGains || !(name.EndsWith("norm.weight", StringComparison.Ordinal) || name.EndsWith(".bias", StringComparison.Ordinal)));
        var weights = model.Weights.ToDictionary(w => w.Key, w => parameters.Views.GetValueOrDefault(w.Key) ?? w.Value, StringComparer.Ordinal);
        return new TrainedModel(model, model.Over(weights), parameters, null, options);
    }

    /// <summary>Opens a training pass: the adapter's dropout is active until the result is disposed.</summary>
    /// <param name="name">Names the pass within the run; the same name gives the same masks.</param>
    public IDisposable? TrainingPass(string name) => _adapter?.TrainingPass(name);

    /// <summary>Logits at the predicting position of every label [P, V].</summary>
    public Tensor LabelLogits(RowBatch batch) => LabelLogits(_model, batch, _adapter);

    /// <summary>The summed negative log-probability of each row [B].</summary>
    public Tensor RowNll(RowBatch batch) => RowNll(_model, batch, _adapter);

    /// <summary>The same under the model before training, without gradient [B].</summary>
    public Tensor StartRowNll(RowBatch batch)
    {
        using var quiet = no_grad();
        return RowNll(_start, batch, null);
    }

    private static Tensor RowNll(CausalLm model, RowBatch batch, LoraAdapter? adapter)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return LabelLosses.RowSums(LabelLosses.Nll(LabelLogits(model, batch, adapter), batch.LabelTargets), batch);
    }

    private static Tensor LabelLogits(CausalLm model, RowBatch batch, LoraAdapter? adapter)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var hidden = model.Hidden(batch.Ids, new ForwardOptions { Adapter = adapter });
        return model.Logits(hidden.view(-1, hidden.shape[^1]).index_select(0, batch.LabelPositions));
    }

    /// <summary>L of the method files: the mean negative log-probability of the labels, averaged as the options say.</summary>
    public Tensor MeanNll(RowBatch batch) => LabelLosses.Mean(LabelLosses.Nll(LabelLogits(batch), batch.LabelTargets), batch, _options.Normalisation);

    /// <summary>L of the forget rows, remembered so that a run may stop when it exceeds a bound.</summary>
    public Tensor ForgetNll(UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var nll = MeanNll(batch.Forget);
        LastForgetLoss = nll.detach().cpu().item<float>();
        return nll;
    }

    /// <summary>The latest <see cref="ForgetNll"/> [nats per label]; NaN before the first.</summary>
    public double LastForgetLoss { get; private set; } = double.NaN;

    /// <summary>What has changed: low-rank factors under an adapter, whole tensors otherwise.</summary>
    public ModelPatch ToPatch()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        if (_adapter is { } adapter)
            return new WeightPatch(adapter.AdaptedWeights.Select(name =>
            {
                var (left, right) = adapter.Factors(name);
                return KeyValuePair.Create<string, WeightChange>(name, new LowRankChange(left, right));
            }));
        return new WeightPatch(Parameters.Views.Select(v => KeyValuePair.Create<string, WeightChange>(v.Key, new FullChange(v.Value.detach().clone()))));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_adapter is { } adapter) adapter.Dispose();
        else Parameters.Dispose();
    }
}
