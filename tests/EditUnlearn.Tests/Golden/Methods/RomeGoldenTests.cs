using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>
/// ROME against the reference toolkit: keys, every loss of the value optimisation, the target value, the update, the
/// logits afterwards.
/// </summary>
[Trait("Category", "Golden")]
public sealed class RomeGoldenTests
{
    public static TheoryData<string> Cases() => [.. EditGoldens.Cases("rome")];

    [GoldenTheory("edit/rome/*.json")]
    [MemberData(nameof(Cases))]
    public void The_update_and_all_that_leads_to_it_agree(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("rome", name + ".json");
        var common = EditGoldens.Read("common", "inputs.json");
        var golden = SafetensorsFile.Open(Path.Combine(EditGoldens.Folder, "rome", name + ".safetensors"));
        using var model = EditGoldens.Model(manifest);
        var h = manifest.GetProperty("hparams");
        var layer = EditGoldens.Ints(h.GetProperty("layers")).Single();
        var options = new Rome.Options
        {
            Layers = [layer],
            SecondMoments = h.GetProperty("mom2_adjustment").GetBoolean(),
            Value = EditGoldens.Value(h),
        };
        var edit = EditGoldens.Request(name, manifest.GetProperty("request"), golden, "");
        var inputs = new MethodInputs
        {
            Edits = [edit],
            Contexts = EditGoldens.Contexts(common, "rome"),
            SecondMoments = options.SecondMoments
                ? new Dictionary<int, Tensor>
                {
                    [layer] = golden.Entries.ContainsKey("C")
                        ? golden.Read("C")
                        : EditGoldens.Moments.Read($"layer{layer}.C"),
                }
                : new Dictionary<int, Tensor>(),
        };
        var sensitivity = manifest.GetProperty("sensitivity");
        double Bound(string what) => EditGoldens.Bound(sensitivity, what);

        using (var states = new LookupStates(model, [edit], inputs.Contexts, layer))
        {
            var keys = states.KeysAt(layer);
            Tensors.Near(golden.Read("u.keys_per_template"), keys, 1e-5, $"{name} keys");
            Tensors.Near(golden.Read("u.mean_key"), states.MeanOverContexts(keys).squeeze(1), 1e-5, $"{name} mean key");
            Tensors.Near(golden.Read("k_star"), states.Bare(keys).squeeze(1), 1e-5, $"{name} k*");
        }

        var (expectedDeltas, expectedGradients) = (golden.Read("v.delta_before_step"), golden.Read("v.grad"));
        var step = 0;
        var value = TargetValues.Optimise(
            model,
            [edit],
            inputs.Contexts,
            layer,
            ValueSite.MlpOut,
            options.Value,
            observe: (_, delta, gradient) =>
            {
                if (step > 0)
                    Tensors.Near(expectedDeltas[step], delta, Bound("v.v_star"), $"{name} delta before step {step}");
                Tensors.Near(expectedGradients[step], gradient, 10 * Bound("v.v_star"), $"{name} gradient {step}");
                step++;
            }
        )[0];
        Assert.Equal(expectedDeltas.shape[0], step);
        Tensors.Near(golden.Read("v.target_init"), value.Initial, 1e-5, $"{name} v0");
        Tensors.Near(golden.Read("v.v_star"), value.Value, Bound("v.v_star"), $"{name} v*");
        EditGoldens.SameLosses(golden.Read("v.losses"), value.Losses, options.Value.Steps, name);

        using var patch = (WeightPatch)new Rome(options).Edit(model, inputs, new Seed(0));
        var change = Assert.IsType<LowRankChange>(Assert.Single(patch.Changes).Value);
        Tensors.Near(golden.Read("u"), change.Right.squeeze(1), Bound("u"), $"{name} u");
        Tensors.Near(golden.Read("right_vector"), change.Left.squeeze(1), Bound("delta_weight"), $"{name} r");
        using (no_grad())
            Tensors.Near(
                golden.Read("delta_weight"),
                matmul(change.Left, change.Right.t()),
                Bound("delta_weight"),
                $"{name} update"
            );
        using (patch.ApplyTo(model))
        {
            Tensors.Near(
                golden.Read("new_weight"),
                model.Weight(CausalLm.DownProjName(layer)),
                Bound("delta_weight"),
                $"{name} weight"
            );
            Tensors.Near(
                golden.Read("probe_logits_after"),
                EditGoldens.LastLogits(model, common),
                Bound("probe_logits_after"),
                $"{name} probes"
            );
        }
    }
}
