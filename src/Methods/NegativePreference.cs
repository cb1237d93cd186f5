using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Negative preference optimisation: makes the true answer less likely than a model that does not move has it, and
/// pushes less the further it has fallen.
/// </summary>
/// <remarks>
/// Source: Zhang, Lin, Bai and Mei (2024), equation 3 (docs/methods.md, "NPO"). With s = log pi(answer |
/// question), a sum over tokens, L = mean -(2 / beta) log sigmoid(-beta (s(a) - s_0(a))) + alpha L(S_R). The first term
/// is the preference loss without a preferred answer. It is above 0 and falls towards 0; with beta towards 0 its
/// gradient is that of ascent on s. Differs from the source: nothing.
/// </remarks>
internal sealed class NegativePreference(NegativePreference.Options options) : GradientMethod("NPO", options)
{
    /// <summary>Sharpness, reference, and the term that holds on to the rest.</summary>
    public sealed record Options : TrainingOptions, ICheckedOptions
    {
        /// <summary>beta, sharpness of the preference [1 / nats]. Origin: the source's experiments.</summary>
        public double Beta { get; init; } = 0.1;

        /// <summary>
        /// alpha, weight of the retain rows' loss; 0 is the bare method. Origin: the source's variant NPO + RT.
        /// </summary>
        public double RetainWeight { get; init; } = 1;

        /// <summary>Which model s_0 is of. Origin: the source, the model that unlearning starts from.</summary>
        public ReferenceSource Reference { get; init; } = ReferenceSource.Start;

        IEnumerable<OptionProblem> ICheckedOptions.Check() =>
            Beta > 0 ? [] : [new OptionProblem("options.beta", "must be above 0", null)];
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<NegativePreference, Options>(
                "npo",
                "NPO",
                MethodKind.Unlearning,
                o => new NegativePreference(o)
            ) with
            {
                Presets = [TrainerPresets.Equations],
                InPaper = false,
            };
    }

    /// <inheritdoc/>
    public override Needs Needs =>
        Needs.ForgetAnswers | (options.RetainWeight != 0 ? Needs.RetainSet : Needs.None) | options.Reference.Needed();

    /// <inheritdoc/>
    protected override ReferenceSource? Reference => options.Reference;

    /// <inheritdoc/>
    protected override void Prepare(ReferenceModel reference, Meeting meeting)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(meeting);
        reference.PrepareSums(meeting.Forget);
    }

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        // Row sums are negative log-probabilities, so this is s_0(a) - s(a) [B].
        var fallen = model.ForgetRowNll(batch) - model.ReferenceRowNll(batch.Forget);
        var loss =
            2 / options.Beta * LabelLosses.NegativeLogSigmoid(options.Beta * fallen).sum() / batch.Forget.RowDivisor;
        return options.RetainWeight == 0 ? loss : loss + options.RetainWeight * model.RetainNll(batch);
    }
}
