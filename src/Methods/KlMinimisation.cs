using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Raises the loss on the forget set and keeps the model's predictions on retain rows close to those of a model that
/// does not move.
/// </summary>
/// <remarks>
/// Source: the study's Eq. 6, L_KL = -L(S_F) + K(S_R), after Maini et al. (2024); docs/methods.md, "Gradient
/// methods".
/// K = mean over rows s of the mean over positions i of KL(p_0(. | s_&lt;i) || p(. | s_&lt;i)): the reference comes
/// first and has no gradient.
/// Differs from the source: EOS is predicted and counts, and a row's sum is divided by its positions, not by |s|;
/// <c>kl.positions: equation6</c> is the equation to the letter. The public trainers differ in positions and reference,
/// and both can be chosen.
/// </remarks>
internal sealed class KlMinimisation(KlMinimisation.Options options) : GradientMethod("KL", options)
{
    /// <summary>Weights of the two terms, and what is compared with what.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>gamma, weight of the ascent on the forget rows. Origin: PISTOL's code.</summary>
        public double ForgetWeight { get; init; } = 1;

        /// <summary>The term that holds on to the rest.</summary>
        public KlTerm Kl { get; init; } = new();

        /// <inheritdoc/>
        public override bool ComparesStates => true;
    }

    /// <summary>The term that holds on to the rest.</summary>
    public sealed record KlTerm
    {
        /// <summary>alpha. Origin: the study, PISTOL, TOFU and OpenUnlearning.</summary>
        public double Weight { get; init; } = 1;

        /// <summary>
        /// Where predictions are compared. Origin: the study's text; the public trainers differ.
        /// </summary>
        public KlPositions Positions { get; init; } = KlPositions.AllRealTokens;

        /// <summary>
        /// With which model. Origin: the study's text, TOFU and OpenUnlearning.
        /// </summary>
        public ReferenceSource Reference { get; init; } = ReferenceSource.Start;

        /// <summary>
        /// Tokens of a padded row under <c>paddedCompat</c>; null for the longest row of the batch. Origin:
        /// OpenUnlearning.
        /// </summary>
        public int? PaddedLength { get; init; }
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<KlMinimisation, Options>("kl", "KL", MethodKind.Unlearning, o => new KlMinimisation(o)) with
            {
                Presets =
                [
                    TrainerPresets.Equations,
                    TrainerPresets.PistolCompat(Term(TrainerPresets.PublishedLength, ReferenceSource.Pretrained)),
                    TrainerPresets.Tofu(Term(TrainerPresets.PublishedLength)),
                    TrainerPresets.OpenUnlearning(Term()),
                ],
            };

        // All three compare at every position of the padded tensor.
        private static JsonObject Term(int? paddedLength = null, ReferenceSource reference = ReferenceSource.Start)
        {
            var term = new JsonObject { ["positions"] = "paddedCompat" };
            if (paddedLength is { } length)
                term["paddedLength"] = length;
            if (reference != ReferenceSource.Start)
                term["reference"] = "pretrained";
            return new JsonObject { ["kl"] = term };
        }
    }

    /// <inheritdoc/>
    public override Needs Needs => Needs.ForgetAnswers | Needs.RetainSet | options.Kl.Reference.Needed();

    /// <inheritdoc/>
    protected override ReferenceSource? Reference => options.Kl.Reference;

    /// <inheritdoc/>
    protected override IEnumerable<RowBatch?> Asked(UnlearnBatch batch) => [batch?.Forget];

    /// <inheritdoc/>
    protected override void Prepare(ReferenceModel reference, Meeting meeting)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(meeting);
        reference.PrepareStates(meeting.Retain, Rule(meeting.Retain[0].Ids[^1]));
    }

    /// <inheritdoc/>
    protected override (long AtOnce, long Kept) Compared(MethodInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        var rule = Rule(inputs.Retain[0].Ids[^1]);
        var width = rule.Width(inputs.Retain);
        return (inputs.Retain.Max(r => rule.Count([r], width)) * options.BatchSize, rule.Count(inputs.Retain, width));
    }

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return -options.ForgetWeight * model.ForgetNll(batch)
            + options.Kl.Weight * model.RetainKl(batch, Rule(batch.Retain!.Rows[0].Ids[^1]));
    }

    // Rows end with EOS, which is also what the public trainers pad with.
    private KlRule Rule(int padId) => new(options.Kl.Positions, options.Kl.PaddedLength, padId);
}
