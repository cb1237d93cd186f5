using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Gradient;

/// <summary>
/// What the losses of gradient methods are made of: log-probabilities of a model under training, and of its reference.
/// </summary>
public sealed class TrainedModel : IDisposable
{
    // Logits of one piece of a divergence: 64 MiB in float32.
    private const long PieceElements = 1 << 24;

    private readonly TrainableModel _trainable;
    private readonly ReferenceModel? _reference;
    private readonly LossNormalisation _normalisation;
    private readonly List<double> _forget = [],
        _retain = [];

    private readonly Tensor? _constant;

    private TrainedModel(
        TrainableModel trainable,
        ReferenceModel? reference,
        LossNormalisation normalisation,
        Tensor? constant
    ) => (_trainable, _reference, _normalisation, _constant) = (trainable, reference, normalisation, constant);

    /// <summary>What moves.</summary>
    public FlatParameters Parameters => _trainable.Parameters;

    /// <summary>Where it is.</summary>
    public Device Device => _trainable.Model.Device;

    /// <summary>
    /// Positions whose logits exist at once in a divergence; null for as many as 64 MiB hold. For tests.
    /// </summary>
    public long? PiecePositions { get; set; }

    /// <summary>Positions of a divergence whose logits may exist at once.</summary>
    /// <param name="vocabulary">V.</param>
    public static long PositionsAtOnce(int vocabulary) => Math.Max(1, PieceElements / vocabulary);

    /// <summary>Sets up what <see cref="TrainingOptions.Trainable"/> names.</summary>
    /// <param name="model">Only read.</param>
    /// <param name="options">What moves, how labels are averaged.</param>
    /// <param name="seed">Of an adapter's initial values and dropout.</param>
    /// <param name="reference">Stays owned by the caller; null where the method has none.</param>
    /// <param name="constant">See <see cref="Constant"/>; stays owned by the caller.</param>
    public static TrainedModel Of(
        CausalLm model,
        TrainingOptions options,
        Seed seed,
        ReferenceModel? reference = null,
        Tensor? constant = null
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        return new TrainedModel(
            TrainableModel.Of(model, options.Moving(), seed),
            reference,
            options.Normalisation,
            constant
        );
    }

    /// <summary>What the method found once, before the run.</summary>
    public Tensor Constant =>
        _constant ?? throw new InvalidOperationException("This method was set up without a constant.");

    /// <inheritdoc cref="TrainableModel.TrainingPass"/>
    public IDisposable TrainingPass(string name) => _trainable.TrainingPass(name);

    /// <inheritdoc cref="TrainableModel.AskTogether"/>
    public void AskTogether(IReadOnlyList<RowBatch> batches) => _trainable.AskTogether(batches);

    /// <inheritdoc cref="TrainableModel.Backward"/>
    public void Backward(Tensor loss) => _trainable.Backward(loss);

    /// <inheritdoc cref="TrainableModel.Reset"/>
    public void Reset() => _trainable.Reset();

    /// <summary>The summed negative log-probability of each row [B].</summary>
    public Tensor RowNll(RowBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        return LabelLosses.RowSums(_trainable.Nll(batch), batch).MoveToOuterDisposeScope();
    }

    /// <summary>The same of the forget rows [B]; noted for the curve as their mean per label.</summary>
    public Tensor ForgetRowNll(UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var sums = RowNll(batch.Forget);
        using var scope = NewDisposeScope();
        Noted(sums.sum() / batch.Forget.LabelDivisor, _forget);
        return sums;
    }

    /// <inheritdoc cref="TrainableModel.ResidPost"/>
    public Tensor ResidPost(Tensor ids, int layer, Tensor? positions = null, Tensor? attentionMask = null) =>
        _trainable.ResidPost(ids, layer, positions, attentionMask);

