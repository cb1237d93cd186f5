using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// The reference's runs given again to <c>apply --token-requests</c>, draws included: the patch it writes changes
/// weights and logits as the reference's did.
/// </summary>
/// <remarks>
/// Requests, hyperparameters, draws and bounds come from the golden files. Compared are the files on disk, after they
/// are loaded again.
/// </remarks>
[Trait("Category", "EndToEnd")]
[Trait("Category", "Golden")]
public sealed class TokenRequestTests : IDisposable
{
    private readonly Tool _tool = new();

    /// <summary>Names of the cases of a method.</summary>
    public static TheoryData<string> Cases(string method) => [.. EditGoldens.Cases(method)];

    [GoldenTheory("edit/rome/*.json")]
    [MemberData(nameof(Cases), "rome")]
    public void Rome_is_repeated(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("rome", name + ".json");
        var golden = Golden("rome", name);
        var h = manifest.GetProperty("hparams");
        var layer = h.GetProperty("layers")[0].GetInt32();
        // Second moments of another model than the common one stand in the case's own file.
        var own = golden.Entries.ContainsKey("C");
        var header = Header(own ? FileOf("rome", name) : CommonMoments, Contexts("rome"));
        header["second_moments"] = new JsonObject { [$"{layer}"] = own ? "C" : $"layer{layer}.C" };
        var report = Run(
            "rome",
            manifest,
            $"layers: [{layer}]\nsecond-moments: {h.GetProperty("mom2_adjustment").GetRawText()}\n{Value(h)}",
            header,
            [Request(manifest.GetProperty("request"))]
        );
        using var model = EditGoldens.Model(manifest);
        Edited(
            model,
            golden,
            manifest.GetProperty("sensitivity"),
            [(layer, "delta_weight", "delta_weight", "new_weight")],
            name
        );
        var outcome = Assert.Single(report["requests"]!.AsArray())!;
        Assert.True((double)outcome["probabilityAfter"]! > (double)outcome["probabilityBefore"]!);
    }

    [GoldenTheory("edit/memit/*.json")]
    [MemberData(nameof(Cases), "memit")]
    public void Memit_is_repeated(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("memit", name + ".json");
        var golden = Golden("memit", name);
        var h = manifest.GetProperty("hparams");
        var layers = EditGoldens.Ints(h.GetProperty("layers"));
        var requests = manifest.GetProperty("requests").EnumerateArray().Select(r => Request(r)).ToList();
        _ = Run(
            "memit",
            manifest,
            $"layers: [{string.Join(", ", layers)}]\nbatch-size: {requests.Count}\nlambda: "
                + $"{h.GetProperty("mom2_update_weight").GetRawText()}\n{Value(h)}",
            Moments(layers),
            requests
        );
        using var model = EditGoldens.Model(manifest);
        Edited(
            model,
            golden,
            manifest.GetProperty("sensitivity"),
            [.. layers.Select(l => (l, $"layer{l}.upd_f64", $"layer{l}.upd_f64", $"layer{l}.new_weight"))],
            name
        );
    }

