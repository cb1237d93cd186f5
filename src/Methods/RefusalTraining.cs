using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Trains refusals on the forget questions and the true answers on retain questions; the forgotten answers themselves
/// are never touched.
/// </summary>
/// <remarks>
/// Source: the study's Eq. 7, L_IDK = L(S_R) + L(S_IDK), after Maini et al. (2024). Differs from the source: nothing;
/// <c>Union</c> is what its code does.
/// </remarks>
internal sealed class RefusalTraining(RefusalTraining.Options options) : GradientMethod("IDK", options)
{
    /// <summary>How the two halves are joined.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>The step size is the study's for its DPO, whose equation this is; appendix B.4.</summary>
        public Options() => LearningRate = 1.5e-5;

        /// <summary>
        /// One mean over the labels of both halves together, as TOFU's code has it, instead of the sum of two means.
        /// Origin: the study's Eq. 7.
        /// </summary>
        public bool Union { get; init; }

        /// <summary>gamma, weight of the refusals in the sum. Origin: TOFU and OpenUnlearning.</summary>
        public double RefusalWeight { get; init; } = 1;

        /// <summary>alpha, weight of the retain rows in the sum. Origin: TOFU and OpenUnlearning.</summary>
        public double RetainWeight { get; init; } = 1;
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<RefusalTraining, Options>(
                "idk",
                "IDK",
                MethodKind.Unlearning,
                o => new RefusalTraining(o)
            ) with
            {
                Presets =
                [
                    TrainerPresets.Equations,
                    TrainerPresets.PistolCompat(),
                    TrainerPresets.Tofu(new JsonObject { ["union"] = true }),
                    TrainerPresets.OpenUnlearning(),
                ],
                InPaper = false,
            };
    }

    /// <inheritdoc/>
    public override Needs Needs => Needs.RetainSet | Needs.Refusals;

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return options.Union
            ? (model.RowNll(batch.Refusals!).sum() + model.RowNll(batch.Retain!).sum())
                / (batch.Refusals!.LabelDivisor + batch.Retain!.LabelDivisor)
            : options.RefusalWeight * model.MeanNll(batch.Refusals!) + options.RetainWeight * model.RetainNll(batch);
    }
}
