using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// MEMIT's values and spreading, written only in directions that ordinary keys hardly use, and away from the keys of
/// earlier edits.
/// </summary>
/// <remarks>
/// Source: Fang et al. (2025), equations 8 to 12; docs/methods.md, "AlphaEdit".
/// Symbols: K [F, B] keys of a batch, K_prev those of earlier batches, R [D, B] each layer's share of what the values
/// still lack, P [F, F] projector.
/// The reference solves (P (K K^T + M) + L2 I) X = P K R^T with M = K_prev K_prev^T, Delta W = X^T; here the same in
/// its exact small form. Keys of earlier edits are those measured on the fully updated weights (A4). They belong to the
/// session; the reference's never end (A3).
/// </remarks>
internal sealed class AlphaEdit(AlphaEdit.Options options) : IMethod
{
    /// <summary>
    /// Switches and constants; defaults are ours for Llama-2-7B, for which the reference has no file (see
    /// <c>Presets</c>).
    /// </summary>
    public sealed record Options : ISpreadOptions, INullSpaceOptions
    {
        /// <summary>
        /// Edited blocks, 0-based, in ascending order; values are sought at the last. Origin: the reference's files for
        /// Llama-3.
        /// </summary>
        public IReadOnlyList<int> Layers { get; init; } = [4, 5, 6, 7, 8];

        /// <summary>Value optimisation, whose options say where they come from.</summary>
        public ValueOptions Value { get; init; } = new();

        /// <summary>Directions with an eigenvalue of C below are written to. Origin: the reference's files.</summary>
        public double NullSpaceThreshold { get; init; } = 0.02;

        /// <summary>
        /// Unit of that bound; the absolute one only fits models of one scale. Origin: the reference's code.
        /// </summary>
        public EigenvalueUnit NullSpaceUnit { get; init; } = EigenvalueUnit.Absolute;

        /// <summary>lambda_2, weight of |Delta W|^2. Origin: <c>L2</c> in the method authors' file.</summary>
        public double Ridge { get; init; } = 10;

        /// <summary>
        /// Whether later edits keep away from the keys of earlier ones. Origin: the reference's code.
        /// </summary>
        public bool KeyCache { get; init; } = true;

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
            EditingOptions.Problems(
                this,
                Value,
                BatchSize,
                ("nullSpaceThreshold", NullSpaceThreshold),
                ("ridge", Ridge)
            );
    }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<AlphaEdit, Options>("alphaedit", "AlphaEdit", MethodKind.Editing, o => new AlphaEdit(o)) with
            {
                Presets =
                [
                    new(
                        MethodPreset.Corrected,
                        "target ids as they stand in text, and an end",
                        new JsonObject { ["targetIds"] = "offsets", ["appendEos"] = true }
                    ),
                ],
                // Source: docs/methods.md, "AlphaEdit". Where the reference has no file, the numbers are ours.
                Families =
                [
                    new(
                        "llama2",
                        "ours: MEMIT's value optimisation, bound and ridge kept, as the toolkit's maintainers advise; "
                            + "a ridge of 1 is to be reported too",
                        []
                    ),
                    new("mistral", "ours: as Llama-2-7B; the reference cannot run this family (defect A2)", []),
                    new(
                        "llama3",
                        "reference file for Llama-3-8B",
                        new JsonObject { ["ridge"] = 1, ["value"] = ValuePresets.Llama3 }
                    ),
                    new(
                        "llama31",
                        "reference file for Llama-3.1-8B",
                        new JsonObject { ["value"] = ValuePresets.Llama3 }
                    ),
                ],
            };
    }

    /// <inheritdoc/>
    public Needs Needs => Needs.NullSpaces | (options.Contexts > 0 ? Needs.Contexts : Needs.None);

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        using var session = new Session(model, inputs, options);
        session.EditAll();
        return session.ToPatch();
    }

    /// <summary>A run of AlphaEdit edits on one model, with the keys of those already made.</summary>
    /// <param name="model">Only read.</param>
    /// <param name="inputs">Contexts and projectors.</param>
    /// <param name="options">Constants.</param>
    public sealed class Session(CausalLm model, MethodInputs inputs, Options options)
        : SpreadSession(model, inputs, options)
    {
        private readonly Dictionary<int, ProjectedKeys> _keys = options.Layers.ToDictionary(
            l => l,
            _ => new ProjectedKeys(options.Ridge)
        );

        /// <inheritdoc/>
        protected override Tensor Factor(int layer, Tensor keys)
        {
            using var scope = NewDisposeScope();
            return _keys[layer].Factor(SpaceOf(layer).Project(keys)).MoveToOuterDisposeScope();
        }

        /// <inheritdoc/>
        protected override void AfterEdit(LookupStates states, SpreadWatch? watch)
        {
            ArgumentNullException.ThrowIfNull(states);
            if (!options.KeyCache)
                return;
            using var scope = NewDisposeScope();
            foreach (var (layer, all) in states.KeysAt(Layers))
            {
                var keys = states.MeanOfGroups(all);
                watch?.KeysAfter?.Invoke(layer, keys);
                _keys[layer].Add(SpaceOf(layer).Project(keys));
            }
        }

        /// <inheritdoc/>
        protected override IEnumerable<KeyValuePair<string, Tensor>> State() =>
            base.State().Concat(_keys.SelectMany(k => k.Value.State(Part(k.Key))));

        /// <inheritdoc/>
        protected override void Restore(SafetensorsFile state, IReadOnlyList<EditHealth> health)
        {
            base.Restore(state, health);
            foreach (var (layer, keys) in _keys)
                keys.Restore(state, Part(layer), LeastSquares.Home(Unedited(layer).device));
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            if (disposing)
                foreach (var keys in _keys.Values)
                    keys.Dispose();
            base.Dispose(disposing);
        }

        private static string Part(int layer) => string.Create(CultureInfo.InvariantCulture, $"earlier/{layer}");

        private NullSpace SpaceOf(int layer)
        {
            if (!Inputs.NullSpaces.TryGetValue(layer, out var space))
                throw new MethodFailedException(
                    "AlphaEdit",
                    $"layer {layer}",
                    "there is no projector of this layer",
                    "add the layer to the stage 'projector'"
                );
            if (space.Threshold != options.NullSpaceThreshold || space.Unit != options.NullSpaceUnit)
                throw new MethodFailedException(
                    "AlphaEdit",
                    $"layer {layer}",
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"the projector was made with the bound {space.Threshold} ({space.Unit}), not "
                            + $"{options.NullSpaceThreshold} ({options.NullSpaceUnit})"
                    ),
                    "give the stage 'projector' the same threshold and unit"
                );
            return space;
        }
    }
}