    [GoldenTheory("edit/alphaedit/*.json")]
    [MemberData(nameof(Cases), "alphaedit")]
    public void AlphaEdit_is_repeated_batch_after_batch(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = EditGoldens.Read("alphaedit", name + ".json");
        var batches = EditGoldens.Batches(manifest);
        var goldens = batches.Select(b => Golden("alphaedit", b)).ToList();
        var h = manifest.GetProperty("hparams");
        var layers = EditGoldens.Ints(h.GetProperty("layers"));
        // The command fills batches of one size: all but the last of the reference's must be as large as the first.
        int[] sizes = [.. batches.Select(b => manifest.GetProperty(b).GetArrayLength())];
        Assert.All(sizes[..^1], size => Assert.Equal(sizes[0], size));
        Assert.InRange(sizes[^1], 1, sizes[0]);
        var batch = sizes[0];
        List<JsonObject> requests =
        [
            .. batches.SelectMany(b => manifest.GetProperty(b).EnumerateArray()).Select(r => Request(r)),
        ];
        _ = Run(
            "alphaedit",
            manifest,
            $"layers: [{string.Join(", ", layers)}]\nbatch-size: {batch}\nnull-space-threshold: "
                + $"{h.GetProperty("nullspace_threshold").GetRawText()}\nnull-space-unit: absolute\nridge: "
                + $"{h.GetProperty("L2").GetRawText()}\n{Value(h)}",
            Moments(layers),
            requests
        );
        using var model = EditGoldens.Model(manifest);
        // The patch holds all batches: the sum of the reference's updates.
        var sums = layers.ToDictionary(
            l => l,
            l => goldens.Select(g => g.Read($"layer{l}.upd")).Aggregate((sum, update) => sum + update)
        );
        Edited(
            model,
            goldens[^1],
            manifest.GetProperty("sensitivity").GetProperty(batches[^1]),
            [.. layers.Select(l => (l, $"layer{l}.upd", (string?)null, $"layer{l}.new_weight"))],
            "alphaedit",
            sums
        );
    }

    [GoldenTheory("edit/grace/*.json")]
    [MemberData(nameof(Cases), "grace")]
    public void Grace_is_repeated(string name)
    {
        using var scope = NewDisposeScope();
        using var json = AdapterGoldens.Manifest("grace", name);
        var manifest = json.RootElement;
        var golden = AdapterGoldens.Tensors("grace", name);
        var h = manifest.GetProperty("hparams");
        var requests = manifest
            .GetProperty("requests")
            .EnumerateArray()
            .Select(
                (r, i) =>
                {
                    var line = Request(r);
                    if (golden.Entries.ContainsKey($"edit{i}.initial_value"))
                        line["initial_value"] = $"edit{i}.initial_value";
                    return line;
                }
            )
            .ToList();
        var options =
            $"layer: {manifest.GetProperty("layer").GetInt32()}\nlearning-rate: "
            + $"{h.GetProperty("edit_lr").GetRawText()}\nsteps: {h.GetProperty("n_iter").GetInt32()}\nradius: "
            + $"{h.GetProperty("eps").GetRawText()}\nstart: "
            + $"{h.GetProperty("val_init").GetString()}\nreplacement: "
            + $"{h.GetProperty("replacement").GetString()!["replace_".Length..]}\nlabel-order: aligned\n";
        _ = Run("grace", manifest, options, Header(FileOf("grace", name), null), requests);
        using var patch = (CodebookPatch)ModelPatch.Load(_tool["patch"]);
        var last = $"edit{requests.Count - 1}";
        Tensors.Near(golden.Read(last + ".keys"), patch.Codebook.Keys, 1e-4, name + " keys");
        Tensors.Near(golden.Read(last + ".epsilons"), tensor(patch.Codebook.Radii.ToArray()), 1e-4, name + " radii");
        Tensors.Near(
            golden.Read(last + ".values"),
            patch.Codebook.Values,
            AdapterGoldens.Bound(manifest, "sensitivity", last + ".values"),
            name + " values"
        );
        Probes(manifest, golden, patch, 1e-4, name);
    }

