using System.Globalization;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.SideMemories;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>
/// WISE against the reference toolkit: losses, gradients and memories of every edit, routing afterwards, and the merge
/// operators alone.
/// </summary>
/// <remarks>
/// Bounds as in <see cref="AdapterGoldens.Bound"/>; weights are compared by their change from the main memory, which is
/// what the sensitivity is of.
/// </remarks>
[Trait("Category", "Golden")]
public sealed class WiseGoldenTests
{
    public static TheoryData<string> Cases() => AdapterGoldens.Cases("wise");

    [GoldenTheory("edit/wise/*.json")]
    [MemberData(nameof(Cases))]
    public void Every_edit_and_every_choice_of_a_memory_agree(string name)
    {
        using var scope = NewDisposeScope();
        using var json = AdapterGoldens.Manifest("wise", name);
        var manifest = json.RootElement;
        var golden = AdapterGoldens.Tensors("wise", name);
        using var model = AdapterGoldens.Model(manifest);
        var options = Options(manifest);
        var weight = model.Weight(CausalLm.DownProjName(options.Layer));
        double Bound(string what) => AdapterGoldens.Bound(manifest, "sensitivity_of_weight_change", what);
        // Relative to the change where there is one, exact where the memory was begun anew.
        void Near(string what, Tensor actual) =>
            Tensors.Near(golden.Read(what) - weight, actual - weight, Bound(what), $"{name} {what}");

        var steps = 0;
        var method = new Wise(options)
        {
            StepObserver = (edit, step, side, gradient) =>
            {
                if (!golden.Entries.ContainsKey($"edit{edit}.step{step}.masked_grad"))
                    return;
                if (step > 0)
                    Near($"edit{edit}.step{step}.weight_before", side);
                else
                    Tensors.Near(golden.Read($"edit{edit}.step{step}.weight_before"), side, 1e-6, $"{name} start");
                Tensors.Near(
                    golden.Read($"edit{edit}.step{step}.masked_grad"),
                    gradient,
                    Bound($"edit{edit}.side_weight_after"),
                    $"{name} gradient {step}"
                );
                steps++;
            },
            Observer = e =>
            {
                Losses(golden, $"edit{e.Index}.ft_loss", [.. e.Losses.Select(l => l.Target)]);
                Losses(golden, $"edit{e.Index}.act_loss", [.. e.Losses.Select(l => l.Routing)]);
                var recorded = manifest.GetProperty("record").GetProperty("edits")[e.Index];
                RecordAgrees(recorded, e);
                Near($"edit{e.Index}.side_weight_after", e.State.Side);
                if (golden.Entries.ContainsKey($"edit{e.Index}.main_weight"))
                    Near($"edit{e.Index}.main_weight", e.State.Main);
                for (var i = 0; i < e.State.Stored.Count; i++)
                {
                    Near($"edit{e.Index}.memory{i}", e.State.Stored[i].Weight);
                    if (options.Retrieve)
                        Assert.Equal(
                            recorded.GetProperty("memory_min_act")[i].GetDouble(),
                            e.State.Stored[i].LeastDistance,
                            1e-3
                        );
                }
            },
        };
        using var patch = method.Edit(model, Inputs(manifest, golden, options), new Seed(0));
        Assert.Equal(golden.Entries.Keys.Count(k => k.EndsWith("masked_grad", StringComparison.Ordinal)), steps);
        Probes(name, manifest, golden, model, patch, options.Layer);
    }

    private static void RecordAgrees(JsonElement recorded, Wise.Edited e)
    {
        Assert.Equal(recorded.GetProperty("iterations").GetInt32(), e.Losses.Count);
        Assert.Equal(recorded.GetProperty("edits_done").GetInt32(), e.State.Edits);
        Assert.Equal(recorded.GetProperty("n_memory").GetInt32(), e.State.Stored.Count);
        Assert.Equal(
            recorded.GetProperty("side_min_act").GetDouble(),
            e.State.SideLeast,
            1e-3 * recorded.GetProperty("side_min_act").GetDouble()
        );
    }

    private static MethodInputs Inputs(JsonElement manifest, SafetensorsFile golden, Wise.Options options)
    {
        var requests = AdapterGoldens.Requests(manifest);
        return new MethodInputs
        {
            Edits = requests,
            Contexts = [.. manifest.GetProperty("context_prefixes").EnumerateArray().Select(AdapterGoldens.Ints)],
            Draws = Enumerable
                .Range(0, (requests.Count + options.SaveFrequency - 1) / options.SaveFrequency)
                .ToDictionary(i => $"mask/{i}", i => golden.Read($"edit{i * options.SaveFrequency}.mask_u8")),
            Locality =
            [
                .. manifest
                    .GetProperty("requests")
                    .EnumerateArray()
                    .Select(r => AdapterGoldens.Ints(r.GetProperty("loc_prompt_ids"))),
            ],
        };
    }

    private static void Probes(
        string name,
        JsonElement manifest,
        SafetensorsFile golden,
        CausalLm model,
        ModelPatch patch,
        int layer
    )
    {
        using var quiet = no_grad();
        using var applied = patch.ApplyTo(model);
        var probes = manifest.GetProperty("probes").EnumerateArray().Select(AdapterGoldens.Ints).ToList();
        for (var i = 0; i < probes.Count; i++)
        {
            var what = $"{name} probe {i}";
            var spy = new AdapterGoldens.Spy(patch.Tap, layer);
            var logits = model.Forward(Tensors.Ids(probes[i]), new ForwardOptions { Tap = spy })[0, -1];
            if (patch is SideMemoryPatch side)
                Choice(what, manifest.GetProperty("record").GetProperty("probes")[i], side, spy);
            Beginning(golden, $"probe{i}.layer_in", spy.Key[0], 1e-5, what + " key");
            Beginning(golden, $"probe{i}.layer_out", spy.Output[0], 2e-4, what + " memory's output");
            Tensors.Near(golden.Read($"probe{i}.logits_last"), logits, 3e-4, what + " logits");
        }
    }

