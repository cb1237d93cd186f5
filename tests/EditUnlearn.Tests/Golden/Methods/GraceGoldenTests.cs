using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Codebooks;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>
/// GRACE against the reference toolkit: the codebook and the losses after every edit, then what the edited model does.
/// </summary>
/// <remarks>
/// Bounds as in <see cref="AdapterGoldens.Bound"/>. The reference compares labels with the wrong key; the goldens hold
/// runs with that put right, and where it makes a difference the literal ones beside them. Both are repeated.
/// </remarks>
[Trait("Category", "Golden")]
public sealed class GraceGoldenTests
{
    private const string Literal = ".unmodified_package";

    public static TheoryData<string> Cases() => AdapterGoldens.Cases("grace");

    [GoldenTheory("edit/grace/*.json")]
    [MemberData(nameof(Cases))]
    public void The_codebook_and_what_the_model_does_with_it_agree(string name)
    {
        using var scope = NewDisposeScope();
        using var json = AdapterGoldens.Manifest("grace", name);
        var manifest = json.RootElement;
        using var model = AdapterGoldens.Model(manifest);
        Compare(name, manifest, manifest.GetProperty("record"), model, LabelOrder.Aligned, useRecord: true);
        if (File.Exists(Goldens.At("edit", "grace", name + Literal + ".safetensors")))
            Compare(
                name + Literal,
                manifest,
                manifest.GetProperty("record_unmodified_package"),
                model,
                LabelOrder.Prepended,
                useRecord: true
            );
        else
            Compare(name, manifest, manifest.GetProperty("record"), model, LabelOrder.Prepended, useRecord: false);
    }

    private static void Compare(
        string file,
        JsonElement manifest,
        JsonElement record,
        CausalLm model,
        LabelOrder order,
        bool useRecord
    )
    {
        var golden = AdapterGoldens.Tensors("grace", file);
        var layer = manifest.GetProperty("layer").GetInt32();
        var requests = AdapterGoldens.Requests(manifest);
        var edited = new Dictionary<string, (Grace.Edited Edit, Tensor Value)>();
        var method = new Grace(Options(manifest, layer, order))
        {
            Observer = e => edited.Add(e.Id, (e, e.Value!.clone().DetachFromDisposeScope())),
        };
        var starts = requests
            .Where(r => golden.Entries.ContainsKey($"{r.Id}.initial_value"))
            .ToDictionary(r => "value/" + r.Id, r => golden.Read($"{r.Id}.initial_value").squeeze(0));
        using var patch = (CodebookPatch)
            method.Edit(model, new MethodInputs { Edits = requests, Draws = starts }, new Seed(0));

        var last = $"edit{requests.Count - 1}";
        var values = new List<Tensor>();
        for (var i = 0; i < requests.Count; i++)
        {
            var (edit, value) = edited[requests[i].Id];
            var entry = edit.Admitted.Entry;
            if (entry == values.Count)
                values.Add(value);
            else
                values[entry] = value;
            var what = $"{file} edit {i}";
            Tensors.Near(
                golden.Read($"{edit.Id}.keys"),
                patch.Codebook.Keys.narrow(0, 0, values.Count),
                1e-4,
                what + " keys"
            );
            Tensors.Near(golden.Read($"{edit.Id}.epsilons"), tensor(edit.Radii.ToArray()), 1e-4, what + " radii");
            Tensors.Near(
                golden.Read($"{edit.Id}.values"),
                stack(values.ToArray()),
                AdapterGoldens.Bound(manifest, "sensitivity", last + ".values"),
                what + " values"
            );
            var losses = golden.Read($"{edit.Id}.losses").data<float>().ToArray();
            Assert.Equal(losses.Length, edit.Losses.Count);
            for (var s = 0; s < losses.Length; s++)
                Assert.Equal(losses[s], edit.Losses[s], 2e-4 * Math.Max(1, Math.Abs(losses[s])));
            if (!useRecord)
                continue;
            var recorded = record.GetProperty("edits")[i];
            Assert.Equal(
                recorded.GetProperty("new_key").GetBoolean(),
                edit.Admitted.Kind is Admission.New or Admission.Split
            );
            Assert.Equal(recorded.GetProperty("nkeys").GetInt32(), values.Count);
            Assert.Equal(recorded.GetProperty("chosen_key").GetInt32(), entry);
            Assert.Equal(recorded.GetProperty("key_position").GetInt32(), requests[i].PromptIds.Count - 1);
        }
        if (!useRecord)
            return;
        Probes(file, manifest, record, golden, model, patch);
    }

