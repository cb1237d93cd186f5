using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Weights;

public sealed class WeightFolderTests
{
    [Fact]
    public void Shards_load_mapped_copied_and_converted_with_the_same_bits()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        Assert.True(Directory.EnumerateFiles(folder.Path, "*.safetensors").Count() > 2);
        using var mapped = WeightFolder.Load(folder.Path, CPU, null);
        using var copied = WeightFolder.Load(folder.Path, CPU, ScalarType.BFloat16, new LoadOptions { Mapped = false });
        using var wide = WeightFolder.Load(folder.Path, CPU);
        Assert.Equal((ScalarType.BFloat16, ScalarType.Float32), (mapped.DType, wide.DType));
        foreach (var (name, weight) in mapped.Weights)
        {
            Assert.True(Tensors.SameBits(weight, copied.Weight(name)), name);
            Assert.True(Tensors.SameBits(weight.to(ScalarType.Float32), wide.Weight(name)), name);
        }
        Assert.Equal([2, 5], mapped.Config.StopIds);
    }

    [Fact]
    public void Editing_a_loaded_model_leaves_every_byte_of_the_folder()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        var before = TinyCheckpoints.Bytes(folder.Path);
        using (var model = WeightFolder.Load(folder.Path, CPU, null))
        {
            using var quiet = no_grad();
            foreach (var weight in model.Weights.Values)
                weight.mul_(-3);
        }
        foreach (var (name, bytes) in TinyCheckpoints.Bytes(folder.Path))
            Assert.Equal(before[name], bytes);
    }

    [Fact]
    public void A_mapped_bfloat16_model_answers_like_its_float32_copy_and_can_be_edited()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        var before = TinyCheckpoints.Bytes(folder.Path);
        using var narrow = WeightFolder.Load(folder.Path, CPU, null);
        using var wide = WeightFolder.Load(folder.Path, CPU);
        var ids = Tensors.Ids([1, 5, 9, 14, 20, 33]);
        // Every map rounds its result to 8 bits; float32 from the same weights is the reference.
        using (no_grad())
            Tensors.Near(wide.Forward(ids), narrow.Forward(ids).to(ScalarType.Float32), 3e-2, "bfloat16 logits");

        var request = new EditRequest("one", [1, 5, 9, 14, 20], 4, [33, 40], [1, 5, 9, 7], 2);
        // Its MLP writes next to nothing into the stream: without decay and bound, the offset alone counts.
        var free = new ValueOptions
        {
            Steps = 16,
            LearningRate = 0.1,
            ClampNormFactor = 1e6,
            WeightDecay = 0,
        };
        double Fallen(CausalLm model)
        {
            var losses = TargetValues
                .Optimise(
                    model,
                    [request],
                    [
                        [],
                    ],
                    1,
                    ValueSite.MlpOut,
                    free
                )[0]
                .Losses;
            return losses[0].Nll - losses[^1].Nll;
        }
        Assert.True(Fallen(wide) > 0.1);
        Assert.InRange(Fallen(narrow), 0.9 * Fallen(wide), 1.1 * Fallen(wide));
        using var patch = new Rome(
            new Rome.Options
            {
                Layers = [1],
                Contexts = 0,
                Value = free,
            }
        ).Edit(narrow, new MethodInputs { Edits = [request] }, new Seed(1));
        using (patch.ApplyTo(narrow))
            Assert.False(
                Tensors.SameBits(
                    narrow.Weight(TensorNames.DownProj(1)),
                    wide.Weight(TensorNames.DownProj(1)).to(ScalarType.BFloat16)
                )
            );
        foreach (var (name, bytes) in TinyCheckpoints.Bytes(folder.Path))
            Assert.Equal(before[name], bytes);
    }

    [Fact]
    public void Progress_counts_every_byte_and_ends_at_the_total()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        var seen = new List<LoadProgress>();
        using var model = WeightFolder.Load(folder.Path, CPU, options: new LoadOptions { Progress = seen.Add });
        Assert.Equal(model.Weights.Count, seen.Count);
        Assert.Equal(seen[^1].BytesTotal, seen[^1].BytesDone);
        Assert.Equal(model.Weights.Values.Sum(w => w.numel() * 2), seen[^1].BytesTotal);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() =>
            WeightFolder.Load(folder.Path, CPU, options: new LoadOptions { Cancelled = stop.Token })
        );
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Weights_that_are_not_finite_are_told_of_and_load(bool mapped)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path, shardBytes: null);
        var file = SafetensorsFile.Open(folder["model.safetensors"]);
        var tensors = file.ReadAll();
        using (no_grad())
        {
            tensors[TensorNames.DownProj(1)][3, 4] = float.NaN;
            tensors[TensorNames.DownProj(1)][31, 55] = float.NegativeInfinity;
        }
        SafetensorsWriter.Write(folder["model.safetensors"], tensors);
        var warnings = new List<string>();
        using var model = WeightFolder.Load(
            folder.Path,
            CPU,
            null,
            new LoadOptions { Warn = warnings.Add, Mapped = mapped }
        );
        Assert.Equal([$"{TensorNames.DownProj(1)} holds 2 values that are NaN or infinite"], warnings);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    public void Each_value_that_is_not_finite_is_counted_wherever_it_lies(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var draw = new Seed(1).Stream("places");
        foreach (var length in (int[])[1, 2, 7, 31, 4095, 4096, 4097, 12345])
        {
            var values = zeros(length, dtype: type) + 65504;
            var places = Enumerable.Range(0, 3).Select(_ => draw.Below(length)).Distinct().ToList();
            foreach (var (i, place) in places.Index())
                values[place] = (i % 3) switch
                {
                    0 => double.NaN,
                    1 => double.PositiveInfinity,
                    _ => double.NegativeInfinity,
                };
            Assert.Equal(places.Count, FiniteCheck.CountNotFinite(values));
        }
    }

    [Fact]
    public void A_hub_cache_of_links_loads()
    {
        using var root = new TemporaryFolder();
        var (blobs, snapshot) = (
            Directory.CreateDirectory(root["models--a--b/blobs"]).FullName,
            Directory.CreateDirectory(root["models--a--b/snapshots/0123abcd"]).FullName
        );
        TinyCheckpoints.Write(snapshot);
        foreach (var (i, file) in Directory.EnumerateFiles(snapshot).Order().Index().ToList())
        {
            File.Move(file, Path.Combine(blobs, $"{i:00}"));
            File.CreateSymbolicLink(file, $"../../blobs/{i:00}");
        }
        using var model = WeightFolder.Load(snapshot, CPU, null);
        var report = CheckpointExport.Write(snapshot, model, root["out"]);
        Assert.Contains("tokenizer.model", report.Carried);
        Assert.Empty(report.LeftOut);
        Assert.All(Directory.EnumerateFiles(root["out"]), f => Assert.Null(new FileInfo(f).LinkTarget));
    }

    [Theory]
    [InlineData("../elsewhere.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("sub/model.safetensors")]
    [InlineData("..")]
    [InlineData("pytorch_model.bin")]
    [InlineData("")]
    [InlineData(null)]
    public void A_shard_name_that_leaves_the_folder_is_refused(string? shard)
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        ChangeIndex(folder, map => map[TensorNames.FinalNorm] = shard);
        Assert.Contains(
            "not the name of a .safetensors file inside the folder",
            Refusal(folder),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void An_index_that_disagrees_with_its_shards_is_refused_with_all_differences()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        ChangeIndex(
            folder,
            map =>
            {
                var last = map.Last().Value!.GetValue<string>();
                map[TensorNames.Embedding] = last; // lies in the first
                map["invented"] = last;
                map["lost"] = "model-00009-of-00009.safetensors";
                map.Remove(TensorNames.FinalNorm);
            }
        );
        var message = Refusal(folder);
        Assert.Contains($"'{TensorNames.Embedding}' is not in model-", message, StringComparison.Ordinal);
        Assert.Contains($"'{TensorNames.Embedding}' is in model-00001", message, StringComparison.Ordinal);
        Assert.Contains("'invented' is not in", message, StringComparison.Ordinal);
        Assert.Contains("model-00009-of-00009.safetensors is missing", message, StringComparison.Ordinal);
        Assert.Contains($"'{TensorNames.FinalNorm}' is in model-", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pytorch_model.bin", "pickle")]
    [InlineData("consolidated.00.pth", "pickle")]
    [InlineData("model.gguf", "quantised")]
    [InlineData("weights.safetensors", "rename")]
    [InlineData("nothing.txt", "download completed")]
    public void A_folder_without_safetensors_weights_says_what_to_do(string name, string expected)
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path, shardBytes: null);
        File.Move(folder["model.safetensors"], folder[name]);
        Assert.Contains(expected, Refusal(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_sets_of_weights_in_one_folder_are_refused()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        File.Copy(folder["model-00001-of-00005.safetensors"], folder["model.safetensors"]);
        Assert.Contains("holds both", Refusal(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_superfluous_misshapen_and_whole_numbered_tensors_are_all_listed()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path, shardBytes: null);
        var tensors = SafetensorsFile.Open(folder["model.safetensors"]).ReadAll();
        tensors.Remove(TensorNames.FinalNorm);
        tensors[TensorNames.LmHead] = zeros(3, 3);
        tensors["surplus"] = zeros(1);
        tensors[TensorNames.DownProj(0)] = zeros(32, 56, dtype: ScalarType.Int8);
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = zeros(4); // old exports; not counted
        SafetensorsWriter.Write(folder["model.safetensors"], tensors);
        var problems = Assert.Throws<InputException>(() => WeightFolder.Load(folder.Path, CPU)).Problems;
        Assert.Equal(4, problems.Count);
        Assert.All(
            (string[])[TensorNames.FinalNorm, TensorNames.LmHead, "surplus", TensorNames.DownProj(0)],
            name => Assert.Contains(problems, p => p.Message.Contains(name, StringComparison.Ordinal))
        );
    }

    [Fact]
    public void A_config_of_a_thousand_blocks_gives_a_list_that_can_be_read()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path);
        File.WriteAllText(
            folder["config.json"],
            File.ReadAllText(folder["config.json"])
                .Replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1000", StringComparison.Ordinal)
        );
        var problems = Assert.Throws<InputException>(() => WeightFolder.Load(folder.Path, CPU)).Problems;
        Assert.Equal(401, problems.Count);
        Assert.Equal($"and {(997 * 9) - 400} more of the kind", problems[^1].Message);
    }

    private static string Refusal(TemporaryFolder folder) =>
        Assert.Throws<InputException>(() => WeightFolder.Load(folder.Path, CPU)).Message;

    private static void ChangeIndex(TemporaryFolder folder, Action<JsonObject> change)
    {
        var index = JsonNode.Parse(File.ReadAllText(folder["model.safetensors.index.json"]))!;
        change(index["weight_map"]!.AsObject());
        File.WriteAllText(folder["model.safetensors.index.json"], index.ToJsonString());
    }
}
