using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Tests.Golden.Methods;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// WISE on a real model against the reference toolkit: losses, gradients and the side memory of every edit, then which
/// memory answers.
/// </summary>
[Trait("Category", "RealModel")]
public sealed class RealWiseGoldenTests
{
    public static TheoryData<string> Cases() => [.. Goldens.Cases("real/edit/wise")];

    [RealModelTheory("real/edit/wise/*.json")]
    [MemberData(nameof(Cases))]
    public void Every_edit_and_every_choice_of_a_memory_agree(string name)
    {
        using var scope = NewDisposeScope();
        var golden = new RealEditGolden("wise", name);
        // The reference was asked one question at a time.
        var options = WiseGoldenTests.Options(golden.Manifest) with
        {
            RouteBatch = 1,
        };
        var edits = golden.Requests();
        var locality = golden
            .Manifest.GetProperty("requests")
            .EnumerateArray()
            .Select(r => Goldens.Ints(r.GetProperty("loc_ids")))
            .ToList();
        foreach (var (i, edit) in edits.Index())
            RowsAgree(golden, i, edit, locality[i]);
        var weight = golden.Model.Weight(CausalLm.DownProjName(options.Layer));
        var steps = 0;
        var method = new Wise(options)
        {
            StepObserver = (edit, step, _, gradient) => steps += GradientAgrees(golden, edit, step, gradient),
            Observer = e => EditAgrees(golden, e, e.State.Side - weight, edits.Count),
        };
        var inputs = new MethodInputs
        {
            Edits = edits,
            Contexts = golden.Contexts,
            Locality = locality,
            Draws = new Dictionary<string, Tensor> { ["mask/0"] = Mask(golden, weight.shape) },
        };
        using var patch = (SideMemoryPatch)method.Edit(golden.Model, inputs, new Seed(0));
        Assert.Equal(golden.Values.Entries.Keys.Count(k => k.Contains("masked_grad", StringComparison.Ordinal)), steps);
        if (golden.Manifest.GetProperty("record").TryGetProperty("probes", out var probes))
            ProbesAgree(golden, probes, patch);
        if (!golden.Manifest.TryGetProperty("answers", out _))
            return;
        golden.AnswersAgree("before", golden.Model);
        golden.AnswersAgree("after", golden.Model, patch.Tap);
    }

    private static void RowsAgree(RealEditGolden golden, int index, EditRequest edit, int[] locality)
    {
        var ids = golden.Values.Read($"edit{index}.input_ids");
        IReadOnlyList<int>[] rows =
        [
            .. edit.Prefixed!.Select(p => (IReadOnlyList<int>)[.. p.Ids, .. edit.TargetIds]),
            locality,
        ];
        Assert.Equal(ids.shape[0], rows.Length);
        foreach (var (i, row) in rows.Index())
            Assert.Equal(ids[i].data<long>().ToArray().Select(x => (int)x), row);
    }

    // Eight entries a byte, the first in the highest bit.
    private static Tensor Mask(RealEditGolden golden, long[] shape)
    {
        var bits = golden.Values.Read("mask_bits_u8").data<byte>().ToArray();
        var mask = new byte[shape[0] * shape[1]];
        for (var i = 0; i < mask.Length; i++)
            mask[i] = (byte)((bits[i / 8] >> (7 - i % 8)) & 1);
        return tensor(mask, shape);
    }

    // Of single steps the first rows are stored; returns how many were compared.
    private static int GradientAgrees(RealEditGolden golden, int edit, int step, Tensor gradient)
    {
        var norms = golden
            .Manifest.GetProperty("record")
            .GetProperty("edits")[edit]
            .TryGetProperty("masked_grad_norms_first3", out var first)
            ? RealGoldens.Numbers(first)
            : [];
        var bound = golden.Bound($"edit{edit}.side_minus_main");
        if (step < norms.Length)
            RealGoldens.Near(
                norms[step],
                gradient.norm().ToDouble(),
                bound * norms[step],
                $"{golden.Name} edit {edit} gradient norm {step}"
            );
        var prefix = $"edit{edit}.step{step}.masked_grad";
        if (
            golden.Values.Entries.Keys.SingleOrDefault(k => k.StartsWith(prefix, StringComparison.Ordinal))
            is not { } name
        )
            return 0;
        var expected = golden.Values.Read(name);
        Tensors.Near(expected, gradient.narrow(0, 0, expected.shape[0]), bound, $"{golden.Name} {name}");
        return 1;
    }

    private static void EditAgrees(RealEditGolden golden, Wise.Edited e, Tensor change, int edits)
    {
        var bound = golden.Bound($"edit{e.Index}.side_minus_main");
        WiseGoldenTests.Losses(golden.Values, $"edit{e.Index}.ft_loss", [.. e.Losses.Select(l => l.Target)]);
        WiseGoldenTests.Losses(golden.Values, $"edit{e.Index}.act_loss", [.. e.Losses.Select(l => l.Routing)]);
        var record = golden.Manifest.GetProperty("record").GetProperty("edits")[e.Index];
        Assert.Equal(record.GetProperty("iterations").GetInt32(), e.Losses.Count);
        Assert.Equal(record.GetProperty("edits_done").GetInt32(), e.State.Edits);
        var least = record.GetProperty("side_min_act").GetDouble();
        RealGoldens.Near(least, e.State.SideLeast, 1e-4 * least, $"{golden.Name} edit {e.Index} least distance");
        RealGoldens.Statistics(
            record.GetProperty("side_minus_main"),
            change,
            bound,
            $"{golden.Name} edit {e.Index} change"
        );
        const string Whole = "side_minus_main_after_last_edit";
        if (e.Index == edits - 1 && golden.Values.Entries.ContainsKey(Whole))
            Tensors.Near(golden.Values.Read(Whole), change, bound, $"{golden.Name} {Whole}");
    }

    private static void ProbesAgree(RealEditGolden golden, JsonElement probes, SideMemoryPatch patch)
    {
        foreach (var (i, probe) in probes.EnumerateArray().Index())
        {
            var what = $"{golden.Name} probe {i}";
            var spy = new AdapterGoldens.Spy(patch.Tap, patch.Layer);
            var logits = RealGoldens.Last(golden.Model, Goldens.Ints(probe.GetProperty("ids")), spy);
            var pooled = patch.Distances(spy.Key, spy.Main).Select(patch.Pooled).ToList();
            var distance = probe.GetProperty("dist").GetDouble();
            RealGoldens.Near(distance, Assert.Single(pooled), 1e-3 * distance, what + " distance");
            var threshold = probe.GetProperty("threshold").GetDouble();
            RealGoldens.Near(
                threshold,
                patch.Routing.ActRatio * patch.Memories[0].LeastDistance,
                1e-4 * threshold,
                what + " threshold"
            );
            Assert.Equal(probe.GetProperty("chosen").GetString() == "side", patch.Choose(pooled) >= 0);
            Tensors.Near(golden.Values.Read($"probe{i}.layer_in_last"), spy.Key[0, -1], 1e-4, what + " key");
            RealGoldens.LastPosition(probe.GetProperty("last_position_after"), logits, 3e-4, what);
        }
    }
}