    // Of a long probe only the first positions are stored, under a name that says so.
    private static void Beginning(SafetensorsFile golden, string key, Tensor actual, double bound, string what)
    {
        var stored = golden.Entries.Keys.Single(k =>
            k == key || k.StartsWith(key + "_first", StringComparison.Ordinal)
        );
        var expected = golden.Read(stored);
        Tensors.Near(expected, actual.narrow(0, 0, expected.shape[0]), bound, what);
    }

    private static void Choice(string what, JsonElement expected, SideMemoryPatch patch, AdapterGoldens.Spy spy)
    {
        var pooled = patch
            .Distances(spy.Key, spy.Main)
            .Select(d => (d.shape[1] > patch.Routing.MaxBeyond ? d.amax([1L]) : d).mean().ToDouble())
            .ToList();
        string Name(int memory) =>
            memory switch
            {
                -1 => "original",
                0 => "side",
                _ => $"memory{memory - 1}",
            };
        for (var m = 0; m < pooled.Count; m++)
            Assert.Equal(expected.GetProperty("dist").GetProperty(Name(m)).GetDouble(), pooled[m], 1e-3 * pooled[m]);
        Assert.Equal(
            expected.GetProperty("side_threshold").GetDouble(),
            patch.Routing.ActRatio * patch.Memories[0].LeastDistance,
            1e-3 * expected.GetProperty("side_threshold").GetDouble()
        );
        Assert.True(expected.GetProperty("chosen")[0].GetString() == Name(patch.Choose(pooled)), what);
    }

    [GoldenFact("edit/wise/merge_ops.safetensors")]
    public void Merge_operators_agree()
    {
        using var scope = NewDisposeScope();
        var golden = AdapterGoldens.Tensors("wise", "merge_ops");
        var origin = golden.Read("base");
        var tensors = golden
            .Entries.Keys.Where(k => k.Length > 1 && k[0] == 't' && char.IsDigit(k[1]))
            .OrderBy(k => int.Parse(k[1..], CultureInfo.InvariantCulture))
            .Select(golden.Read)
            .ToList();
        var alike = tensors.Select(_ => 1.0 / tensors.Count).ToList();
        foreach (
            var (key, with) in (ReadOnlySpan<(string, MergeOperator)>)
                [
                    ("ties", MergeOperator.Ties),
                    ("magnitude", MergeOperator.Magnitude),
                    ("magnitude_norm", MergeOperator.MagnitudeNorm),
                    ("sign", MergeOperator.Sign),
                ]
        )
        {
            Tensors.Near(golden.Read(key), MergeOperators.Merge(with, origin, tensors, alike, 0.53), 1e-6, key);
            Tensors.Near(
                golden.Read(key + "_weighted"),
                MergeOperators.Merge(with, origin, tensors, [0.2, 0.2, 0.6], 0.3),
                1e-6,
                key + ", weighted"
            );
        }
        Tensors.Near(golden.Read("linear_0.5"), MergeOperators.Linear(origin, tensors[0], 0.5), 1e-6, "linear");
        Tensors.Near(golden.Read("slerp_0.5"), MergeOperators.Slerp(origin, tensors[0], 0.5), 1e-6, "slerp");
    }

    internal static void Losses(SafetensorsFile golden, string name, IReadOnlyList<double> actual)
    {
        var expected = golden.Read(name).data<float>().ToArray();
        Assert.Equal(expected.Length, actual.Count);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= 3e-4 * Math.Max(1, Math.Abs(expected[i])),
                $"{name} {i}: {expected[i]} expected, {actual[i]} found"
            );
    }

    internal static Wise.Options Options(JsonElement manifest)
    {
        var h = manifest.GetProperty("hparams");
        return new Wise.Options
        {
            Layer = manifest.GetProperty("layer").GetInt32(),
            LearningRate = h.GetProperty("edit_lr").GetDouble(),
            Steps = h.GetProperty("n_iter").GetInt32(),
            Alpha = h.GetProperty("alpha").GetDouble(),
            Beta = h.GetProperty("beta").GetDouble(),
            Gamma = h.GetProperty("gamma").GetDouble(),
            ActRatio = h.GetProperty("act_ratio").GetDouble(),
            MaskRatio = h.GetProperty("mask_ratio").GetDouble(),
            NormConstraint = h.GetProperty("norm_constraint").GetDouble(),
            SaveFrequency = h.GetProperty("save_freq").GetInt32(),
            MergeFrequency = h.GetProperty("merge_freq").GetInt32(),
            Merge = Enum.Parse<MergeOperator>(
                h.GetProperty("merge_alg").GetString()!.Replace("_", "", StringComparison.Ordinal),
                ignoreCase: true
            ),
            Density = h.GetProperty("densities").GetDouble(),
            MergeWeight = h.GetProperty("weights").GetDouble(),
            Retrieve = h.GetProperty("retrieve").GetBoolean(),
        };
    }
}