    [GoldenTheory("edit/wise/*.json")]
    [MemberData(nameof(Cases), "wise")]
    public void Wise_is_repeated(string name)
    {
        using var scope = NewDisposeScope();
        using var json = AdapterGoldens.Manifest("wise", name);
        var manifest = json.RootElement;
        var golden = AdapterGoldens.Tensors("wise", name);
        var h = manifest.GetProperty("hparams");
        var requests = manifest
            .GetProperty("requests")
            .EnumerateArray()
            .Select(r =>
            {
                var line = Request(r);
                line["locality_ids"] = Copy(r.GetProperty("loc_prompt_ids"));
                return line;
            })
            .ToList();
        var (layer, save) = (manifest.GetProperty("layer").GetInt32(), h.GetProperty("save_freq").GetInt32());
        var header = Header(FileOf("wise", name), Copy(manifest.GetProperty("context_prefixes")));
        header["masks"] = new JsonArray([
            .. Enumerable.Range(0, (requests.Count + save - 1) / save).Select(i => (JsonNode)$"edit{i * save}.mask_u8"),
        ]);
        _ = Run("wise", manifest, WiseOptions(layer, h), header, requests);
        using var patch = ModelPatch.Load(_tool["patch"]);
        Assert.Equal(h.GetProperty("retrieve").GetBoolean(), patch is SideMemoryPatch);
        // By their change from the main memory, which is what the sensitivity is of.
        if (patch is SideMemoryPatch side)
        {
            using var model = AdapterGoldens.Model(manifest);
            var main = model.Weight(CausalLm.DownProjName(layer));
            var what = $"edit{requests.Count - 1}.side_weight_after";
            Tensors.Near(
                golden.Read(what) - main,
                side.Memories[0].Weight - main,
                AdapterGoldens.Bound(manifest, "sensitivity_of_weight_change", what),
                name + " side memory"
            );
        }
        Probes(manifest, golden, patch, 3e-4, name);
    }

    private static string WiseOptions(int layer, JsonElement h)
    {
        string Of(string option, string hyperparameter) => $"{option}: {h.GetProperty(hyperparameter).GetRawText()}\n";
        var merge = h.GetProperty("merge_alg")
            .GetString()!
            .Split('_')
            .Select((part, i) => i == 0 ? part : char.ToUpperInvariant(part[0]) + part[1..]);
        return $"layer: {layer}\nmerge: {string.Concat(merge)}\n"
            + Of("learning-rate", "edit_lr")
            + Of("steps", "n_iter")
            + Of("alpha", "alpha")
            + Of("beta", "beta")
            + Of("gamma", "gamma")
            + Of("act-ratio", "act_ratio")
            + Of("mask-ratio", "mask_ratio")
            + Of("norm-constraint", "norm_constraint")
            + Of("save-frequency", "save_freq")
            + Of("merge-frequency", "merge_freq")
            + Of("density", "densities")
            + Of("merge-weight", "weights")
            + Of("retrieve", "retrieve");
    }

    private static string CommonMoments => Path.Combine(EditGoldens.Folder, "common", "second_moment.safetensors");

    private static string FileOf(string method, string name) =>
        Path.Combine(EditGoldens.Folder, method, name + ".safetensors");

    private static SafetensorsFile Golden(string method, string name) => SafetensorsFile.Open(FileOf(method, name));

    private static JsonNode Copy(JsonElement element) => JsonNode.Parse(element.GetRawText())!;

    private static JsonNode Contexts(string method) =>
        Copy(EditGoldens.Read("common", "inputs.json").GetProperty(method + "_context_prefixes"));

    private static JsonObject Header(string tensors, JsonNode? contexts)
    {
        var header = new JsonObject { ["format"] = "token-requests/1", ["tensors"] = tensors };
        if (contexts is not null)
            header["context_prefixes"] = contexts;
        return header;
    }

    private static JsonObject Moments(IEnumerable<int> layers)
    {
        var header = Header(CommonMoments, Contexts("memit"));
        header["second_moments"] = new JsonObject(
            layers.Select(l => KeyValuePair.Create($"{l}", (JsonNode?)$"layer{l}.C"))
        );
        return header;
    }

    // The essence sentence of the goldens is BOS, the subject and two more tokens that come after the place where it is
    // read.
    private static JsonObject Request(JsonElement r) =>
        new()
        {
            ["prompt_ids"] = Copy(r.GetProperty("prompt_ids")),
            ["subject_first"] = 1 + r.GetProperty("prefix_ids").GetArrayLength(),
            ["subject_last"] = r.GetProperty("subject_last_index").GetInt32(),
            ["target_ids"] = Copy(r.GetProperty("target_ids")),
        };

