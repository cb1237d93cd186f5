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
            SecondMoments = options.SecondMoments ? Moments(golden, layer) : [],
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

        ValueAgrees(name, golden, model, inputs, layer, options.Value, Bound);
        using var patch = (WeightPatch)new Rome(options).Edit(model, inputs, new Seed(0));
        ChangeAgrees(name, golden, Assert.IsType<LowRankChange>(Assert.Single(patch.Changes).Value), Bound);
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

    private static Dictionary<int, Tensor> Moments(SafetensorsFile golden, int layer) =>
        new()
        {
            [layer] = golden.Entries.ContainsKey("C") ? golden.Read("C") : EditGoldens.Moments.Read($"layer{layer}.C"),
        };

    internal static void ValueAgrees(
        string name,
        SafetensorsFile golden,
        CausalLm model,
        MethodInputs inputs,
        int layer,
        ValueOptions options,
        Func<string, double> bound
    )
    {
        var (expectedDeltas, expectedGradients) = (golden.Read("v.delta_before_step"), golden.Read("v.grad"));
        var step = 0;
        var value = TargetValues.Optimise(
            model,
            inputs.Edits,
            inputs.Contexts,
            layer,
            ValueSite.MlpOut,
            options,
            observe: (_, delta, gradient) =>
            {
                if (step > 0)
                    Tensors.Near(expectedDeltas[step], delta, bound("v.v_star"), $"{name} delta before step {step}");
                Tensors.Near(expectedGradients[step], gradient, 10 * bound("v.v_star"), $"{name} gradient {step}");
                step++;
            }
        )[0];
        Assert.Equal(expectedDeltas.shape[0], step);
        Tensors.Near(golden.Read("v.target_init"), value.Initial, 1e-5, $"{name} v0");
        Tensors.Near(golden.Read("v.v_star"), value.Value, bound("v.v_star"), $"{name} v*");
        EditGoldens.SameLosses(golden.Read("v.losses"), value.Losses, options.Steps, name);
    }

    private static void ChangeAgrees(
        string name,
        SafetensorsFile golden,
        LowRankChange change,
        Func<string, double> bound
    )
    {
        Tensors.Near(golden.Read("u"), change.Right.squeeze(1), bound("u"), $"{name} u");
        Tensors.Near(golden.Read("right_vector"), change.Left.squeeze(1), bound("delta_weight"), $"{name} r");
        using (no_grad())
            Tensors.Near(
                golden.Read("delta_weight"),
                matmul(change.Left, change.Right.t()),
                bound("delta_weight"),
                $"{name} update"
            );
    }
}
