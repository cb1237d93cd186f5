using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>Direct preference optimisation: makes a refusal more likely than the true answer, relative to the model before.</summary>
/// <remarks>
/// Source: Rafailov et al. (2023), equation 7; unlearning specification, section 3.6. With s = log pi(answer | question), a sum over tokens,
/// L = mean -log sigmoid(beta ((s(r) - s(a)) - (s_0(r) - s_0(a)))). The study's Eq. 7 under this name is another loss, <see cref="RefusalTraining"/>;
/// its numbers come from the trainer that has this one. Differs from the source: nothing.
/// </remarks>
public sealed class PreferenceOptimisation(PreferenceOptimisation.Options options) : GradientMethod("DPO", options)
{
    /// <summary>Sharpness.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>beta; PISTOL code.</summary>
        public double Beta { get; init; } = 0.1;

        /// <summary>Factor of the whole loss; 2 / beta in OpenUnlearning.</summary>
        public double Scale { get; init; } = 1;
    }

    /// <inheritdoc/>
    protected override bool UsesRefusals => true;

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        // Row sums are negative log-probabilities, so the answer's minus the refusal's is s(r) - s(a).
        var margin = model.RowNll(batch.Forget) - model.RowNll(batch.Refusals!) - (model.StartRowNll(batch.Forget) - model.StartRowNll(batch.Refusals!));
        return options.Scale * LabelLosses.NegativeLogSigmoid(options.Beta * margin).mean();
    }
}
