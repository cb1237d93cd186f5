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

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return -model.ForgetNll(batch);
    }
}
