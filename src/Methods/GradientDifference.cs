using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>Gradient difference: raises the loss on the forget set, holds it down on the retain set.</summary>
/// <remarks>
/// Source: the study's Eq. 5, L_GD = -L(S_F) + L(S_R), after Liu, Liu and Stone (2022). One retain row is drawn for
/// each forget row.
/// Differs from the source: the two weights can be set; both are 1.
/// </remarks>
internal sealed class GradientDifference(GradientDifference.Options options) : GradientMethod("GD", options)
{
    /// <summary>Weights of the two terms.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>gamma, weight of the ascent on the forget rows. Origin: PISTOL's code.</summary>
        public double ForgetWeight { get; init; } = 1;

        /// <summary>alpha, weight of the descent on the retain rows. Origin: PISTOL's code.</summary>
        public double RetainWeight { get; init; } = 1;
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<GradientDifference, Options>(
                "gd",
                "GD",
                MethodKind.Unlearning,
                o => new GradientDifference(o)
            ) with
            {
                Presets =
                [
                    TrainerPresets.Equations,
                    TrainerPresets.PistolCompat(),
                    TrainerPresets.Tofu(),
                    TrainerPresets.OpenUnlearning(),
                ],
            };
    }

    /// <inheritdoc/>
    public override Needs Needs => Needs.ForgetAnswers | Needs.RetainSet;

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return -options.ForgetWeight * model.ForgetNll(batch) + options.RetainWeight * model.RetainNll(batch);
    }
}
