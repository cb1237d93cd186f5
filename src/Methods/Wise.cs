using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Methods.SideMemories;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// WISE: edits go into a masked copy of one memory, which answers where its output differs enough from the main
/// memory's.
/// </summary>
/// <remarks>
/// Source: Wang et al. (2024), equations 2 to 5; docs/methods.md, "WISE".
/// Symbols: W [D, F] main memory, W' side memory, B [D, F] mask of zeros and ones, x [F] input, o = W x, o' = W' x;
/// Delta(row) mean of |SiLU(o) - SiLU(o')| over a row's positions.
/// Training: L = L_ft + L_act, W' -= eta (B * grad L + decay W'), kept within a box around W. Every save-frequency
/// edits W' is stored and a new one begun; every merge-frequency edits stored memories are merged.
/// Presets differ in <see cref="Options.MaskDecay"/>, <see cref="Options.Window"/>, <see cref="Options.Pooling"/>,
/// <see cref="Options.Scope"/>, <see cref="Options.MaxBeyond"/>, <see cref="Options.MergeRemainder"/> and
/// <see cref="Options.AppendEos"/>.
/// </remarks>
internal sealed class Wise(Wise.Options options) : IMethod
{
    private const string Label = "WISE";

    /// <summary>Switches and constants; defaults are the reference's for Llama-2-7B.</summary>
    public sealed record Options : IEditingOptions
    {
        /// <summary>The block, 0-based. Origin: reference file, for models of 32 blocks.</summary>
        public int Layer { get; init; } = 27;

        /// <summary>eta, step size of plain gradient descent. Origin: reference file.</summary>
        public double LearningRate { get; init; } = 1.0;

        /// <summary>Most steps for an edit. Origin: reference file.</summary>
        public int Steps { get; init; } = 70;

        /// <summary>alpha, the most that other texts may change [<see cref="Unit"/>]. Origin: reference file.</summary>
        public double Alpha { get; init; } = 5;

        /// <summary>beta, the least that an edit changes [<see cref="Unit"/>]. Origin: reference file.</summary>
        public double Beta { get; init; } = 20;

        /// <summary>gamma, the least gap between both [<see cref="Unit"/>]. Origin: reference file.</summary>
        public double Gamma { get; init; } = 10;

        /// <summary>
        /// What the margins are counted in; plain distances only fit models of the reference's size. Origin: the
        /// reference's code.
        /// </summary>
        public MarginUnit Unit { get; init; } = MarginUnit.Distance;

        /// <summary>
        /// Share of <see cref="SideMemory.LeastDistance"/> at which the side memory answers. Origin: reference file.
        /// </summary>
        public double ActRatio { get; init; } = 0.88;

        /// <summary>Share of entries that may move. Origin: reference file.</summary>
        public double MaskRatio { get; init; } = 0.2;

        /// <summary>
        /// Most an entry may differ from the main memory's [units of weights]. Origin: reference file.
        /// </summary>
        public double NormConstraint { get; init; } = 1.0;

        /// <summary>Weight decay of a step [1 / step size]. Origin: fixed in the reference's code.</summary>
        public double WeightDecay { get; init; } = 1e-5;

        /// <summary>
        /// Whether the mask holds the decay too; without it the whole side memory shrinks (defect W1). Origin:
        /// the reference's code.
        /// </summary>
        public bool MaskDecay { get; init; }

        /// <summary>What is trained on (defect W2). Origin: the reference's code.</summary>
        public LabelWindow Window { get; init; } = LabelWindow.FromLongestPrompt;

        /// <summary>
        /// What distances are means of in training (defect W3); routing uses the prompt whenever rows decide for
        /// themselves. Origin: the reference's code.
        /// </summary>
        public DistancePooling Pooling { get; init; } = DistancePooling.AllPositions;

        /// <summary>Who decides which memory answers (defect W4). Origin: the reference's code.</summary>
        public RouteScope Scope { get; init; } = RouteScope.PerForwardBatch;

        /// <summary>
        /// Positions beyond which the greatest distance stands for the mean; null never (defect W4). Origin: the
        /// reference's code.
        /// </summary>
        public int? MaxBeyond { get; init; } = 100;

        /// <summary>
        /// Rows that decide together where a batch decides. Origin: the batch in which the reference evaluates.
        /// </summary>
        public int RouteBatch { get; init; } = 16;

        /// <summary>Edits after which W' is stored. Origin: reference file.</summary>
        public int SaveFrequency { get; init; } = 500;

        /// <summary>Edits after which stored memories are merged. Origin: reference file.</summary>
        public int MergeFrequency { get; init; } = 1000;