    private static string Value(JsonElement h)
    {
        string Of(string option, string hyperparameter) =>
            $"  {option}: {h.GetProperty(hyperparameter).GetRawText()}\n";
        return "value:\n"
            + Of("steps", "v_num_grad_steps")
            + Of("learning-rate", "v_lr")
            + Of("weight-decay", "v_weight_decay")
            + Of("clamp-norm-factor", "clamp_norm_factor")
            + Of("kl-factor", "kl_factor");
    }

    private JsonNode Run(
        string method,
        JsonElement manifest,
        string options,
        JsonObject header,
        IReadOnlyList<JsonObject> requests
    )
    {
        File.WriteAllLines(_tool["tokens.jsonl"], [header.ToJsonString(), .. requests.Select(r => r.ToJsonString())]);
        File.WriteAllText(_tool["options.yaml"], options);
        var (code, output, error) = _tool.Run(
            "apply",
            "--method",
            method,
            "--preset",
            "reference",
            "--model",
            Goldens.ModelFolder(manifest),
            "--token-requests",
            "tokens.jsonl",
            "--method-options",
            "options.yaml",
            "--out",
            "patch",
            "--patch-only",
            "--device",
            "cpu",
            "--json"
        );
        Assert.True(code == 0, $"exit code {code}\n{output}\n{error}");
        return JsonNode.Parse(output)!;
    }

    // Updates, weights and logits of the patch on disk.
    private void Edited(
        CausalLm model,
        SafetensorsFile golden,
        JsonElement sensitivity,
        IReadOnlyList<(int Layer, string Sensitivity, string? Update, string Weight)> layers,
        string name,
        IReadOnlyDictionary<int, Tensor>? updates = null
    )
    {
        using var quiet = no_grad();
        using var patch = (WeightPatch)ModelPatch.Load(_tool["patch"]);
        Assert.Equal(
            layers.Select(l => CausalLm.DownProjName(l.Layer)),
            patch.Changes.Select(c => c.Key).Order(StringComparer.Ordinal)
        );
        foreach (var (layer, what, update, _) in layers)
        {
            var change = (LowRankChange)patch.Changes[CausalLm.DownProjName(layer)];
            Tensors.Near(
                update is null ? updates![layer] : golden.Read(update),
                matmul(change.Left, change.Right.t()),
                EditGoldens.Bound(sensitivity, what),
                $"{name} update {layer}"
            );
        }
        using var applied = patch.ApplyTo(model);
        foreach (var (layer, what, _, weight) in layers)
            Tensors.Near(
                golden.Read(weight),
                model.Weight(CausalLm.DownProjName(layer)),
                EditGoldens.Bound(sensitivity, what),
                $"{name} weight {layer}"
            );
        Tensors.Near(
            golden.Read("probe_logits_after"),
            EditGoldens.LastLogits(model, EditGoldens.Read("common", "inputs.json")),
            EditGoldens.Bound(sensitivity, "probe_logits_after"),
            name + " probes"
        );
    }

    private static void Probes(
        JsonElement manifest,
        SafetensorsFile golden,
        ModelPatch patch,
        double bound,
        string name
    )
    {
        using var quiet = no_grad();
        using var model = AdapterGoldens.Model(manifest);
        using var applied = patch.ApplyTo(model);
        foreach (var (i, probe) in manifest.GetProperty("probes").EnumerateArray().Select(AdapterGoldens.Ints).Index())
            Tensors.Near(
                golden.Read($"probe{i}.logits_last"),
                model.Forward(Tensors.Ids(probe), new ForwardOptions { Tap = patch.Tap })[0, -1],
                bound,
                $"{name} probe {i}"
            );
    }

    public void Dispose() => _tool.Dispose();
}
