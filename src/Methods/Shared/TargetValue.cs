using EditUnlearn.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>Where a trained offset is added.</summary>
public enum ValueSite
{
    /// <summary>To the output of the MLP: ROME.</summary>
    MlpOut,

    /// <summary>To the residual stream after the block: MEMIT, AlphaEdit.</summary>
    ResidPost,
}

/// <summary>Constants of the value optimisation; defaults are the reference's for Llama-2-7B.</summary>
public sealed record ValueOptions
{
    /// <summary>N, evaluations of the loss; one fewer update.</summary>
    public int Steps { get; init; } = 25;

    /// <summary>Step size of Adam.</summary>
    public double LearningRate { get; init; } = 0.5;

    /// <summary>omega, weight of |delta| / |v0|^2.</summary>
    public double WeightDecay { get; init; } = 1e-3;

    /// <summary>c: |delta| is kept at or below c |v0|.</summary>
    public double ClampNormFactor { get; init; } = 4;

    /// <summary>kappa, weight of the divergence on the essence row; 0 leaves the row out.</summary>
    public double KlFactor { get; init; } = 0.0625;

    /// <summary>The loss below which the optimisation stops.</summary>
    public double StopLoss { get; init; } = 0.05;
}

/// <summary>Finds the value that makes a model say the target: v0 + delta by gradient descent on delta alone.</summary>
/// <remarks>
/// Source: editing specification, section 1.6, after Meng et al. (2022), equation 4. Every row is a context prefix, the prompt and all target
/// tokens but the last; one more row holds the essence sentence. delta is added at the lookup position of every row. Only the
/// blocks from the edited one up are run in the loop: what lies below does not depend on delta.
/// </remarks>
public static class TargetValue
{
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;

    /// <summary>One evaluation, for tests and logs.</summary>
    /// <param name="Total">nll + kl + decay.</param>
    /// <param name="Nll">Mean over context rows of the mean negative log-probability of the target [nats].</param>
    /// <param name="Kl">Already weighted.</param>
    /// <param name="Decay">Already weighted.</param>
    public readonly record struct Evaluation(double Total, double Nll, double Kl, double Decay);

    /// <summary>The outcome; the caller owns the tensors.</summary>
    /// <param name="Initial">v0 [D].</param>
    /// <param name="Value">v0 + delta [D].</param>
    /// <param name="Evaluations">In order.</param>
    public sealed record Result(Tensor Initial, Tensor Value, IReadOnlyList<Evaluation> Evaluations);

