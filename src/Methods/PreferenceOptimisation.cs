using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Direct preference optimisation: makes a refusal more likely than the true answer, relative to a model that does not
/// move.
/// </summary>
/// <remarks>
/// Source: Rafailov et al. (2023), equation 7; unlearning specification, section 3.6. With s = log pi(answer |
/// question), a sum over tokens, L = mean -log sigmoid(beta ((s(r) - s(a)) - (s_0(r) - s_0(a)))). The study's Eq. 7
/// under this name is another loss, <see cref="RefusalTraining"/>;
/// its numbers come from the trainer that has this one. Differs from the source: nothing; OpenUnlearning's factor and
/// retain term can be set.
/// </remarks>
internal sealed class PreferenceOptimisation(PreferenceOptimisation.Options options) : GradientMethod("DPO", options)
{
    /// <summary>Sharpness, reference, and what OpenUnlearning adds.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>The study's step size for DPO, appendix B.4, is its own.</summary>
        public Options() => LearningRate = 1.5e-5;

        /// <summary>beta; PISTOL code, OpenUnlearning.</summary>
        public double Beta { get; init; } = 0.1;

        /// <summary>Factor of the preference loss; PISTOL has 1, OpenUnlearning 2 / beta.</summary>
        public double Scale { get; init; } = 1;

        /// <summary>alpha, weight of the retain rows' loss; PISTOL has none, OpenUnlearning 1.</summary>
        public double RetainWeight { get; init; }

        /// <summary>s_0 is of this model; OpenUnlearning has <c>start</c>, PISTOL <c>pretrained</c>.</summary>
        public ReferenceSource Reference { get; init; } = ReferenceSource.Start;
    }

    /// <inheritdoc/>
    protected override bool UsesRetain => options.RetainWeight != 0;

    /// <inheritdoc/>
    protected override bool UsesRefusals => true;

    /// <inheritdoc/>
    protected override ReferenceSource? Reference => options.Reference;

    /// <inheritdoc/>
    protected override void Prepare(ReferenceModel reference, Meeting meeting)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(meeting);
        reference.PrepareSums([.. meeting.Forget, .. meeting.Refusals]);
    }

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        // Row sums are negative log-probabilities, so the answer's minus the refusal's is s(r) - s(a).
        var margin =
            model.RowNll(batch.Forget)
            - model.RowNll(batch.Refusals!)
            - (model.ReferenceRowNll(batch.Forget) - model.ReferenceRowNll(batch.Refusals!));
        var loss =
            options.Scale * LabelLosses.NegativeLogSigmoid(options.Beta * margin).sum() / batch.Forget.RowDivisor;
        return options.RetainWeight == 0 ? loss : loss + options.RetainWeight * model.RetainNll(batch);
    }
}
