using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Codebooks;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// GRACE: a codebook beside one memory. Prompts whose key falls into a learned ball get a trained value; all others are
/// left alone, bit for bit.
/// </summary>
/// <remarks>
/// Source: Hartvigsen et al. (2023), algorithm 1; docs/methods.md, "GRACE".
/// Symbols: q [F] key at the last prompt token, K [N, F] stored keys, V [N, D] their values, epsilon [N] radii; j the
/// nearest key, d its distance.
/// Forward: where d &lt;= epsilon_j the memory's output becomes V_j. Training: n steps of Adam on V_j, mean negative
/// log-probability of the target.
/// Where a prompt falls does not depend on any value, so all balls are drawn first; then values of different entries
/// are trained side by side, and edits that share one in their order. Presets differ in <see cref="Options.Labels"/>,
/// <see cref="Options.LabelOrder"/>, <see cref="Options.Duplicates"/>, <see cref="Options.Query"/> and
/// <see cref="Options.AppendEos"/>.
/// </remarks>
internal sealed class Grace(Grace.Options options) : IMethod
{
    private const string Label = "GRACE";
    private const int SideBySide = 32; // edits of one training batch; fixed, so that no result depends on a setting

    /// <summary>
    /// Switches and constants; defaults are the reference's for Llama-2-7B, which also serve Mistral and Llama 3.
    /// </summary>
    public sealed record Options : IEditingOptions
    {
        /// <summary>The block, 0-based. Origin: reference file, for models of 32 blocks.</summary>
        public int Layer { get; init; } = 27;

        /// <summary>Step size of Adam [units of the memory's output]. Origin: reference file.</summary>
        public double LearningRate { get; init; } = 1.0;

        /// <summary>Adam steps for an edit. Origin: reference file; the first release takes twice as many.</summary>
        public int Steps { get; init; } = 50;

        /// <summary>Radius of a new ball, in the units of keys. Origin: reference file.</summary>
        public double Radius { get; init; } = 1.0;

        /// <summary>Where a new value starts. Origin: reference file.</summary>
        public ValueStart Start { get; init; } = ValueStart.Cold;

        /// <summary>Which outputs a value stands in for. Origin: reference file.</summary>
        public CodebookReplacement Replacement { get; init; } = CodebookReplacement.Last;

        /// <summary>How targets are compared (defect G2). Origin: the reference's code.</summary>
        public LabelComparison Labels { get; init; } = LabelComparison.MeanOfIds;

        /// <summary>For which key a stored target is compared (defect G1). Origin: the reference's code.</summary>
        public LabelOrder LabelOrder { get; init; } = LabelOrder.Prepended;

        /// <summary>What a second edit of one prompt does. Origin: the reference's code.</summary>
        public DuplicatePrompt Duplicates { get; init; } = DuplicatePrompt.Tie;

        /// <summary>
        /// Which positions are looked up when the model is used (defect G3). Origin: the reference's code.
        /// </summary>
        public CodebookQuery Query { get; init; } = CodebookQuery.EveryToken;

        /// <summary>
        /// Whether the target ends with EOS; without it the model has no reason to stop (defect S10). Origin:
        /// the reference's code.
        /// </summary>
        public bool AppendEos { get; init; }

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

        /// <inheritdoc/>
        public IReadOnlyList<int> Layers => [Layer];

        /// <inheritdoc/>
        public ContextRecipe ContextRecipe => ContextRecipe.Rome;

        /// <inheritdoc/>
        /// <remarks>GRACE uses none.</remarks>
        public int Contexts => 0;
    }

    /// <summary>One edit, for tests and logs.</summary>
    /// <param name="Id">Of the edit.</param>
    /// <param name="Admitted">Its place in the codebook.</param>
    /// <param name="Radii">All radii after it.</param>
    /// <param name="Value">The trained value [D], valid during the call; null where nothing was trained.</param>
    /// <param name="Losses">Before each step.</param>
    /// <param name="ProbabilityBefore">Geometric mean probability of a target token without the codebook.</param>
    /// <param name="ProbabilityAfter">And with the trained value.</param>
    public sealed record Edited(
        string Id,
        Admitted Admitted,
        IReadOnlyList<float> Radii,
        Tensor? Value,
        IReadOnlyList<double> Losses,
        double ProbabilityBefore,
        double ProbabilityAfter
    );

    /// <summary>Told of every edit once its value is trained; edits of one training batch in their order.</summary>
    public Action<Edited>? Observer { get; init; }

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<Grace, Options>("grace", "GRACE", MethodKind.Editing, o => new Grace(o)) with
            {
                Presets =
                [
                    new(
                        MethodPreset.Corrected,
                        "without defects G1 to G3, a second edit of a prompt wins, and the target has an end",
                        new JsonObject
                        {
                            ["labels"] = "sequence",
                            ["labelOrder"] = "aligned",
                            ["duplicates"] = "replace",
                            ["query"] = "promptEnd",
                            ["appendEos"] = true,
                        }
                    ),
                ],
                // Source: docs/methods.md, "GRACE". Where the reference has no file, the numbers are ours.
                Families =
                [
                    new("llama2", "reference file for Llama-2-7B", []),
                    new("mistral", NoFile, []),
                    new("llama3", NoFile, []),
                    new("llama31", NoFile, []),
                ],
            };

