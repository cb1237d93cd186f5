using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>Rank-one model editing: the smallest change of one MLP memory that maps the subject's key to a new value.</summary>
/// <remarks>
/// Source: Meng et al. (2022), equations 2 to 4; editing specification, section 2.
/// Symbols: k [F] key, m = W k [D], v* [D] target value, C [F, F] second moment of keys, u [F] direction, r [D].
/// Edits are applied one after another, each on the weights the former left, as the study does. Presets differ from the reference in
/// the switches below only.
/// </remarks>
public sealed class Rome(Rome.Options options) : IMethod
{
    /// <summary>Switches and constants; defaults are the reference's for Llama-2-7B.</summary>
    public sealed record Options : IEditingOptions
    {
        /// <summary>Edited blocks, 0-based, in ascending order; the reference edits block 5 of 32.</summary>
        public IReadOnlyList<int> Layers { get; init; } = [5];

        /// <summary>Value optimisation.</summary>
        public ValueOptions Value { get; init; } = new();

        /// <summary>Whether u is turned by C^-1; the reference's files for these models say no.</summary>
        public bool SecondMoments { get; init; }

        /// <summary>Ridge added to C, in units of its mean diagonal; 0 in the reference.</summary>
        public double Ridge { get; init; }

        /// <summary>Which key gives the direction and which the denominator (defect R1).</summary>
        public RomeKey Key { get; init; } = RomeKey.Mixed;

        /// <summary>Whether the target ends with EOS; without it the model has no reason to stop (defect S10).</summary>
        public bool AppendEos { get; init; }

        /// <summary>Generated context prefixes besides the empty one; 20 in the reference.</summary>
        public int Contexts { get; init; } = 20;

        /// <inheritdoc/>
        public ContextRecipe ContextRecipe => ContextRecipe.Rome;
    }

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        using var scope = NewDisposeScope();
        using var restore = new WeightSnapshot(model, options.Layers.Select(CausalLm.DownProjName));
        var updates = options.Layers.ToDictionary(l => l, _ => new List<(Tensor R, Tensor U)>());
        for (var i = 0; i < inputs.Edits.Count; i++)
        {
            inputs.Cancelled.ThrowIfCancellationRequested();
            foreach (var layer in options.Layers)
            {
                var (r, u, loss) = Update(model, inputs, inputs.Edits[i], layer);
                using (no_grad()) model.Weight(CausalLm.DownProjName(layer)).addr_(r.to(model.DType), u.to(model.DType));
                updates[layer].Add((r, u));
                inputs.Progress?.Invoke(new MethodProgress(i + 1, inputs.Edits.Count, string.Create(CultureInfo.InvariantCulture, $"{inputs.Edits[i].Id}, layer {layer}: target loss {loss:0.000}")));
            }
        }
        return new WeightPatch(updates.Where(p => p.Value.Count > 0).Select(p => KeyValuePair.Create<string, WeightChange>(
            CausalLm.DownProjName(p.Key),
            new LowRankChange(stack(p.Value.Select(x => x.R).ToArray(), 1).DetachFromDisposeScope(), stack(p.Value.Select(x => x.U).ToArray(), 1).DetachFromDisposeScope()))));
    }

    // One edit of one layer on the weights as they are: Delta W = r u^T.
    private (Tensor R, Tensor U, double Loss) Update(CausalLm model, MethodInputs inputs, EditRequest edit, int layer)
    {
        using var scope = NewDisposeScope();
        var prompts = inputs.Contexts.Select(c => Prompts.WithPrefix(edit, c)).ToList();
        var lookups = inputs.Contexts.Select(c => edit.SubjectLast + c.Count).ToList();
        var (contextKeys, _) = MemoryKeys.At(model, layer, prompts, lookups);                                  // [R, F]
        var (bareKey, bareValue) = MemoryKeys.At(model, layer, [edit.PromptIds], [edit.SubjectLast]);          // [1, F], [1, D]
        var meanKey = contextKeys.to(ScalarType.Float32).mean([0L]);                                           // k-bar [F]
        var promptKey = bareKey.squeeze(0).to(ScalarType.Float32);                                             // k* [F]

        var u = Direction(options.Key == RomeKey.PromptOnly ? promptKey : meanKey, inputs, layer);             // [F], length 1
        var z = TargetValue.Optimise(model, edit, inputs.Contexts, layer, ValueSite.MlpOut, options.Value);    // v* [D]

        using var quiet = no_grad();
        var k = options.Key == RomeKey.Averaged ? meanKey : promptKey;
        var m = options.Key == RomeKey.Averaged
            ? matmul(model.Weight(CausalLm.DownProjName(layer)).to(ScalarType.Float32), meanKey)
            : bareValue.squeeze(0).to(ScalarType.Float32);                                                     // m* = W k [D]
        var alignment = dot(k, u).ToDouble();
        if (Math.Abs(alignment) < 1e-6 * k.norm().ToDouble())
            throw new MethodFailedException("ROME", $"{edit.Id}, layer {layer}", "the subject's key is orthogonal to the update direction", "other context prefixes, or key: averaged");
        var r = (z.Value - m) / alignment;                                                                     // [D]
        return (r.MoveToOuterDisposeScope(), u.MoveToOuterDisposeScope(), z.Evaluations[^1].Nll);
    }

    // u = C^-1 k / |C^-1 k|, or k / |k| without second moments.
    private Tensor Direction(Tensor key, MethodInputs inputs, int layer)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var u = key;
        if (options.SecondMoments)
        {
            if (!inputs.SecondMoments.TryGetValue(layer, out var c)) throw new ArgumentException($"ROME needs the second moment of layer {layer}.", nameof(inputs));
            var wide = c.to(ScalarType.Float64);
            if (options.Ridge > 0) wide = wide + options.Ridge * wide.diagonal().mean() * eye(wide.shape[0], dtype: ScalarType.Float64, device: wide.device);
            u = linalg.solve(wide, key.to(ScalarType.Float64).unsqueeze(1)).squeeze(1).to(ScalarType.Float32);
        }
        return (u / u.norm()).MoveToOuterDisposeScope();
    }
}

/// <summary>Which keys a rank-one update is made from.</summary>
public enum RomeKey
{
    /// <summary>Direction from the mean key, denominator from the bare prompt's: the reference.</summary>
    Mixed,

    /// <summary>Both from the mean key. Source: Gupta, Baskaran and Anumanchipalli (2024), r-ROME.</summary>
    Averaged,

    /// <summary>Both from the bare prompt's key. Source: ibid., p-ROME.</summary>
    PromptOnly,
}
