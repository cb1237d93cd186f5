using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Gradient;

/// <summary>What all gradient methods share: which weights move, in which order rows meet, optimiser and schedule. A method is a <see cref="Loss"/> and nothing else.</summary>
/// <remarks>Source: unlearning specification, sections 4 to 6.</remarks>
public abstract class GradientMethod(string label, TrainingOptions options) : IMethod
{
    /// <summary>One update, for tests and logs.</summary>
    /// <param name="Step">0-based.</param>
    /// <param name="Loss">Before the update.</param>
    /// <param name="GradientNorm">Before clipping.</param>
    /// <param name="Rate">Step size used.</param>
    public readonly record struct Update(int Step, double Loss, double GradientNorm, double Rate);

    /// <summary>Told after every update.</summary>
    public Action<Update>? Observer { get; init; }

    /// <summary>The rows that meet in every place, instead of drawn ones: to repeat a run whose batches are known.</summary>
    public IReadOnlyList<PairedRow>? Places { get; init; }

    /// <summary>Whether the method reads retain rows.</summary>
    protected virtual bool UsesRetain => false;

    /// <summary>Whether the method reads refusals.</summary>
    protected virtual bool UsesRefusals => false;

    /// <summary>The loss of one forward pass's rows, to be minimised.</summary>
    /// <param name="model">The model under training.</param>
    /// <param name="batch">The rows that meet.</param>
    protected abstract Tensor Loss(TrainedModel model, UnlearnBatch batch);

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        if (inputs.Forget.Count == 0) throw new ArgumentException("There is nothing to forget.", nameof(inputs));
        var perUpdate = options.BatchSize * options.Accumulation;
        var steps = options.Steps ?? LearningRateSchedule.StepsFor(inputs.Forget.Count, options.BatchSize, options.Accumulation, options.Epochs);
        var schedule = new LearningRateSchedule(options.LearningRate, steps, options.WarmupShare > 0 ? Math.Max(1, (int)(steps * options.WarmupShare)) : 0, options.Schedule);
        if (UsesRetain && inputs.Retain.Count == 0) throw new ArgumentException($"{label} needs retain rows.", nameof(inputs));
        if (UsesRefusals && inputs.Refusals.Count != inputs.Forget.Count) throw new ArgumentException($"{label} needs refusals for every forget row.", nameof(inputs));
        var places = Places ?? Pairing.Draw(
            seed, inputs.Forget.Count, UsesRetain ? inputs.Retain.Count : 0, UsesRefusals ? [.. inputs.Refusals.Select(r => r.Count)] : [], steps * perUpdate);

        using var trained = TrainedModel.Of(model, options, seed);
        using var optimiser = new AdamW(trained.Parameters, new AdamW.Options { WeightDecay = options.WeightDecay });
        for (var step = 0; step < steps; step++)
        {
            inputs.Cancelled.ThrowIfCancellationRequested();
            var loss = Accumulate(trained, inputs, [.. places.Skip(step * perUpdate).Take(perUpdate)], step);
            var norm = trained.Parameters.GradientNorm();
            if (!double.IsFinite(loss) || !double.IsFinite(norm))
                throw new MethodFailedException(label, string.Create(CultureInfo.InvariantCulture, $"step {step + 1} of {steps}"), $"the loss is {loss} and its gradient norm {norm}", "a smaller learning rate or fewer epochs");
            if (options.ClipNorm is { } bound) trained.Parameters.ClipGradient(norm, bound);
            var rate = schedule.At(step);
            optimiser.Step(rate);
            Observer?.Invoke(new Update(step, loss, norm, rate));
            inputs.Progress?.Invoke(new MethodProgress(step + 1, steps, string.Create(CultureInfo.InvariantCulture, $"loss {loss:0.000}")));
            if (options.MaxForgetLoss is { } limit && trained.LastForgetLoss > limit) break;
        }
        return trained.ToPatch();
    }

    // The gradients of one update's passes, added up in the parameters; returns the joined loss.
    private double Accumulate(TrainedModel trained, MethodInputs inputs, IReadOnlyList<PairedRow> places, int step)
    {
        trained.Parameters.ZeroGradient();
        var exact = options.AccumulationMode == AccumulationMode.Exact;
        var total = 0.0;
        for (var pass = 0; pass < options.Accumulation; pass++)
        {
            using var scope = NewDisposeScope();
            using var batch = UnlearnBatch.Of(inputs, [.. places.Skip(pass * options.BatchSize).Take(options.BatchSize)], trained.Device, exact ? places : null);
            using var dropout = trained.TrainingPass(string.Create(CultureInfo.InvariantCulture, $"{step}/{pass}"));
            var loss = Loss(trained, batch);
            // A row mean is exact over passes of equal size once it is divided by their number; a token mean carries its divisor itself.
            if (!exact || options.Normalisation == LossNormalisation.SampleMean) loss = loss / options.Accumulation;
            loss.backward();
            total += loss.detach().ToDouble();
        }
        return total;
    }
}