        /// <summary>How they are merged. Origin: reference file.</summary>
        public MergeOperator Merge { get; init; } = MergeOperator.Ties;

        /// <summary>Share of changes that survives merging. Origin: reference file.</summary>
        public double Density { get; init; } = 0.53;

        /// <summary>Sum of the weights of merged memories. Origin: reference file.</summary>
        public double MergeWeight { get; init; } = 1.0;

        /// <summary>
        /// Whether memories are chosen at use; otherwise they are merged into the main memory. Origin:
        /// reference file.
        /// </summary>
        public bool Retrieve { get; init; } = true;

        /// <summary>
        /// Without retrieval: whether edits that were not stored yet are merged too; in the reference they have no
        /// effect. Origin: the reference's code.
        /// </summary>
        public bool MergeRemainder { get; init; }

        /// <summary>
        /// Whether the target ends with EOS; without it the model has no reason to stop (defect S10). Origin: the
        /// reference's code.
        /// </summary>
        public bool AppendEos { get; init; }

        /// <summary>
        /// Whether a question is edited in the model's chat template, as it is asked, or by itself; texts that must not
        /// change are put the same way. Origin: ours; the reference's files edit it by itself, but for Llama-3.
        /// </summary>
        public PromptFormat Format { get; init; } = PromptFormat.Chat;

        /// <summary>
        /// Text between prompt and target; null for the format's own: nothing after a chat template, one space after a
        /// bare question. Origin: the reference's code.
        /// </summary>
        public string? Join { get; init; }

        /// <summary>Generated context prefixes besides the empty one. Origin: the reference's code.</summary>
        public int Contexts { get; init; } = 10;

        /// <summary>
        /// Where the texts come from that must not change; the study's editing methods see no retain data. Origin:
        /// ours, for the reference's replayed corpus.
        /// </summary>
        public LocalitySource Locality { get; init; } = LocalitySource.Generic;

        /// <inheritdoc/>
        public IReadOnlyList<int> Layers => [Layer];

        /// <inheritdoc/>
        public ContextRecipe ContextRecipe => ContextRecipe.Wise;
    }

    /// <summary>One edit, for tests and logs. Tensors are valid during the call.</summary>
    /// <param name="Index">0-based.</param>
    /// <param name="Id">Of the edit.</param>
    /// <param name="Losses">L_ft and L_act of every evaluation.</param>
    /// <param name="Distance">Mean distance of the edit's rows at the last evaluation.</param>
    /// <param name="State">Memories after it.</param>
    /// <param name="ProbabilityBefore">Geometric mean probability of a target token under the main memory.</param>
    /// <param name="ProbabilityAfter">And under the side memory.</param>
    public sealed record Edited(
        int Index,
        string Id,
        IReadOnlyList<(double Target, double Routing)> Losses,
        double Distance,
        MemoryStore State,
        double ProbabilityBefore,
        double ProbabilityAfter
    );

    /// <summary>Told of every edit.</summary>
    public Action<Edited>? Observer { get; init; }

    /// <summary>Told edit and step, W' before the step and the masked gradient.</summary>
    public Action<int, int, Tensor, Tensor>? StepObserver { get; init; }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<Wise, Options>("wise", "WISE", MethodKind.Editing, o => new Wise(o)) with
            {
                Presets =
                [
                    new(
                        MethodPreset.Corrected,
                        "without defects W1 to W4, late edits are merged too, and the target has an end",
                        new JsonObject
                        {
                            ["maskDecay"] = true,
                            ["window"] = "exact",
                            ["pooling"] = "promptTokens",
                            ["scope"] = "stickyPerRow",
                            ["maxBeyond"] = null,
                            ["mergeRemainder"] = true,
                            ["appendEos"] = true,
                        }
                    ),
                ],
                // Source: docs/methods.md, "WISE". Where the reference has no file, the numbers are ours.
                Families =
                [
                    new("llama2", "reference file for Llama-2-7B", []),
                    new("mistral", "reference file for Mistral-7B", []),
                    new(
                        "llama3",
                        "reference file for Llama-3-8B",
                        Llama3(new JsonObject { ["alpha"] = 2, ["actRatio"] = 0.5 })
                    ),
                    new("llama31", "reference file for Llama-3.1-8B", Llama3(new JsonObject { ["beta"] = 10 })),
                ],
            };

