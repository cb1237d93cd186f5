using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Mass-editing memory: values sought at the last of several layers, written into all of them by least squares that
/// hold on to what ordinary keys map to.
/// </summary>
/// <remarks>
/// Source: Meng et al. (2023), equation 14 and algorithm 1; editing specification, section 3.
/// Symbols: K [F, B] keys of a batch of edits, R [D, B] each layer's share of what the values still lack, C [F, F]
/// second moment of keys.
/// Delta W = R A^T with A = (lambda C + K K^T)^-1 K. Statistics are those of the unedited model; the reference measures
/// them, on a cold cache, after the first edit has begun (defect S15, not reproduced).
/// </remarks>
internal sealed class Memit(Memit.Options options) : IMethod
{
    /// <summary>Switches and constants; defaults are the reference's for Llama-2-7B.</summary>
    public sealed record Options : ISpreadOptions
    {
        /// <summary>Edited blocks, 0-based, in ascending order; values are sought at the last.</summary>
        public IReadOnlyList<int> Layers { get; init; } = [4, 5, 6, 7, 8];

        /// <summary>Value optimisation.</summary>
        public ValueOptions Value { get; init; } = new();

        /// <summary>
        /// lambda, weight of "keep W k" in ordinary tokens; <c>mom2_update_weight</c> in the reference.
        /// </summary>
        public double Lambda { get; init; } = 15000;

        /// <inheritdoc/>
        public int BatchSize { get; init; } = 1;

        /// <inheritdoc/>
        public bool AppendEos { get; init; }

        /// <summary>
        /// How the ids of a target are found; the reference's way puts a lone space before every target of a
        /// SentencePiece model (defects S1 and S2).
        /// </summary>
        public TargetIdsMode TargetIds { get; init; } = TargetIdsMode.TextRoundTrip;

        /// <summary>Whose last token is the lookup position; the reference is given subjects.</summary>
        public SubjectMode Subject { get; init; } = SubjectMode.Annotated;

        /// <summary>Generated context prefixes besides the empty one; 5 in the reference.</summary>
        public int Contexts { get; init; } = 5;

        /// <inheritdoc/>
        public ContextRecipe ContextRecipe => ContextRecipe.Memit;

        IEnumerable<OptionProblem> IEditingOptions.Check() =>
            EditingOptions.Problems(this, Value, BatchSize, ("lambda", Lambda));
    }

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        using var session = new Session(model, inputs, options);
        session.EditAll();
        return session.ToPatch();
    }

    /// <summary>A run of MEMIT edits on one model.</summary>
    /// <param name="model">Is written on until disposal.</param>
    /// <param name="inputs">Contexts and second moments.</param>
    /// <param name="options">Constants.</param>
    public sealed class Session(CausalLm model, MethodInputs inputs, Options options)
        : SpreadSession(model, inputs, options)
    {
        private readonly Dictionary<int, FactoredMoment> _factored = [];

        /// <inheritdoc/>
        protected override Tensor Factor(int layer, Tensor keys)
        {
            ArgumentNullException.ThrowIfNull(keys);
            if (!Inputs.SecondMoments.TryGetValue(layer, out var moment))
                throw new MethodFailedException(
                    "MEMIT",
                    $"layer {layer}",
                    "there is no second moment of this layer",
                    "add the layer to the stage 'moments'"
                );
            // With many edits at once the small system is no longer small.
            if (keys.shape[1] > keys.shape[0] / 2)
                return LeastSquares.Direct(moment, options.Lambda, keys);
            if (!_factored.TryGetValue(layer, out var factored))
            {
                factored = _factored[layer] = new FactoredMoment(moment, options.Lambda);
                if (factored.AddedRidge > 0)
                    Inputs.Warn?.Invoke(
                        string.Create(
                            System.Globalization.CultureInfo.InvariantCulture,
                            $"the second moment of layer {layer} is not positive definite: "
                                + $"{factored.AddedRidge:0.0e0} was added to the diagonal of lambda C; more text "
                                + $"gives more directions"
                        )
                    );
            }
            return factored.Solve(keys);
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            if (disposing)
                foreach (var factored in _factored.Values)
                    factored.Dispose();
            base.Dispose(disposing);
        }
    }
}
