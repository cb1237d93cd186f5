using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Direct preference optimisation: makes a refusal more likely than the true answer, relative to a model that does not
/// move.
/// </summary>
/// <remarks>
/// Source: Rafailov et al. (2023), equation 7; docs/methods.md, "Gradient methods". With s = log pi(answer |
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
        /// <summary>The step size is the study's for DPO, appendix B.4.</summary>
        public Options() => LearningRate = 1.5e-5;

        /// <summary>beta, sharpness of the preference [1 / nats]. Origin: PISTOL's code, OpenUnlearning.</summary>
        public double Beta { get; init; } = 0.1;

        /// <summary>Factor of the preference loss; 2 / beta in OpenUnlearning. Origin: PISTOL.</summary>
        public double Scale { get; init; } = 1;

        /// <summary>alpha, weight of the retain rows' loss; 0 leaves them out. Origin: PISTOL.</summary>
        public double RetainWeight { get; init; }

        /// <summary>Which model s_0 is of. Origin: OpenUnlearning.</summary>
        public ReferenceSource Reference { get; init; } = ReferenceSource.Start;
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<PreferenceOptimisation, Options>(
                "dpo",
                "DPO",
                MethodKind.Unlearning,
                o => new PreferenceOptimisation(o)
            ) with
            {
                Presets =
                [
                    TrainerPresets.Equations,
                    TrainerPresets.PistolCompat(new JsonObject { ["reference"] = "pretrained" }),
                    TrainerPresets.Tofu(),
                    // The scale is 2 / beta.
                    TrainerPresets.OpenUnlearning(new JsonObject { ["scale"] = 20, ["retainWeight"] = 1 }),
                ],
            };
    }

    /// <inheritdoc/>
    public override Needs Needs =>
        Needs.ForgetAnswers
        | Needs.Refusals
        | (options.RetainWeight != 0 ? Needs.RetainSet : Needs.None)
        | options.Reference.Needed();

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
