using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>
/// Rank-one model editing: the smallest change of one MLP memory that maps the subject's key to a new value.
/// </summary>
/// <remarks>
/// Source: Meng et al. (2022), equations 2 to 4; docs/methods.md, "ROME".
/// Symbols: k [F] key, m = W k [D], v* [D] target value, C [F, F] second moment of keys, u [F] direction, r [D].
/// W' k = v* exactly for the key of the denominator. Edits are applied one after another, each on the weights the
/// former left, as the study does. An edit changes only the memory of its layer, so the keys of that layer stay as they
/// are; with several layers the keys of a later one are read after the edits of the earlier ones.
/// </remarks>
internal sealed class Rome(Rome.Options options) : IMethod
{
    /// <summary>Switches and constants; defaults are the reference's for Llama-2-7B.</summary>
    public sealed record Options : IEditingOptions
    {
        /// <summary>
        /// Edited blocks, 0-based, in ascending order. Origin: the reference's files, for models of 32 blocks.
        /// </summary>
        public IReadOnlyList<int> Layers { get; init; } = [5];

        /// <summary>Value optimisation, whose options say where they come from.</summary>
        public ValueOptions Value { get; init; } = new();

        /// <summary>Whether u is turned by C^-1. Origin: the reference's files for these models.</summary>
        public bool SecondMoments { get; init; }

        /// <summary>Ridge added to C, in units of its mean diagonal. Origin: the reference's code.</summary>
        public double Ridge { get; init; }

        /// <summary>
        /// Which key gives the direction and which the denominator (defect R1). Origin: the reference's code.
        /// </summary>
        public RomeKey Key { get; init; } = RomeKey.Mixed;

        /// <summary>
        /// Whether the target ends with EOS; without it the model has no reason to stop (defect S10). Origin:
        /// the reference's code.
        /// </summary>
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
        public int Contexts { get; init; } = 20;

        /// <inheritdoc/>
        public ContextRecipe ContextRecipe => ContextRecipe.Rome;

        IEnumerable<OptionProblem> ICheckedOptions.Check() =>
            EditingOptions.Problems(this, Value, 1, Ridge == 0 ? [] : [("ridge", Ridge)]);
    }