    /// <summary>Optimises the value of one edit.</summary>
    /// <param name="model">Its weights get no gradient.</param>
    /// <param name="request">Prompt, lookup position, target.</param>
    /// <param name="contexts">Prefixes between BOS and the prompt.</param>
    /// <param name="layer">The block.</param>
    /// <param name="site">Where in it.</param>
    /// <param name="options">Constants.</param>
    /// <param name="observe">Told delta before each update, and its gradient.</param>
    /// <exception cref="MethodFailedException">The loss is no longer finite.</exception>
    public static Result Optimise(
        CausalLm model, EditRequest request, IReadOnlyList<IReadOnlyList<int>> contexts, int layer, ValueSite site, ValueOptions options, Action<Tensor, Tensor>? observe = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(contexts);
        ArgumentNullException.ThrowIfNull(options);
        using var scope = NewDisposeScope();
        var rows = ValueRows.Of(request, contexts, options.KlFactor > 0, model.Device);

        Tensor below, v0;
        using (no_grad())
        {
            below = model.Blocks(model.Embed(rows.Ids), 0, layer);                              // [R, T, D]
            var capture = new OffsetTap(layer, site, rows.Lookup, null);
            _ = model.Blocks(below, layer, layer + 1, new ForwardOptions { Tap = capture });
            v0 = capture.Captured!.to(ScalarType.Float32);                                       // [D]
        }
        var v0Norm = v0.norm().ToDouble();
        var maxNorm = options.ClampNormFactor * v0Norm;

        var delta = zeros_like(v0).requires_grad_(true);
        var m = zeros_like(v0);
        var v = zeros_like(v0);
        Tensor? essence0 = null;
        var evaluations = new List<Evaluation>();
        for (var step = 0; ; step++)
        {
            using var inner = NewDisposeScope();
            var hidden = model.Blocks(below, layer, model.Config.Layers, new ForwardOptions { Tap = new OffsetTap(layer, site, rows.Lookup, delta) });
            var flat = hidden.reshape(-1, hidden.shape[^1]);
            Tensor LogProbabilities(Tensor positions) =>
                nn.functional.log_softmax(model.Logits(model.FinalNorm(flat.index_select(0, positions))).to(ScalarType.Float32), -1);

            var target = LogProbabilities(rows.TargetPositions).gather(1, rows.TargetIds.unsqueeze(1));
            var nll = -target.sum() / target.shape[0];                                           // every row has the same n
            var kl = zeros(1).to(model.Device);
            if (rows.EssencePosition is { } place)
            {
                var essence = LogProbabilities(place).squeeze(0);                                 // [V]
                essence0 ??= essence.detach().clone().MoveToOuterDisposeScope();
                kl = options.KlFactor * (essence.exp() * (essence - essence0)).sum();             // new || old
            }
            var decay = options.WeightDecay * delta.norm() / (v0Norm * v0Norm);
            var loss = nll + kl + decay;
            var e = new Evaluation(loss.ToDouble(), nll.ToDouble(), kl.ToDouble(), decay.ToDouble());
            if (!double.IsFinite(e.Total))
                throw new MethodFailedException("value optimisation", $"{request.Id}, layer {layer}, step {step}", $"the loss is {e.Total}", "a smaller value learning rate or clamp, or an undamaged model");
            evaluations.Add(e);
            if (e.Total < options.StopLoss || step == options.Steps - 1) break;

            var gradient = autograd.grad([loss], [delta])[0];
            observe?.Invoke(delta, gradient);
            using var quiet = no_grad();
            Adam(delta, gradient, m, v, step + 1, options.LearningRate);
            var norm = delta.norm().ToDouble();
            if (norm > maxNorm) delta.mul_(maxNorm / norm);
        }
        using (no_grad()) return new Result(v0.MoveToOuterDisposeScope(), (v0 + delta).detach().MoveToOuterDisposeScope(), evaluations);
    }

    private static void Adam(Tensor parameter, Tensor gradient, Tensor m, Tensor v, int t, double rate)
    {
        m.mul_(Beta1).add_(gradient, 1 - Beta1);
        v.mul_(Beta2).addcmul_(gradient, gradient, 1 - Beta2);
        var denominator = v.sqrt().div_(Math.Sqrt(1 - Math.Pow(Beta2, t))).add_(Epsilon);
        parameter.addcdiv_(m, denominator, -rate / (1 - Math.Pow(Beta1, t)));
    }

    // Adds the offset at one position of every row, and remembers what stood there in the first.
    private sealed class OffsetTap(int layer, ValueSite site, Tensor lookup, Tensor? offset) : ForwardTap
    {
        public Tensor? Captured { get; private set; }

        public override Tensor MlpOut(int at, Tensor key, Tensor value) => at == layer && site == ValueSite.MlpOut ? Changed(value) : value;

        public override Tensor ResidPost(int at, Tensor h) => at == layer && site == ValueSite.ResidPost ? Changed(h) : h;

        private Tensor Changed(Tensor h)
        {
            if (offset is null)
            {
                Captured = h[0].index_select(0, lookup.narrow(0, 0, 1)).squeeze(0).MoveToOuterDisposeScope().MoveToOuterDisposeScope();
                return h;
            }
            var here = arange(h.shape[1], device: h.device).unsqueeze(0) == lookup.unsqueeze(1);       // [R, T]
            return h + here.unsqueeze(-1).to(h.dtype) * offset.to(h.dtype);
        }
    }
}