        private const string NoFile =
            "ours: there is no reference file; the one for Llama-2-7B, whose layer the reference's other layer adapter "
            + "also has for Mistral";
    }

    /// <inheritdoc/>
    public Needs Needs => Needs.None;

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        AdapterChecks.Check(
            model,
            inputs with
            {
                Contexts =
                [
                    [],
                ],
            },
            options.Layer
        );
        using var scope = NewDisposeScope();
        var edits = inputs.Edits;
        var keys = Queries(model, edits); // q [F] of every edit
        var builder = new CodebookBuilder(
            (float)options.Radius,
            options.Labels,
            options.LabelOrder,
            options.Duplicates
        );
        var places = Places(builder, edits, keys);
        var health = new JsonObject?[edits.Count];
        var values = zeros(builder.Count, model.Config.HiddenSize, device: model.Device); // V [N, D]
        var done = TrainAll(model, inputs, seed, places, values, health);
        foreach (var i in Enumerable.Range(0, edits.Count).Where(i => places[i].Admitted.Entry < 0))
        {
            health[i] = Told(
                new Edited(edits[i].Id, places[i].Admitted, places[i].Radii, null, [], double.NaN, double.NaN),
                float.NaN
            );
            TellUntrained(inputs, edits[i].Id, ++done);
        }
        Tell(inputs, builder, places, health);
        return new CodebookPatch(
            options.Layer,
            new Codebook(builder.Keys(), values, [.. builder.Radii], [.. builder.Entries]),
            options.Replacement,
            options.Query,
            edits[^1].PromptIds.Count - 1
        )
        {
            Health = new JsonArray([.. health]),
        };
    }

    // Where each edit finds its place, in their order, and the radii right after.
    private static List<(Admitted Admitted, IReadOnlyList<float> Radii)> Places(
        CodebookBuilder builder,
        IReadOnlyList<EditRequest> edits,
        List<Tensor> keys
    )
    {
        var places = new List<(Admitted Admitted, IReadOnlyList<float> Radii)>();
        for (var i = 0; i < edits.Count; i++)
            places.Add(
                (builder.Admit(edits[i].Id, keys[i], edits[i].PromptIds.Count, edits[i].TargetIds), [.. builder.Radii])
            );
        return places;
    }

    private static void TellUntrained(MethodInputs inputs, string id, int done)
    {
        inputs.Progress?.Invoke(new MethodProgress(done, inputs.Edits.Count, $"{id}: not trained"));
        inputs.Warn?.Invoke(
            $"{id}: an earlier edit has the same prompt and wins the tie, so nothing was trained; set duplicates to "
                + "replace"
        );
    }

    // Numbers about the whole.
    private static void Tell(
        MethodInputs inputs,
        CodebookBuilder builder,
        List<(Admitted Admitted, IReadOnlyList<float> Radii)> places,
        JsonObject?[] health
    )
    {
        void Metric(string name, double value) => inputs.Metric?.Invoke(name, value);
        double Mean(string name) =>
            health.Select(h => (double?)h?[name]).OfType<double>().DefaultIfEmpty(double.NaN).Average();
        Metric("entries", builder.Count);
        Metric("splits", places.Count(p => p.Admitted.Kind == Admission.Split));
        Metric("expansions", places.Count(p => p.Admitted.Kind == Admission.Expanded));
        Metric("radius.min", builder.Radii.Min());
        Metric("target-probability.before", Mean("probabilityBefore"));
        Metric("target-probability.after", Mean("probabilityAfter"));
    }

    private JsonObject Told(Edited edited, float radius)
    {
        Observer?.Invoke(edited);
        return new JsonObject
        {
            ["id"] = edited.Id,
            ["kind"] = JsonNamingPolicy.CamelCase.ConvertName(edited.Admitted.Kind.ToString()),
            ["entry"] = edited.Admitted.Entry,
            ["nearest"] = AdapterChecks.Number(edited.Admitted.Nearest),
            ["radius"] = AdapterChecks.Number(radius),
            ["loss"] = new JsonArray([.. edited.Losses.Select(AdapterChecks.Number)]),
            ["probabilityBefore"] = AdapterChecks.Number(edited.ProbabilityBefore),
            ["probabilityAfter"] = AdapterChecks.Number(edited.ProbabilityAfter),
        };
    }

    // Keys at the last prompt tokens.
    private List<Tensor> Queries(CausalLm model, IReadOnlyList<EditRequest> edits)
    {
        using var scope = NewDisposeScope();
        return
        [
            .. MemoryStates
                .Read(model, options.Layer, [.. edits.Select(e => e.PromptIds)])
                .Select(s => s.Keys[-1].to(ScalarType.Float32).clone().MoveToOuterDisposeScope()),
        ];
    }

    // Edits by the turn in which they train their entry: those of one turn share no entry.
    private static IEnumerable<int[]> Waves(IReadOnlyList<int> entries)
    {
        var turns = new Dictionary<int, int>();
        return entries
            .Index()
            .Where(e => e.Item >= 0)
            .Select(e => (e.Index, Turn: turns[e.Item] = turns.GetValueOrDefault(e.Item, -1) + 1))
            .ToList()
            .GroupBy(e => e.Turn)
            .OrderBy(g => g.Key)
            .Select(g => g.Select(e => e.Index).ToArray());
    }

    // Returns the number of edits trained.
    private int TrainAll(
        CausalLm model,
        MethodInputs inputs,
        Seed seed,
        List<(Admitted Admitted, IReadOnlyList<float> Radii)> places,
        Tensor values,
        JsonObject?[] health
    )
    {
        var checkpoint = new EditCheckpoint(inputs.Store);
        var resumed = checkpoint.Resume<JsonObject?[]>(
            (state, earlier) =>
            {
                values.copy_(state.Read("values"));
                earlier.CopyTo(health, 0);
            }
        );
        var done = 0;
        foreach (var batch in Waves([.. places.Select(p => p.Admitted.Entry)]).SelectMany(w => w.Chunk(SideBySide)))
        {
            if (done < resumed)
            {
                done += batch.Length; // whole batches were kept
                continue;
            }
            inputs.Cancelled.ThrowIfCancellationRequested();
            Train(model, inputs, seed, batch, places, values, health);
            done += batch.Length;
            inputs.Progress?.Invoke(
                new MethodProgress(
                    done,
                    inputs.Edits.Count,
                    string.Create(CultureInfo.InvariantCulture, $"{values.shape[0]} entries")
                )
            );
            checkpoint.Keep<JsonObject?[]>(done, () => ([new("values", values)], health));
        }
        return done;
    }

    private void Train(
        CausalLm model,
        MethodInputs inputs,
        Seed seed,
        int[] batch,
        List<(Admitted Admitted, IReadOnlyList<float> Radii)> places,
        Tensor values,
        JsonObject?[] health
    )
    {
        using var scope = NewDisposeScope();
        var edits = batch.Select(i => inputs.Edits[i]).ToList();
        using var held = model.Hold();
        using var cached = new CachedEdits(model, options.Layer, edits, options.Replacement);
        var rows = batch.Select(i => places[i].Admitted.Entry).ToList();
        var start = stack(
            edits
                .Select(
                    (e, b) =>
                        places[batch[b]].Admitted.Fresh ? Fresh(inputs, e.Id, cached.Output[b], seed) : values[rows[b]]
                )
                .ToArray()
        );
        var result = ValueTraining.Run(
            cached,
            start,
            options.Steps,
            options.LearningRate,
            (b, step, loss) =>
                throw new MethodFailedException(
                    Label,
                    string.Create(CultureInfo.InvariantCulture, $"{edits[b].Id}, step {step}"),
                    $"the loss is {loss}",
                    "a smaller learning rate, or an undamaged model"
                )
        );
        using var quiet = no_grad();
        values.index_copy_(0, tensor(rows.Select(r => (long)r).ToArray(), device: values.device), result.Values);
        for (var b = 0; b < edits.Count; b++)
            health[batch[b]] = Told(
                new Edited(
                    edits[b].Id,
                    places[batch[b]].Admitted,
                    places[batch[b]].Radii,
                    result.Values[b],
                    result.Losses[b],
                    Math.Exp(-result.Before[b]),
                    Math.Exp(-result.After[b])
                ),
                places[^1].Radii[rows[b]]
            );
    }

    // Uniform in [0, 1) or the memory's own output.
    private Tensor Fresh(MethodInputs inputs, string id, Tensor output, Seed seed)
    {
        var purpose = "value/" + id;
        if (inputs.Draws.TryGetValue(purpose, out var known))
            return known.to(ScalarType.Float32).to(output.device);
        if (options.Start == ValueStart.Warm)
            return output;
        var stream = seed.Stream(purpose);
        return tensor(
            Enumerable
                .Range(0, (int)output.shape[0])
                .Select(_ => (float)stream.NextDouble())
                .Select(x => x < 1f ? x : MathF.BitDecrement(1f))
                .ToArray(),
            device: output.device
        );
    }
}

/// <summary>Where a new value starts.</summary>
internal enum ValueStart
{
    /// <summary>Uniform in [0, 1).</summary>
    Cold,

    /// <summary>The memory's own output at the query position.</summary>
    Warm,
}
