using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>Gradient ascent: raises the loss on the forget set, and does nothing to hold the rest.</summary>
/// <remarks>
/// Source: the study's Eq. 4, L_GA = -L(S_F), after Jang et al. (2023). Unbounded below, so a model collapses when
/// steps grow: that is the method, not a defect. Differs from the source: nothing.
/// </remarks>
internal sealed class GradientAscent(GradientAscent.Options options) : GradientMethod("GA", options)
{
    /// <summary>Nothing beyond what all gradient methods have.</summary>
    public sealed record Options : TrainingOptions;

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<GradientAscent, Options>("ga", "GA", MethodKind.Unlearning, o => new GradientAscent(o)) with
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
    public override Needs Needs => Needs.ForgetAnswers;

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return -model.ForgetNll(batch);
    }
}
