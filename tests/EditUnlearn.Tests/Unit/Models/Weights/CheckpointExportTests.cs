using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Weights;

public sealed class CheckpointExportTests
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void An_unchanged_model_comes_back_byte_for_byte_whatever_type_it_has_in_memory(ScalarType memory)
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"], ScalarType.Float32);
        using var model = WeightFolder.Load(root["in"], CPU, memory);
        var report = CheckpointExport.Write(root["in"], model, root["out"]);
        var (before, after) = (TinyCheckpoints.Bytes(root["in"]), TinyCheckpoints.Bytes(root["out"]));
        Assert.Equal(before.Keys.Order(), after.Keys.Order());
        foreach (var (name, bytes) in before)
            if (name != "model.safetensors.index.json")
                Assert.True(bytes.AsSpan().SequenceEqual(after[name]), name);
        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse(before["model.safetensors.index.json"]),
                JsonNode.Parse(after["model.safetensors.index.json"])
            )
        );
        Assert.Equal(
            ["LICENSE", "config.json", "generation_config.json", "tokenizer.model", "tokenizer_config.json"],
            report.Carried.Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            ["in", "out"],
            Directory.EnumerateFileSystemEntries(root.Path).Select(f => Path.GetFileName(f)).Order()
        );
    }

    [Fact]
    public void A_patched_model_differs_where_it_was_patched_and_nowhere_else()
    {
        using var scope = NewDisposeScope();
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"]);
        var before = TinyCheckpoints.Bytes(root["in"]);
        using var model = WeightFolder.Load(root["in"], CPU); // float32 in memory, bfloat16 in the file
        using var patch = new WeightPatch([
            KeyValuePair.Create<string, WeightChange>(
                TensorNames.DownProj(1),
                new LowRankChange(randn(32, 1), randn(56, 1))
            ),
        ]);
        using (patch.ApplyTo(model))
            CheckpointExport.Write(root["in"], model, root["out"]);

        using (patch.ApplyTo(model))
        {
            using var edited = WeightFolder.Load(root["out"], CPU);
            using var source = WeightFolder.Load(root["in"], CPU);
            foreach (var (name, weight) in edited.Weights)
            {
                Assert.Equal(name != TensorNames.DownProj(1), Tensors.SameBits(weight, source.Weight(name)));
                Assert.True(
                    Tensors.SameBits(weight, model.Weight(name).to(ScalarType.BFloat16).to(ScalarType.Float32)),
                    name
                );
            }
        }
        foreach (var (name, bytes) in TinyCheckpoints.Bytes(root["in"]))
            Assert.Equal(before[name], bytes);
    }

    [Theory]
    [InlineData(1, 30)] // a tensor each
    [InlineData(9000, 9)]
    [InlineData(long.MaxValue, 1)]
    public void Shards_are_cut_to_a_size_and_load_again(long bytes, int least)
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"]);
        using var model = WeightFolder.Load(root["in"], CPU, null);
        var report = CheckpointExport.Write(root["in"], model, root["out"], new ExportOptions { ShardBytes = bytes });
        Assert.True(report.Shards.Count >= least, $"{report.Shards.Count} shards");
        Assert.Equal(
            report.Shards.Count > 1,
            File.Exists(Path.Combine(root["out"], "model.safetensors.index.json"))
                && report.Shards[0].StartsWith("model-00001-of-", StringComparison.Ordinal)
        );
        using var again = WeightFolder.Load(root["out"], CPU, null);
        foreach (var (name, weight) in model.Weights)
            Assert.True(Tensors.SameBits(weight, again.Weight(name)), name);
    }

    [Fact]
    public void Another_stored_type_is_written_and_said_and_nothing_else_of_the_config_changes()
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"], ScalarType.Float32);
        using var model = WeightFolder.Load(root["in"], CPU);
        CheckpointExport.Write(root["in"], model, root["out"], new ExportOptions { DType = ScalarType.BFloat16 });
        Assert.Equal(
            File.ReadAllText(root["in/config.json"])
                .Replace("\"torch_dtype\": \"float32\"", "\"torch_dtype\": \"bfloat16\"", StringComparison.Ordinal),
            File.ReadAllText(root["out/config.json"])
        );
        using var narrow = WeightFolder.Load(root["out"], CPU, null);
        foreach (var (name, weight) in model.Weights)
            Assert.True(Tensors.SameBits(weight.to(ScalarType.BFloat16), narrow.Weight(name)), name);
    }

    [Fact]
    public void A_tied_model_writes_no_output_map_even_where_its_source_had_one()
    {
        using var scope = NewDisposeScope();
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"], shardBytes: null, tied: true);
        var tensors = SafetensorsFile.Open(root["in/model.safetensors"]).ReadAll();
        tensors[TensorNames.LmHead] = tensors[TensorNames.Embedding];
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = randn(4);
        SafetensorsWriter.Write(root["in/model.safetensors"], tensors);
        var warnings = new List<string>();
        using var model = WeightFolder.Load(root["in"], CPU, options: new LoadOptions { Warn = warnings.Add });
        Assert.Contains("ties it to the embedding", Assert.Single(warnings), StringComparison.Ordinal);
        CheckpointExport.Write(root["in"], model, root["out"]);
        var written = SafetensorsFile.Open(root["out/model.safetensors"]);
        Assert.DoesNotContain(TensorNames.LmHead, written.Entries.Keys);
        Assert.True(
            Tensors.SameBits(
                tensors["model.layers.0.self_attn.rotary_emb.inv_freq"],
                written.Read("model.layers.0.self_attn.rotary_emb.inv_freq")
            )
        );
    }

    [Fact]
    public void Pickles_code_folders_and_links_that_lead_away_stay_behind()
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"]);
        File.WriteAllText(root["secret.txt"], "secret");
        File.CreateSymbolicLink(root["in/notes.txt"], "../secret.txt");
        foreach (
            var name in (string[])
                ["pytorch_model.bin", "consolidated.00.pth", "modeling.py", "pytorch_model.bin.index.json"]
        )
            File.WriteAllText(root["in/" + name], "{}");
        File.WriteAllBytes(root["in/picture.png"], [137, 80, 0, 1]);
        File.WriteAllText(root["in/chat_template.jinja"], "{{ bos_token }}");
        Directory.CreateDirectory(root["in/original"]);
        using var model = WeightFolder.Load(root["in"], CPU, null);
        var report = CheckpointExport.Write(root["in"], model, root["out"]);
        Assert.Equal(
            [
                "consolidated.00.pth",
                "modeling.py",
                "notes.txt",
                "original/",
                "picture.png",
                "pytorch_model.bin",
                "pytorch_model.bin.index.json",
            ],
            report.LeftOut.Select(l => l.File).Order(StringComparer.Ordinal)
        );
        Assert.True(File.Exists(root["out/chat_template.jinja"]));
        Assert.All(report.LeftOut, l => Assert.False(Path.Exists(root["out/" + l.File])));
    }

    [Fact]
    public void A_folder_that_is_taken_is_left_alone_unless_overwriting_is_asked_for()
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"]);
        using var model = WeightFolder.Load(root["in"], CPU, null);
        Directory.CreateDirectory(root["out"]);
        CheckpointExport.Write(root["in"], model, root["out"]); // empty: fine
        Assert.Contains("is not empty", Refusal(root["out"], false), StringComparison.Ordinal);
        CheckpointExport.Write(root["in"], model, root["out"], new ExportOptions { Overwrite = true });
        Directory.CreateDirectory(root["other"]);
        File.WriteAllText(root["other/diary.txt"], "");
        Assert.Contains("not a plain model folder", Refusal(root["other"], true), StringComparison.Ordinal);
        Assert.Contains("never written to", Refusal(root["in"], true), StringComparison.Ordinal);
        Directory.CreateSymbolicLink(root["alias"], "in");
        Assert.Contains("never written to", Refusal(root["alias"], true), StringComparison.Ordinal);
        Assert.Equal(
            ["alias", "in", "other", "out"],
            Directory.EnumerateFileSystemEntries(root.Path).Select(f => Path.GetFileName(f)).Order()
        );

        string Refusal(string place, bool overwrite) =>
            Assert
                .Throws<InputException>(() =>
                    CheckpointExport.Write(root["in"], model, place, new ExportOptions { Overwrite = overwrite })
                )
                .Message;
    }

    [Fact]
    public void An_export_that_is_stopped_leaves_nothing_behind()
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"]);
        using var model = WeightFolder.Load(root["in"], CPU, null);
        using var stop = new CancellationTokenSource();
        var options = new ExportOptions
        {
            Cancelled = stop.Token,
            Progress = p =>
            {
                if (p.BytesDone > p.BytesTotal / 2)
                    stop.Cancel();
            },
        };
        Assert.Throws<OperationCanceledException>(() =>
            CheckpointExport.Write(root["in"], model, root["out"], options)
        );
        Assert.Equal(["in"], Directory.EnumerateFileSystemEntries(root.Path).Select(f => Path.GetFileName(f)));
    }

    [Fact]
    public void A_model_of_another_folder_is_refused()
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"]);
        using var other = TinyModels.Llama();
        Assert.Contains(
            "not the folder this model was loaded from",
            Assert.Throws<InputException>(() => CheckpointExport.Write(root["in"], other, root["out"])).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>The format by its own rule, in a language of others: eight bytes of length, JSON, values.</summary>
    private const string Reader = """
        import glob, hashlib, json, os, struct, sys
        sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
        folder, found = sys.argv[1], {}
        for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
            with open(path, "rb") as f:
                n, = struct.unpack("<Q", f.read(8))
                header = json.loads(f.read(n).decode("utf-8"))
                data = f.read()
            header.pop("__metadata__", None)
            end = 0
            for name, t in sorted(header.items(), key=lambda p: p[1]["data_offsets"]):
                begin, stop = t["data_offsets"]
                count = 1
                for s in t["shape"]: count *= s
                assert begin == end and stop - begin == count * sizes[t["dtype"]] and name not in found, name
                assert (8 + n + begin) % sizes[t["dtype"]] == 0, "misaligned " + name
                end = stop
                digest = hashlib.sha256(data[begin:stop]).hexdigest()
                found[name] = [os.path.basename(path), t["dtype"], t["shape"], digest]
            assert end == len(data), path
        index = os.path.join(folder, "model.safetensors.index.json")
        if os.path.exists(index):
            said = json.load(open(index))
            assert said["weight_map"] == {k: v[0] for k, v in found.items()}, "index"
            bytes_of = lambda v: sizes[v[1]] * eval("*".join(map(str, v[2])) or "1")
            assert said["metadata"]["total_size"] == sum(map(bytes_of, found.values())), "total_size"
        print(json.dumps(found))
        """;

    [ProgramFact("python3")]
    [Trait("Category", "Python")]
    public void A_reader_that_is_not_ours_finds_every_tensor_of_an_edited_export()
    {
        using var root = new TemporaryFolder();
        TinyCheckpoints.Write(root["in"]);
        using var model = WeightFolder.Load(root["in"], CPU, null);
        using (no_grad())
            model.Weight(TensorNames.DownProj(2)).mul_(1.5);
        CheckpointExport.Write(root["in"], model, root["out"], new ExportOptions { ShardBytes = 20_000 });

        File.WriteAllText(root["read.py"], Reader);
        var start = new ProcessStartInfo("python3")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in (string[])["-I", root["read.py"], root["out"]])
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        using var found = JsonDocument.Parse(process.StandardOutput.ReadToEnd() is { Length: > 0 } text ? text : "{}");
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result);

        Assert.Equal(
            model.Weights.Keys.Order(StringComparer.Ordinal),
            found.RootElement.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal)
        );
        foreach (var property in found.RootElement.EnumerateObject())
        {
            var weight = model.Weight(property.Name);
            Assert.Equal("BF16", property.Value[1].GetString());
            Assert.Equal(weight.shape, property.Value[2].EnumerateArray().Select(n => n.GetInt64()));
            Assert.Equal(
                Convert.ToHexStringLower(SHA256.HashData(weight.contiguous().bytes)),
                property.Value[3].GetString()
            );
        }
    }
}
