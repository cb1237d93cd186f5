using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>ROME against the reference toolkit: every loss of the value optimisation, the target value, the update, the logits afterwards.</summary>
/// <remarks>Bounds: three times the manifest's sensitivity, which is what float32 rounding is amplified to, and at least the 1e-4 that the goldens call fair.</remarks>
[Trait("Category", "Golden")]
public sealed class RomeGoldenTests
{
    private static string Folder => Path.Combine(Checkout.Goldens, "edit", "rome");

    public static TheoryData<string> Cases() =>
        [.. Directory.Exists(Folder) ? Directory.EnumerateFiles(Folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal).ToArray() : []];

    [GoldenTheory("edit/rome")]
    [MemberData(nameof(Cases))]
    public void The_update_and_all_that_leads_to_it_agree(string name)
    {
        using var scope = NewDisposeScope();
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, name + ".json")));
        using var common = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Checkout.Goldens, "edit", "common", "inputs.json")));
        var golden = SafetensorsFile.Open(Path.Combine(Folder, name + ".safetensors"));
        using var model = WeightFolder.Load(Path.Combine(Checkout.Goldens, "models", json.RootElement.GetProperty("model").GetString()!), CPU);
        var h = json.RootElement.GetProperty("hparams");
        var layer = Ints(h.GetProperty("layers")).Single();
        var usesMoments = h.GetProperty("mom2_adjustment").GetBoolean();
        var options = new Rome.Options
        {
            Layers = [layer],
            SecondMoments = usesMoments,
            Value = new ValueOptions
            {
                Steps = h.GetProperty("v_num_grad_steps").GetInt32(),
                LearningRate = h.GetProperty("v_lr").GetDouble(),
                WeightDecay = h.GetProperty("v_weight_decay").GetDouble(),
                ClampNormFactor = h.GetProperty("clamp_norm_factor").GetDouble(),
                KlFactor = h.GetProperty("kl_factor").GetDouble(),
            },
        };
        var request = json.RootElement.GetProperty("request");
        var mask = golden.Read("batch.attention_mask")[-1].to(ScalarType.Bool);
        var edit = new EditRequest(
            name,
            Ints(request.GetProperty("prompt_ids")),
            request.GetProperty("subject_last_index").GetInt32(),
            Ints(request.GetProperty("target_ids")),
            [.. golden.Read("batch.input_ids")[-1][mask].data<long>().Select(i => (int)i)],
            (int)golden.Read("batch.lookup_idx")[-1].ToInt64());
        var moments = usesMoments ? SecondMoment(golden, layer) : null;
        var inputs = new MethodInputs
        {
            Edits = [edit],
            Contexts = [.. common.RootElement.GetProperty("rome_context_prefixes").EnumerateArray().Select(Ints)],
            SecondMoments = moments is null ? new Dictionary<int, Tensor>() : new Dictionary<int, Tensor> { [layer] = moments },
        };
        var sensitivity = json.RootElement.GetProperty("sensitivity");
        double Bound(string what) => Math.Max(1e-4, 3 * (sensitivity.TryGetProperty(what, out var s) ? s.GetDouble() : 0));

        var expectedDeltas = golden.Read("v.delta_before_step");
        var expectedGradients = golden.Read("v.grad");
        var step = 0;
        var value = TargetValue.Optimise(model, edit, inputs.Contexts, layer, ValueSite.MlpOut, options.Value, (delta, gradient) =>
        {
            if (step > 0) Tensors.Near(expectedDeltas[step], delta, Bound("v.v_star"), $"{name} delta before step {step}");
            Tensors.Near(expectedGradients[step], gradient, 10 * Bound("v.v_star"), $"{name} gradient {step}");
            step++;
        });
        Assert.Equal(expectedDeltas.shape[0], step);
        Tensors.Near(golden.Read("v.target_init"), value.Initial, 1e-5, $"{name} v0");
        Tensors.Near(golden.Read("v.v_star"), value.Value, Bound("v.v_star"), $"{name} v*");
        var losses = golden.Read("v.losses");
        Assert.Equal(losses.shape[0], value.Evaluations.Count);
        for (var i = 0; i < value.Evaluations.Count; i++)
        {
            var e = value.Evaluations[i];
            double[] ours = [e.Total, e.Nll, e.Kl, e.Decay];
            for (var c = 0; c < ours.Length; c++) Assert.Equal(losses[i, c].ToDouble(), ours[c], 2e-4 * Math.Max(1, Math.Abs(ours[c])));
        }

        using var patch = (WeightPatch)new Rome(options).Edit(model, inputs, new Seed(0));
        var change = Assert.IsType<LowRankChange>(Assert.Single(patch.Changes).Value);
        Tensors.Near(golden.Read("u"), change.Right.squeeze(1), Bound("u"), $"{name} u");
        Tensors.Near(golden.Read("right_vector"), change.Left.squeeze(1), Bound("delta_weight"), $"{name} r");
        using (no_grad()) Tensors.Near(golden.Read("delta_weight"), matmul(change.Left, change.Right.t()), Bound("delta_weight"), $"{name} update");
        using (patch.ApplyTo(model))
        {
            using var quiet = no_grad();
            Tensors.Near(golden.Read("new_weight"), model.Weight(CausalLm.DownProjName(layer)), Bound("delta_weight"), $"{name} weight");
            var probes = common.RootElement.GetProperty("probes").EnumerateArray().Select(Ints).ToList();
            var logits = stack(probes.Select(p => model.Forward(Tensors.Ids(p))[0, -1]).ToArray());
            Tensors.Near(golden.Read("probe_logits_after"), logits, Bound("probe_logits_after"), $"{name} probes");
        }
    }

    private static Tensor SecondMoment(SafetensorsFile golden, int layer) =>
        golden.Entries.ContainsKey("C") ? golden.Read("C") : SafetensorsFile.Open(Path.Combine(Checkout.Goldens, "edit", "common", "second_moment.safetensors")).Read($"layer{layer}.C");

    private static int[] Ints(JsonElement e) => [.. e.EnumerateArray().Select(x => x.GetInt32())];
}
