using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>
/// MEMIT against the reference toolkit, stage by stage: values with every loss and gradient, keys, residuals, both
/// closed forms, weights, logits afterwards.
/// </summary>
[Trait("Category", "Golden")]
public sealed class MemitGoldenTests
{
    public static TheoryData<string> Cases() => [.. EditGoldens.Cases("memit")];

    [GoldenTheory("edit/memit/*.json")]
    [MemberData(nameof(Cases))]
    public void The_updates_and_all_that_leads_to_them_agree(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("memit", name + ".json");
        var common = EditGoldens.Read("common", "inputs.json");
        var golden = SafetensorsFile.Open(Path.Combine(EditGoldens.Folder, "memit", name + ".safetensors"));
        using var model = EditGoldens.Model(manifest);
        var h = manifest.GetProperty("hparams");
        var options = new Memit.Options
        {
            Layers = EditGoldens.Ints(h.GetProperty("layers")),
            Value = EditGoldens.Value(h),
            Lambda = h.GetProperty("mom2_update_weight").GetDouble(),
        };
        var edits = manifest
            .GetProperty("requests")
            .EnumerateArray()
            .Select((r, i) => EditGoldens.Request($"{name} {i}", r, golden, $"edit{i}."))
            .ToList();
        var moments = EditGoldens.Moments;
        var inputs = new MethodInputs
        {
            Edits = edits,
            Contexts = EditGoldens.Contexts(common, "memit"),
            SecondMoments = options.Layers.ToDictionary(l => l, l => moments.Read($"layer{l}.C")),
        };
        var sensitivity = manifest.GetProperty("sensitivity");
        double Bound(string what) => EditGoldens.Bound(sensitivity, what);

        using var session = new Memit.Session(model, inputs, options);
        var check = new SpreadGolden(golden, name, Bound, options.Value.Steps, "upd_f64");
        session.Edit(
            edits,
            check.Watch(
                golden.Read("zs"),
                (step, i) =>
                {
                    Tensors.Near(
                        golden.Read($"layer{step.Layer}.resid_f64"),
                        step.Share,
                        Bound("zs"),
                        $"{name} share {step.Layer}"
                    );
                    Tensors.Near(
                        golden.Read($"layer{step.Layer}.adj_k_f64"),
                        step.Factor,
                        Bound($"layer{step.Layer}.upd_f64"),
                        $"{name} factor {step.Layer}"
                    );
                }
            )
        );
        check.WeightsAndLogits(session.Model, options.Layers, common);
    }

    [GoldenTheory("edit/memit/*.json")]
    [MemberData(nameof(Cases))]
    public void Both_closed_forms_agree_given_the_reference_keys_and_targets(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("memit", name + ".json");
        var golden = SafetensorsFile.Open(Path.Combine(EditGoldens.Folder, "memit", name + ".safetensors"));
        var h = manifest.GetProperty("hparams");
        var (layers, lambda) = (
            EditGoldens.Ints(h.GetProperty("layers")),
            h.GetProperty("mom2_update_weight").GetDouble()
        );
        foreach (var (i, layer) in layers.Index())
        {
            var (c, k) = (EditGoldens.Moments.Read($"layer{layer}.C"), golden.Read($"layer{layer}.K"));
            var share = LeastSquares.Wide(golden.Read($"layer{layer}.targets")) / (layers.Length - i);
            using var factored = new FactoredMoment(c, lambda);
            Assert.Equal(0, factored.AddedRidge);
            foreach (
                var (form, a) in new[]
                {
                    ("direct", LeastSquares.Direct(c, lambda, k)),
                    ("Woodbury", factored.Solve(k)),
                }
            )
            {
                Tensors.Near(golden.Read($"layer{layer}.adj_k_f64"), a, 1e-8, $"{name} {form} factor {layer}");
                Tensors.Near(
                    golden.Read($"layer{layer}.upd_f64"),
                    matmul(share, a.t()),
                    1e-6,
                    $"{name} {form} update {layer}"
                );
            }
        }
    }
}