    /// <summary>
    /// What <see cref="MethodCatalog"/> lists. No key of a result follows this code: the values in force enter it.
    /// </summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and presets; the options' defaults stand at their properties.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<Rome, Options>("rome", "ROME", MethodKind.Editing, o => new Rome(o)) with
            {
                Presets =
                [
                    new(
                        MethodPreset.Corrected,
                        "one key in direction and denominator (r-ROME), target ids as they stand in text, and an end",
                        new JsonObject
                        {
                            ["key"] = "averaged",
                            ["targetIds"] = "offsets",
                            ["appendEos"] = true,
                        }
                    ),
                ],
                // Source: docs/methods.md, "ROME". Where the reference has no file, the numbers are ours.
                Families =
                [
                    new("llama2", "reference file for Llama-2-7B", []),
                    new("mistral", "reference file for Mistral-7B", []),
                    new("llama3", "reference file for Llama-3-8B, which runs the model in float16", []),
                    new("llama31", "ours: as Llama-3-8B, in float32; the reference has no file", []),
                ],
            };
    }

    /// <inheritdoc/>
    public Needs Needs =>
        (options.SecondMoments ? Needs.SecondMoments : Needs.None)
        | (options.Contexts > 0 ? Needs.Contexts : Needs.None);

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        using var scope = NewDisposeScope();
        using var session = new EditSession(model, inputs, options.Layers);
        for (var i = session.Resume(); i < inputs.Edits.Count; i++)
        {
            inputs.Cancelled.ThrowIfCancellationRequested();
            var health = Edit(session, inputs.Edits[i]);
            session.Health.Add(health);
            inputs.Progress?.Invoke(
                new MethodProgress(
                    i + 1,
                    inputs.Edits.Count,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{health.Id}: target probability {health.ProbabilityBefore:0.000} -> "
                            + $"{health.ProbabilityAfter:0.000}, key alignment "
                            + $"{health.Layers.Min(l => l.Alignment):0.00}"
                    )
                )
            );
            session.Keep(i + 1);
        }
        session.Health.Tell(inputs);
        return session.ToPatch();
    }

    // One edit; layers in ascending order, each on the weights the former left.
    private EditHealth Edit(EditSession session, EditRequest edit)
    {
        using var scope = NewDisposeScope();
        var before = session.TargetProbabilities([edit])[0];
        var (losses, layers, clamped, growth) = (new List<ValueLoss>(), new List<LayerHealth>(), false, 0.0);
        foreach (var layer in options.Layers)
        {
            var update = UpdateOf(session, edit, layer);
            var drift = session.Write(layer, update.R.unsqueeze(1), update.U.unsqueeze(1));
            layers.Add(
                new LayerHealth(
                    layer,
                    1,
                    update.R.norm().ToDouble() / session.UneditedNorm(layer),
                    drift,
                    update.Alignment
                )
            );
            losses.AddRange(update.Value.Losses);
            clamped |= update.Value.Clamped;
            growth = Math.Max(growth, update.Growth);
        }
        return new EditHealth(edit.Id, losses, before, session.TargetProbabilities([edit])[0], clamped, growth, layers);
    }

    // Delta W = r u^T of one layer.
    private (Tensor R, Tensor U, TargetValue Value, double Alignment, double Growth) UpdateOf(
        EditSession session,
        EditRequest edit,
        int layer
    )
    {
        var (model, inputs) = (session.Model, session.Inputs);
        using var states = new LookupStates(model, [edit], inputs.Contexts, layer);
        var keys = states.KeysAt(layer); // [contexts, F]
        var meanKey = states.MeanOverContexts(keys).squeeze(1); // k-bar [F]
        var promptKey = states.Bare(keys).squeeze(1); // k* [F]
        var u = Direction(options.Key == RomeKey.PromptOnly ? promptKey : meanKey, inputs, layer); // [F], length 1

        // |v0| before any edit of this layer
        var unedited = matmul(session.Unedited(layer).to(ScalarType.Float32), promptKey).norm().ToDouble();
        var value = TargetValues.Optimise(
            model,
            [edit],
            inputs.Contexts,
            layer,
            ValueSite.MlpOut,
            options.Value,
            [unedited],
            cancelled: inputs.Cancelled
        )[0]; // v* [D]

        using var quiet = no_grad();
        var k = options.Key == RomeKey.Averaged ? meanKey : promptKey;
        var m = matmul(model.Weight(CausalLm.DownProjName(layer)).to(ScalarType.Float32), k); // m* = W k [D]
        if (model.Config.MlpBias)
            m += model.Weight(TensorNames.Bias(CausalLm.DownProjName(layer))); // v* is an output, its bias included
        var along = dot(k, u).ToDouble();
        var alignment = along / k.norm().ToDouble();
        if (!(Math.Abs(alignment) >= 1e-6))
            throw new MethodFailedException(
                "ROME",
                $"{edit.Id}, layer {layer}",
                "the subject's key is orthogonal to the update direction",
                "other context prefixes, or key: averaged"
            );
        return ((value.Value - m) / along, u, value, alignment, value.Initial.norm().ToDouble() / unedited);
    }

    // u = C^-1 k / |C^-1 k|, or k / |k| without second moments.
    private Tensor Direction(Tensor key, MethodInputs inputs, int layer)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var u = key;
        if (options.SecondMoments)
        {
            if (!inputs.SecondMoments.TryGetValue(layer, out var c))
                throw new MethodFailedException(
                    "ROME",
                    $"layer {layer}",
                    "there is no second moment of this layer",
                    "add the layer to the stage 'moments'"
                );
            var wide = LeastSquares.Wide(c);
            if (options.Ridge > 0)
                wide =
                    wide
                    + options.Ridge
                        * wide.diagonal().mean()
                        * eye(wide.shape[0], dtype: ScalarType.Float64, device: wide.device);
            u = linalg
                .solve(wide, LeastSquares.Wide(key).unsqueeze(1))
                .squeeze(1)
                .to(key.device)
                .to(ScalarType.Float32);
        }
        return (u / u.norm()).MoveToOuterDisposeScope();
    }
}

/// <summary>Which keys a rank-one update is made from.</summary>
internal enum RomeKey
{
    /// <summary>Direction from the mean key, denominator from the bare prompt's: the reference.</summary>
    Mixed,

    /// <summary>Both from the mean key. Source: Gupta, Baskaran and Anumanchipalli (2024), r-ROME.</summary>
    Averaged,

    /// <summary>Both from the bare prompt's key. Source: ibid., p-ROME.</summary>
    PromptOnly,
}
