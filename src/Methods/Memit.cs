using System.Text.Json.Nodes;
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
/// Source: Meng et al. (2023), equation 14 and algorithm 1; docs/methods.md, "MEMIT".
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
        /// <summary>
        /// Edited blocks, 0-based, in ascending order; values are sought at the last. Origin: the reference's files.
        /// </summary>
        public IReadOnlyList<int> Layers { get; init; } = [4, 5, 6, 7, 8];

        /// <summary>Value optimisation, whose options say where they come from.</summary>
        public ValueOptions Value { get; init; } = new();

        /// <summary>
        /// lambda, weight of "keep W k" in ordinary tokens. Origin: <c>mom2_update_weight</c> in the reference's files.
        /// </summary>
        public double Lambda { get; init; } = 15000;

        /// <inheritdoc/>
        public int BatchSize { get; init; } = 1;

        /// <inheritdoc/>
        public bool AppendEos { get; init; }

        /// <summary>
        /// How the ids of a target are found; the reference's way puts a lone space before every target of a
        /// SentencePiece model (defects S1 and S2). Origin: the reference's code.
        /// </summary>
        public TargetIdsMode TargetIds { get; init; } = TargetIdsMode.TextRoundTrip;

        /// <summary>
        /// Whether a question is edited in the model's chat template, as it is asked, or by itself. Origin: ours; the
        /// reference's code edits it by itself.
        /// </summary>
        public PromptFormat Format { get; init; } = PromptFormat.Chat;

        /// <summary>
        /// Text between prompt and target; null for the format's own: nothing after a chat template, one space after a
        /// bare question. Origin: the reference's code.
        /// </summary>
        public string? Join { get; init; }

        /// <summary>Whose last token is the lookup position. Origin: the reference, which is given subjects.</summary>
        public SubjectMode Subject { get; init; } = SubjectMode.Annotated;

        /// <summary>Generated context prefixes besides the empty one. Origin: the reference's code.</summary>
        public int Contexts { get; init; } = 5;

        /// <inheritdoc/>
        public ContextRecipe ContextRecipe => ContextRecipe.Memit;

        IEnumerable<OptionProblem> ICheckedOptions.Check() =>
            EditingOptions.Problems(this, Value, BatchSize, ("lambda", Lambda));
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<Memit, Options>("memit", "MEMIT", MethodKind.Editing, o => new Memit(o)) with
            {
                Presets =
                [
                    new(
                        MethodPreset.Corrected,
                        "target ids as they stand in text, and an end",
                        new JsonObject { ["targetIds"] = "offsets", ["appendEos"] = true }
                    ),
                ],
                // Source: docs/methods.md, "MEMIT". Where the reference has no file, the numbers are ours.
                Families =
                [
                    new("llama2", "reference file for Llama-2-7B", []),
                    new("mistral", "reference file for Mistral-7B", []),
                    new(
                        "llama3",
                        "ours: value optimisation as in the method authors' file for Llama-3; no reference file",
                        new JsonObject { ["value"] = ValuePresets.Llama3 }
                    ),
                    new(
                        "llama31",
                        "ours: as Llama-3-8B; the reference has no file",
                        new JsonObject { ["value"] = ValuePresets.Llama3 }
                    ),
                ],
            };
    }

    /// <inheritdoc/>
    public Needs Needs => Needs.SecondMoments | (options.Contexts > 0 ? Needs.Contexts : Needs.None);

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
    /// <param name="model">Only read.</param>
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