        // What both of the reference's files for Llama 3 say.
        private static JsonObject Llama3(JsonObject own) =>
            OptionStack.Overlay(
                new JsonObject
                {
                    ["layer"] = 29,
                    ["learningRate"] = 0.9,
                    ["steps"] = 30,
                },
                own
            );
    }

    /// <inheritdoc/>
    public Needs Needs =>
        (options.Locality == LocalitySource.Retain ? Needs.RetainSet : Needs.Locality)
        | (options.Contexts > 0 ? Needs.Contexts : Needs.None);

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        AdapterChecks.Check(model, inputs, options.Layer);
        // A side memory is a weight alone.
        if (model.Config.MlpBias)
            throw new InputException("config.json", "mlp_bias is true; WISE needs an MLP without biases");
        var locality =
            options.Locality == LocalitySource.Retain ? [.. inputs.Retain.Select(r => r.Ids)] : inputs.Locality;
        if (locality.Count == 0 || locality.Any(l => l.Count == 0))
            throw new ArgumentException("WISE needs texts that must not change.", nameof(inputs));
        inputs = inputs with { Locality = locality };
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var held = model.Hold();
        using var store = new MemoryStore(model.Weight(CausalLm.DownProjName(options.Layer)), options);
        var margins = Scaled(model, inputs);
        var mask = empty(0);
        var health = new List<JsonNode?>();
        var checkpoint = new EditCheckpoint(inputs.Store);
        var resumed = checkpoint.Resume<Progress>(
            (state, progress) =>
            {
                store.Restore(state, progress.Memories);
                health.AddRange(progress.Health);
            }
        );
        for (var i = resumed; i < inputs.Edits.Count; i++)
        {
            inputs.Cancelled.ThrowIfCancellationRequested();
            if (i == resumed || i % options.SaveFrequency == 0)
            {
                mask.Dispose();
                mask = Mask(inputs, store.Main, seed, i / options.SaveFrequency);
            }
            var edited = Write(model, inputs, i, store, mask, margins);
            store.Finish(edited.Distance);
            Observer?.Invoke(edited);
            health.Add(Health(edited));
            inputs.Progress?.Invoke(new MethodProgress(i + 1, inputs.Edits.Count, Line(edited)));
            checkpoint.Keep(i + 1, () => (store.Tensors(), new Progress(store.State, health)));
        }
        TellMeans(inputs, health);
        return options.Retrieve ? Retrieving(store, health) : Merged(inputs, store, health);
    }

    // What a killed attempt needs beside the memories' values.
    private sealed record Progress(MemoryStore.Numbers Memories, IReadOnlyList<JsonNode?> Health);

    private static string Line(Edited edited) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{edited.Id}: target loss {edited.Losses[0].Target:0.000} -> "
                + $"{edited.Losses[^1].Target:0.000}, routing loss {edited.Losses[^1].Routing:0.000}, "
                + $"distance {edited.Distance:0.00}, probability {edited.ProbabilityBefore:0.00} -> "
                + $"{edited.ProbabilityAfter:0.00}"
        );

    private static void TellMeans(MethodInputs inputs, List<JsonNode?> health)
    {
        foreach (var name in (string[])["probabilityBefore", "probabilityAfter", "distance"])
            inputs.Metric?.Invoke(
                name == "distance" ? "distance.mean" : "target-probability." + name[11..].ToLowerInvariant(),
                health.Select(h => (double?)h![name]).OfType<double>().DefaultIfEmpty(double.NaN).Average()
            );
    }

    // Memories beside the model's own, chosen by routing.
    private SideMemoryPatch Retrieving(MemoryStore store, List<JsonNode?> health) =>
        new(
            options.Layer,
            [.. store.All().Select(m => m with { Weight = m.Weight.clone() })],
            new Routing
            {
                Scope = options.Scope,
                ActRatio = options.ActRatio,
                MaxBeyond = options.MaxBeyond,
                BatchRows = options.RouteBatch,
            }
        )
        {
            Health = new JsonArray([.. health]),
        };

    // One memory, merged into the model's own.
    private WeightPatch Merged(MethodInputs inputs, MemoryStore store, List<JsonNode?> health)
    {
        if (options.MergeRemainder)
            store.SaveRemainder();
        else if (inputs.Edits.Count % options.SaveFrequency is var lost and > 0)
            inputs.Warn?.Invoke(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the last {lost} of {inputs.Edits.Count} edits were never stored and have no effect, as in the "
                        + $"reference; set mergeRemainder or a smaller saveFrequency"
                )
            );
        return new WeightPatch([
            KeyValuePair.Create<string, WeightChange>(
                CausalLm.DownProjName(options.Layer),
                new FullChange(store.MergeIntoMain().clone())
            ),
        ])
        {
            Health = new JsonArray([.. health]),
        };
    }

    private static JsonObject Health(Edited edited) =>
        new()
        {
            ["id"] = edited.Id,
            ["targetLoss"] = new JsonArray([.. edited.Losses.Select(l => AdapterChecks.Number(l.Target))]),
            ["routingLoss"] = new JsonArray([.. edited.Losses.Select(l => AdapterChecks.Number(l.Routing))]),
            ["distance"] = AdapterChecks.Number(edited.Distance),
            ["leastDistance"] = AdapterChecks.Number(edited.State.SideLeast),
            ["probabilityBefore"] = AdapterChecks.Number(edited.ProbabilityBefore),
            ["probabilityAfter"] = AdapterChecks.Number(edited.ProbabilityAfter),
        };

    private Edited Write(
        CausalLm model,
        MethodInputs inputs,
        int index,
        MemoryStore store,
        Tensor mask,
        Margins margins
    )
    {
        using var training = enable_grad();
        using var scope = NewDisposeScope();
        var edit = inputs.Edits[index];
        using var rows = new SideMemoryRows(
            model,
            options.Layer,
            edit,
            inputs.Contexts,
            inputs.Locality[index % inputs.Locality.Count],
            options.Window,
            options.Pooling
        );
        double FirstRow(Tensor output)
        {
            using var still = no_grad();
            using var pass = rows.Pass(output);
            return rows.Probability(rows.TargetLoss(pass)[0].ToDouble());
        }
        var before = FirstRow(rows.Main);
        var (evaluations, distance) = SideMemoryTraining.Run(
            rows,
            store.Side,
            store.Original,
            mask,
            margins,
            new SideMemoryTraining.Settings(
                options.Steps,
                options.LearningRate,
                options.WeightDecay,
                options.MaskDecay,
                options.NormConstraint
            ),
            StepObserver is { } observe ? (step, side, gradient) => observe(index, step, side, gradient) : null,
            (step, loss) =>
                throw new MethodFailedException(
                    Label,
                    string.Create(CultureInfo.InvariantCulture, $"{edit.Id}, step {step}"),
                    $"the loss is {loss}",
                    "a smaller learning rate, or an undamaged model"
                )
        );
        using var last = no_grad();
        return new Edited(
            index,
            edit.Id,
            [.. evaluations.Select(e => (e.Target, e.Routing))],
            distance,
            store,
            before,
            FirstRow(rows.Output(store.Side))
        );
    }

    // B: every entry may move with the given probability, one mask for all edits of a memory.
    private Tensor Mask(MethodInputs inputs, Tensor like, Seed seed, int memory)
    {
        using var scope = NewDisposeScope();
        var purpose = string.Create(CultureInfo.InvariantCulture, $"mask/{memory}");
        if (inputs.Draws.TryGetValue(purpose, out var known))
            return known.to(ScalarType.Float32).to(like.device).clone().MoveToOuterDisposeScope();
        var stream = seed.Stream(purpose);
        var entries = new float[like.numel()];
        for (var i = 0; i < entries.Length; i++)
            entries[i] = stream.NextDouble() < options.MaskRatio ? 1 : 0;
        return tensor(entries, device: like.device).view(like.shape).MoveToOuterDisposeScope();
    }

    // Margins in plain distances.
    private Margins Scaled(CausalLm model, MethodInputs inputs)
    {
        if (options.Unit == MarginUnit.Distance)
            return new Margins(options.Alpha, options.Beta, options.Gamma);
        using var scope = NewDisposeScope();
        var norms = MemoryStates
            .Read(model, options.Layer, [.. inputs.Edits.Select(e => e.PromptIds)])
            .Select(s => nn.functional.silu(s.Values.to(ScalarType.Float32)).norm(-1).mean().ToDouble())
            .Average();
        return new Margins(norms * options.Alpha, norms * options.Beta, norms * options.Gamma);
    }
}

/// <summary>What margins are counted in.</summary>
internal enum MarginUnit
{
    /// <summary>Distances as they are.</summary>
    Distance,

    /// <summary>
    /// The mean norm of the activated output of the main memory over the prompts to be edited: the same numbers then
    /// fit models of any size.
    /// </summary>
    OutputNorm,
}

/// <summary>Where locality texts come from.</summary>
internal enum LocalitySource
{
    /// <summary>A list of everyday questions and answers that has nothing to do with any data set.</summary>
    Generic,

    /// <summary>The retain set: then retain data goes into an editing method.</summary>
    Retain,
}