    /// <summary>The same of the model before training, without gradient.</summary>
    public Tensor StartResidPost(Tensor ids, int layer, Tensor? positions = null, Tensor? attentionMask = null)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var (start, options) = (
            _trainable.Start,
            new ForwardOptions
            {
                AttentionMask = attentionMask,
                Positions = positions is null ? null : Positions.At(positions),
            }
        );
        return start.Blocks(start.Embed(ids, options), 0, layer + 1, options).MoveToOuterDisposeScope();
    }

    /// <summary>The same under the reference, without gradient [B].</summary>
    public Tensor ReferenceRowNll(RowBatch batch) => Reference.RowNll(batch);

    /// <summary>
    /// L of the method files: the mean negative log-probability of the labels, averaged as the options say.
    /// </summary>
    public Tensor MeanNll(RowBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        return LabelLosses.Mean(_trainable.Nll(batch), batch, _normalisation).MoveToOuterDisposeScope();
    }

    /// <summary>L of the forget rows, noted for the curve.</summary>
    public Tensor ForgetNll(UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return Noted(MeanNll(batch.Forget), _forget);
    }

    /// <summary>L of the retain rows, noted for the curve.</summary>
    public Tensor RetainNll(UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return Noted(MeanNll(batch.Retain!), _retain);
    }

    /// <summary>
    /// K of the method files: KL(reference || model) on the retain rows, averaged as the rule says; noted for the
    /// curve.
    /// </summary>
    /// <remarks>
    /// Where the logits of all positions would be large, the piece of each few positions is computed twice and never
    /// held with another.
    /// </remarks>
    public Tensor RetainKl(UnlearnBatch batch, KlRule rule)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(rule);
        var rows = batch.Retain!;
        using var laid = ReferencePositions.Of(rows.Rows, rule, rows.RowDivisor, Device);
        var current = _trainable.Hidden(laid.Ids, laid.Positions, laid.AttentionMask);
        var reference = Reference.States(rows.Rows, rule);
        var piece = PiecePositions ?? PositionsAtOnce(_trainable.Model.Config.VocabSize);
        var weights = laid.Weights.alias();
        return Noted(
            current.shape[0] <= piece ? Kl(reference, current, weights) : InPieces(reference, current, weights, piece),
            _retain
        );
    }

    /// <summary>Means of what was noted since the last call [nats]; NaN where nothing was.</summary>
    public (double Forget, double Retain) TakeNoted()
    {
        var means = (Mean(_forget), Mean(_retain));
        _forget.Clear();
        _retain.Clear();
        return means;

        static double Mean(List<double> values) => values.Count > 0 ? values.Average() : double.NaN;
    }

    /// <inheritdoc cref="TrainableModel.ToPatch"/>
    public ModelPatch ToPatch() => _trainable.ToPatch();

    /// <inheritdoc/>
    public void Dispose() => _trainable.Dispose();

    private ReferenceModel Reference =>
        _reference ?? throw new InvalidOperationException("This method was set up without a reference model.");

    private static Tensor Noted(Tensor loss, List<double> where)
    {
        where.Add(loss.detach().cpu().to(ScalarType.Float64).item<double>());
        return loss;
    }

    private Tensor Kl(Tensor reference, Tensor current, Tensor weights)
    {
        using var scope = NewDisposeScope();
        Tensor log;
        using (no_grad())
            log = Reference.LogProbabilities(reference);
        return (LabelLosses.KullbackLeibler(log, _trainable.Logits(current)) * weights).sum().MoveToOuterDisposeScope();
    }

    private Tensor InPieces(Tensor reference, Tensor current, Tensor weights, long piece)
    {
        var count = current.shape[0];
        Tensor Piece(Tensor states, long at)
        {
            var length = Math.Min(piece, count - at);
            return Kl(reference.narrow(0, at, length), states.narrow(0, at, length), weights.narrow(0, at, length));
        }
        using var sum = zeros(1, dtype: ScalarType.Float32, device: Device);
        using (no_grad())
            for (long at = 0; at < count; at += piece)
            {
                using var scope = NewDisposeScope();
                sum.add_(Piece(current, at));
            }
        var value = DeferredBackward.Leaf(sum.sum());
        current = current.alias(); // the caller's own may be gone by then
        _trainable.Deferred.Add(
            () =>
            {
                using var outer = NewDisposeScope();
                if (value.grad is not { } gradient)
                    return;
                var states = DeferredBackward.Leaf(current);
                for (long at = 0; at < count; at += piece)
                {
                    using var scope = NewDisposeScope();
                    var waiting = _trainable.Deferred.Count;
                    Piece(states, at).backward([gradient]);
                    _trainable.Deferred.Run(waiting);
                }
                current.backward([states.grad!]);
            },
            value,
            current,
            reference,
            weights
        );
        return value.alias();
    }
}
