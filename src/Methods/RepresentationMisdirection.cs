using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Representation misdirection: pulls the stream of forget rows towards a random direction, and holds the stream of
/// retain rows where it was.
/// </summary>
/// <remarks>
/// Source: Li et al. (2024, WMDP), section 4 (docs/methods.md, "RMU"). Symbols: h [D] the stream after
/// block l, h_0 that of the model before training, u [D] a direction of length 1, drawn once.
/// L = mean over forget tokens of |h - c u|^2 / D + alpha mean over retain tokens of |h - h_0|^2 / D. Tokens are those
/// of questions and answers, without EOS. Only the memories of blocks l - 2 to l move, and blocks above l are not run.
/// Differs from the source: forget and retain rows meet in pairs, as in the other methods here, and one optimiser and
/// schedule serve all.
/// </remarks>
internal sealed class RepresentationMisdirection(RepresentationMisdirection.Options options)
    : GradientMethod("RMU", options)
{
    /// <summary>Purpose of the draw of u, in the seed and in <see cref="MethodInputs.Draws"/>.</summary>
    public const string Control = "control";

    private const int BlocksBelow = 2,
        RowsAtOnce = 16;

    /// <summary>
    /// Where and how far the stream is pulled. What moves and how labels are averaged is fixed: there are no labels.
    /// </summary>
    public sealed record Options : TrainingOptions, ICheckedOptions
    {
        /// <summary>Step size and number of updates are the source's for a model of 32 blocks.</summary>
        public Options() => (LearningRate, Steps) = (5e-5, 150);

        /// <summary>l, block after which the stream is looked at, 0-based. Origin: the source, of 32 blocks.</summary>
        public int Layer { get; init; } = 7;

        /// <summary>c, how far along u the stream is pulled [<see cref="Unit"/>]. Origin: the source.</summary>
        public double Coefficient { get; init; } = 6.5;

        /// <summary>
        /// What c is counted in; plain lengths only fit models of the source's size. Origin: the source's code.
        /// </summary>
        public StreamUnit Unit { get; init; } = StreamUnit.Length;

        /// <summary>alpha, weight of the retain term. Origin: the source.</summary>
        public double RetainWeight { get; init; } = 1200;

        /// <summary>Over which positions the means are. Origin: the source's equations.</summary>
        public StreamPositions Positions { get; init; } = StreamPositions.RealTokens;

        /// <summary>
        /// Tokens of a padded row under <c>paddedCompat</c>; null for the longest row of the batch. Origin: the
        /// source's code.
        /// </summary>
        public int? PaddedLength { get; init; }

        /// <inheritdoc/>
        public override Trainable Trainable => Trainable.Memories;

        /// <inheritdoc/>
        public override IReadOnlyList<int> Layers =>
            [.. Enumerable.Range(0, Math.Max(0, Layer) + 1).TakeLast(BlocksBelow + 1)];

        /// <inheritdoc/>
        public override LoraAdapter.Options Lora => base.Lora;

        /// <inheritdoc/>
        public override LossNormalisation Normalisation => base.Normalisation;

        /// <inheritdoc/>
        public override double? MaxForgetLoss => null;

        IEnumerable<OptionProblem> ICheckedOptions.Check()
        {
            if (Layer < 0)
                yield return new OptionProblem("options.layer", "must not be below 0", null);
            if (!(Coefficient > 0))
                yield return new OptionProblem("options.coefficient", "must be above 0", null);
        }
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<RepresentationMisdirection, Options>(
                "rmu",
                "RMU",
                MethodKind.Unlearning,
                o => new RepresentationMisdirection(o)
            ) with
            {
                InPaper = false,
            };
    }

    /// <inheritdoc/>
    public override Needs Needs => Needs.ForgetAnswers | Needs.RetainSet;

    /// <inheritdoc/>
    /// <returns>c u [D], float32.</returns>
    protected override Tensor Constant(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var u = Direction(model, inputs, seed);
        var c = options.Coefficient;
        if (options.Unit == StreamUnit.MeanRetainNorm)
            c *= MeanRetainNorm(model, inputs.Retain);
        return (u * c).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override IEnumerable<RowBatch?> Asked(UnlearnBatch batch) => [];

    /// <inheritdoc/>
    protected override Tensor Loss(TrainedModel model, UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return Distance(model, batch.Forget, _ => model.Constant)
            + options.RetainWeight
                * Distance(
                    model,
                    batch.Retain!,
                    laid => model.StartResidPost(laid.Ids, options.Layer, laid.Positions, laid.AttentionMask)
                );
    }

    // Mean over tokens of |h - target|^2 / D, in float32.
    private Tensor Distance(TrainedModel model, RowBatch rows, Func<ReferencePositions, Tensor> target)
    {
        using var laid = ReferencePositions.Of(rows.Rows, Rule(rows.Rows), 1, model.Device);
        using var scope = NewDisposeScope();
        var h = model.ResidPost(laid.Ids, options.Layer, laid.Positions, laid.AttentionMask); // [P, D]
        var away = h.to(ScalarType.Float32) - target(laid).to(ScalarType.Float32);
        var tokens =
            options.Positions == StreamPositions.PaddedCompat
                ? rows.RowDivisor * laid.Ids.shape[1]
                : rows.PositionDivisor;
        return (away.square().sum() / (tokens * h.shape[1])).MoveToOuterDisposeScope();
    }

    // u [D]: uniform in [0, 1), scaled to length 1.
    private static Tensor Direction(CausalLm model, MethodInputs inputs, Seed seed)
    {
        if (inputs.Draws.TryGetValue(Control, out var known))
            return known.to(ScalarType.Float32).to(model.Device);
        var stream = seed.Stream(Control);
        var drawn = tensor(
            Enumerable.Range(0, model.Config.HiddenSize).Select(_ => (float)stream.NextDouble()).ToArray(),
            device: model.Device
        );
        return drawn / drawn.norm();
    }

    // Mean of |h_0| over the tokens of all retain rows.
    private double MeanRetainNorm(CausalLm model, IReadOnlyList<TokenRow> rows)
    {
        var (sum, tokens) = (0.0, 0L);
        foreach (var part in rows.Chunk(RowsAtOnce))
        {
            using var scope = NewDisposeScope();
            using var laid = ReferencePositions.Of(
                part,
                Rule(part) with
                {
                    Positions = KlPositions.AllRealTokens,
                },
                1,
                model.Device
            );
            var only = new ForwardOptions { Positions = Positions.At(laid.Positions) };
            var h = model.Blocks(model.Embed(laid.Ids), 0, options.Layer + 1, only);
            sum += h.to(ScalarType.Float32).norm(-1, keepdim: false).sum().ToDouble();
            tokens += laid.Positions.shape[0];
        }
        return sum / tokens;
    }

    // Which positions of the rows count: as in a divergence, all of the question and answer but EOS, or all of a padded
    // tensor.
    private KlRule Rule(IReadOnlyList<TokenRow> rows) =>
        new(
            options.Positions == StreamPositions.PaddedCompat ? KlPositions.PaddedCompat : KlPositions.AllRealTokens,
            options.PaddedLength,
            rows[0].Ids[^1]
        );
}

/// <summary>Over which positions a mean of streams is.</summary>
internal enum StreamPositions
{
    /// <summary>Tokens of the question and of the answer.</summary>
    RealTokens,

    /// <summary>Every position of the padded tensor, EOS and padding included: what the public code computes.</summary>
    PaddedCompat,
}

/// <summary>What a distance in the stream is counted in.</summary>
internal enum StreamUnit
{
    /// <summary>The stream's own units.</summary>
    Length,

    /// <summary>The mean length of the stream after the block, over the tokens of all retain rows.</summary>
    MeanRetainNorm,
}
