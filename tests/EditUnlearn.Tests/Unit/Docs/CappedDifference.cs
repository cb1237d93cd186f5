using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>Gradient difference that stops raising the loss on the forget set at a bound.</summary>
/// <remarks>
/// L = max(0, c - L(S_F)) + L(S_R). Below c nats a token this is the gradient of GD; above, the forget rows pull no
/// more, so that a model is not pushed on when the answer is gone. Source: docs/tutorials/method-author.md.
/// </remarks>
internal sealed class CappedDifference(CappedDifference.Options options) : GradientMethod("CGD", options)
{
    /// <summary>What can be set, besides what every training has.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>c, in nats a token. Origin: what a guess among 150 words costs.</summary>
        public double Bound { get; init; } = 5;
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>The name in YAML, the label in tables, the kind; its presets.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<CappedDifference, Options>(
                "cgd",
                "CGD",
                MethodKind.Unlearning,
                o => new CappedDifference(o)
            ) with
            {
                Presets = [TrainerPresets.Equations],
                InPaper = false,
            };
    }

    /// <inheritdoc/>
    public override Needs Needs => Needs.ForgetAnswers | Needs.RetainSet;

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return nn.functional.relu(options.Bound - model.ForgetNll(batch)) + model.RetainNll(batch);
    }
}