    private static void Probes(
        string name,
        JsonElement manifest,
        JsonElement record,
        SafetensorsFile golden,
        CausalLm model,
        CodebookPatch patch
    )
    {
        using var quiet = no_grad();
        var probes = manifest.GetProperty("probes").EnumerateArray().Select(AdapterGoldens.Ints).ToList();
        for (var i = 0; i < probes.Count; i++)
        {
            var what = $"{name} probe {i}";
            var spy = new AdapterGoldens.Spy(patch.Tap, patch.Layer);
            var logits = model.Forward(Tensors.Ids(probes[i]), new ForwardOptions { Tap = spy })[0, -1];
            var query = spy.Key[0, -1];
            var distances = (patch.Codebook.Keys - query).norm(1);
            var (nearest, distance) = patch.Codebook.Nearest(query);
            var expected = record.GetProperty("probes")[i];
            Assert.Equal(expected.GetProperty("nearest").GetInt32(), nearest);
            Assert.Equal(expected.GetProperty("dist").GetDouble(), distance, 1e-3);
            Assert.Equal(expected.GetProperty("eps").GetDouble(), patch.Codebook.Radii[nearest], 1e-3);
            Assert.Equal(expected.GetProperty("hit").GetBoolean(), patch.Codebook.Hit(query) >= 0);
            // The literal runs keep less of a probe.
            void Compare(string key, Tensor actual, double bound)
            {
                if (golden.Entries.ContainsKey($"probe{i}.{key}"))
                    Tensors.Near(golden.Read($"probe{i}.{key}"), actual, bound, $"{what} {key}");
                else
                    Assert.EndsWith(Literal, name, StringComparison.Ordinal);
            }
            if (golden.Entries.ContainsKey($"probe{i}.dists"))
                Assert.True(
                    (golden.Read($"probe{i}.dists") - distances).abs().max().ToDouble() < 1e-3,
                    what + " distances"
                );
            Compare("layer_in_last", query, 1e-5);
            Compare("layer_out", spy.Output[0], 1e-4);
            Compare("logits_last", logits, 1e-4);
        }
        foreach (var expected in record.GetProperty("generate").EnumerateArray())
        {
            var continuation = AdapterGoldens.Ints(expected.GetProperty("continuation"));
            var options = new GreedyDecoder.Options
            {
                MaxNewTokens = continuation.Length,
                StopIds = [],
                Tap = patch.Tap,
            };
            Assert.Equal(
                continuation,
                GreedyDecoder.Decode(model, [AdapterGoldens.Ints(expected.GetProperty("prompt"))], options)[0].Ids
            );
        }
    }

    internal static Grace.Options Options(JsonElement manifest, int layer, LabelOrder order)
    {
        var h = manifest.GetProperty("hparams");
        return new Grace.Options
        {
            Layer = layer,
            LearningRate = h.GetProperty("edit_lr").GetDouble(),
            Steps = h.GetProperty("n_iter").GetInt32(),
            Radius = h.GetProperty("eps").GetDouble(),
            Start = h.GetProperty("val_init").GetString() == "warm" ? ValueStart.Warm : ValueStart.Cold,
            Replacement = h.GetProperty("replacement").GetString() switch
            {
                "replace_last" => CodebookReplacement.Last,
                "replace_prompt" => CodebookReplacement.Prompt,
                _ => CodebookReplacement.All,
            },
            LabelOrder = order,
        };
    }
}
