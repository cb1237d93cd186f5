using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Simple negative preference optimisation: makes the true answer less likely, token for token, and needs no reference.
/// </summary>
/// <remarks>
/// Source: Fan et al. (2024), equation 4 (docs/methods.md, "SimNPO"). With s = log pi(answer | question), a
/// sum over the |a| labels of a row, L = mean -(2 / beta) log sigmoid(-(beta / |a|) s(a) - gamma) + alpha L(S_R). A row
/// counts the same whatever its length. The first term is above 0 and falls towards 0. Differs from the source:
/// nothing.
/// </remarks>
internal sealed class SimpleNegativePreference(SimpleNegativePreference.Options options)
    : GradientMethod("SimNPO", options)
{
    /// <summary>Sharpness, margin, and the term that holds on to the rest.</summary>
    public sealed record Options : TrainingOptions, ICheckedOptions
    {
        /// <summary>
        /// beta, sharpness of the preference [1 / nats a label]. Origin: the source's experiments on TOFU, where it is
        /// tuned from here up to about twice as much.
        /// </summary>
        public double Beta { get; init; } = 2.5;

        /// <summary>
        /// gamma, margin by which the answer shall be unlikely, beta times nats a label. Origin: the source's
        /// experiments.
        /// </summary>
        public double Gamma { get; init; }

        /// <summary>
        /// alpha, weight of the retain rows' loss; 0 is the bare method. Origin: the source's experiments on TOFU.
        /// </summary>
        public double RetainWeight { get; init; } = 1;

        IEnumerable<OptionProblem> ICheckedOptions.Check() =>
            Beta > 0 ? [] : [new OptionProblem("options.beta", "must be above 0", null)];
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<SimpleNegativePreference, Options>(
                "simnpo",
                "SimNPO",
                MethodKind.Unlearning,
                o => new SimpleNegativePreference(o)
            ) with
            {
                Presets = [TrainerPresets.Equations],
                InPaper = false,
            };
    }

    /// <inheritdoc/>
    public override Needs Needs => Needs.ForgetAnswers | (options.RetainWeight != 0 ? Needs.RetainSet : Needs.None);

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        var sums = model.ForgetRowNll(batch); // -s(a) [B]
        var counts = tensor(
            batch.Forget.LabelCounts.Select(c => (double)c).ToArray(),
            dtype: sums.dtype,
            device: sums.device
        );
        var unlikely = options.Beta * sums / counts - options.Gamma;
        var loss = 2 / options.Beta * LabelLosses.NegativeLogSigmoid(unlikely).sum() / batch.Forget.RowDivisor;
        return options.RetainWeight == 0 ? loss : loss + options.RetainWeight * model.RetainNll(batch);
    }
}
