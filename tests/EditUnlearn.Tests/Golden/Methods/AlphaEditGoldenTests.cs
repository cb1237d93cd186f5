using System.Text.Json;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>
/// AlphaEdit against the reference toolkit: projector, batches one after another in one session, the key cache between
/// them, the exact small form.
/// </summary>
[Trait("Category", "Golden")]
public sealed class AlphaEditGoldenTests
{
    public static TheoryData<string> Cases() => [.. EditGoldens.Cases("alphaedit")];

    private static SafetensorsFile File(string batch) => Goldens.Values("edit", "alphaedit", batch + ".safetensors");

    private static AlphaEdit.Options OptionsOf(JsonElement h) =>
        new()
        {
            Layers = EditGoldens.Ints(h.GetProperty("layers")),
            Value = EditGoldens.Value(h),
            NullSpaceThreshold = h.GetProperty("nullspace_threshold").GetDouble(),
            Ridge = h.GetProperty("L2").GetDouble(),
        };

    [GoldenTheory("edit/alphaedit/*.json")]
    [MemberData(nameof(Cases))]
    public void Batches_agree_one_after_another(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("alphaedit", name + ".json");
        var common = EditGoldens.Read("common", "inputs.json");
        var options = OptionsOf(manifest.GetProperty("hparams"));
        using var model = EditGoldens.Model(manifest);
        var moments = EditGoldens.Moments;
        var spaces = options.Layers.ToDictionary(
            l => l,
            l => NullSpace.Of(moments.Read($"layer{l}.C"), options.NullSpaceThreshold, options.NullSpaceUnit)
        );
        using var session = new AlphaEdit.Session(
            model,
            new MethodInputs { Contexts = EditGoldens.Contexts(common, "memit"), NullSpaces = spaces },
            options
        );
        Dictionary<int, Tensor> cache = [];
        foreach (var batch in EditGoldens.Batches(manifest))
        {
            var golden = File(batch);
            var sensitivity = manifest.GetProperty("sensitivity").GetProperty(batch);
            var edits = Edits(manifest, batch, golden);
            var check = new SpreadGolden(
                golden,
                batch,
                what => EditGoldens.Bound(sensitivity, what),
                options.Value.Steps,
                "upd"
            );
            session.Edit(
                edits,
                check.Watch(
                    golden.Read("zs"),
                    keysAfter: (layer, keys) =>
                    {
                        Tensors.Near(
                            golden.Read($"layer{layer}.K_after_edit"),
                            keys,
                            1e-4,
                            $"{batch} keys after {layer}"
                        );
                        var gram = matmul(keys, keys.t());
                        cache[layer] = (
                            cache.TryGetValue(layer, out var before) ? before + gram : gram
                        ).DetachFromDisposeScope();
                        // The fixtures leave it out: it follows from the keys after each batch.
                        var cached = $"layer{layer}.cache_c_after";
                        if (golden.Entries.ContainsKey(cached))
                            Tensors.Near(golden.Read(cached), cache[layer], 1e-4, $"{batch} cache {layer}");
                    }
                )
            );
            check.WeightsAndLogits(session.Model, options.Layers, common);
        }
        Assert.Equal(options.Layers.Count, cache.Count);
        foreach (var space in spaces.Values)
            space.Dispose();
    }

    private static List<EditRequest> Edits(JsonElement manifest, string batch, SafetensorsFile golden) =>
        [
            .. manifest
                .GetProperty(batch)
                .EnumerateArray()
                .Select((r, i) => EditGoldens.Request($"{batch} {i}", r, golden, $"edit{i}.")),
        ];

    [GoldenTheory("edit/alphaedit/*.json")]
    [MemberData(nameof(Cases))]
    public void The_projector_keeps_the_reference_directions(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("alphaedit", name + ".json");
        var options = OptionsOf(manifest.GetProperty("hparams"));
        var expected = File(EditGoldens.Batches(manifest)[0]).Read("P");
        foreach (var (i, layer) in options.Layers.Index())
        {
            using var space = NullSpace.Of(
                EditGoldens.Moments.Read($"layer{layer}.C"),
                options.NullSpaceThreshold,
                options.NullSpaceUnit
            );
            Assert.Equal(
                manifest
                    .GetProperty("null_space_dim")
                    .GetProperty(layer.ToString(System.Globalization.CultureInfo.InvariantCulture))
                    .GetInt32(),
                space.Kept
            );
            Tensors.Near(
                expected[i],
                space.Project(eye(space.Size)),
                EditGoldens.Bound(manifest.GetProperty("sensitivity"), "P"),
                $"P {layer}"
            );
        }
    }

    [GoldenTheory("edit/alphaedit/*.json")]
    [MemberData(nameof(Cases))]
    public void The_small_form_agrees_given_the_reference_keys_targets_and_projector(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("alphaedit", name + ".json");
        var options = OptionsOf(manifest.GetProperty("hparams"));
        var projectors = File(EditGoldens.Batches(manifest)[0]).Read("P");
        foreach (var (i, layer) in options.Layers.Index())
        {
            var p = LeastSquares.Wide(projectors[i]);
            using var keys = new ProjectedKeys(options.Ridge);
            foreach (var batch in EditGoldens.Batches(manifest))
            {
                var golden = File(batch);
                var share = LeastSquares.Wide(golden.Read($"layer{layer}.targets")) / (options.Layers.Count - i);
                var a = keys.Factor(matmul(p, LeastSquares.Wide(golden.Read($"layer{layer}.K"))));
                Tensors.Near(
                    golden.Read($"layer{layer}.upd_recomputed_f64"),
                    matmul(share, a.t()),
                    1e-5,
                    $"{batch} update {layer}"
                );
                keys.Add(matmul(p, LeastSquares.Wide(golden.Read($"layer{layer}.K_after_edit"))));
            }
        }
    }
}
