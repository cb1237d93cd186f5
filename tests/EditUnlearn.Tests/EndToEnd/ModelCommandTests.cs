using System.Text.Json.Nodes;
using EditUnlearn.Models.Inspection;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>The commands that look into a checkpoint, as a user types them, on a folder with weights only.</summary>
[Trait("Category", "EndToEnd")]
public sealed class ModelCommandTests : IDisposable
{
    private readonly Tool _tool = new();

    public ModelCommandTests()
    {
        using var model = TinyModels.Llama();
        WeightFolder.Save(_tool["tiny"], model);
        TokenFile.Write(
            _tool["ids.json"],
            [
                [1, 5, 9, 14],
                [1, 7],
            ]
        );
    }

    [Fact]
    public void A_checkpoint_with_several_types_is_converted_tensor_by_tensor_or_into_one()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama();
        SafetensorsWriter.Write(
            Path.Combine(_tool["tiny"], "model.safetensors"),
            model.Weights.Select(w =>
                KeyValuePair.Create(w.Key, w.Value.shape.Length == 1 ? w.Value : w.Value.to(ScalarType.BFloat16))
            )
        );
        foreach (var (name, type) in ((string, string?)[])[("same", null), ("one", "bfloat16")])
        {
            string[] more = type is null ? [] : ["--dtype", type];
            var (code, _, error) = _tool.Run(["model", "convert", "--model", "tiny", "--out", name, .. more]);
            Assert.True(code == 0, error);
            var file = SafetensorsFile.Open(Path.Combine(_tool[name], "model.safetensors"));
            var types = file.Entries.Values.Select(e => e.Type).Distinct().Order().ToList();
            Assert.Equal(type is null ? [ScalarType.Float32, ScalarType.BFloat16] : [ScalarType.BFloat16], types);
        }
    }

    [Fact]
    public void Logits_and_hidden_states_equal_the_models_own()
    {
        var (code, _, error) = _tool.Run(
            "model",
            "logits",
            "--model",
            "tiny",
            "--ids",
            "ids.json",
            "--out",
            "out.safetensors",
            "--hidden"
        );
        Assert.True(code == 0, error);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama();
        var file = SafetensorsFile.Open(_tool["out.safetensors"]);
        var names = new[] { 0, 1 }.SelectMany(i =>
            Enumerable
                .Range(0, 3)
                .Select(l => $"hidden.{i}.{l}")
                .Concat([$"hidden.{i}.embed", $"hidden.{i}.final_norm", $"logits.{i}"])
        );
        Assert.Equal(names.Order(StringComparer.Ordinal), file.Entries.Keys.Order(StringComparer.Ordinal));
        var expected = model.Forward(Tensors.Ids([1, 5, 9, 14]))[0];
        Assert.Equal([4, 97], file.Entries["logits.0"].Shape);
        Assert.True(Tensors.SameBits(expected, file.Read("logits.0")));
        Tensors.Near(
            expected,
            model.Logits(model.FinalNorm(file.Read("hidden.0.2"))),
            1e-6,
            "logits of the last block"
        );
    }

    [Fact]
    public void Exactly_as_many_ids_are_written_as_asked_for_unless_stop_tokens_count()
    {
        Assert.Equal(
            0,
            _tool
                .Run(
                    "model",
                    "generate",
                    "--model",
                    "tiny",
                    "--ids",
                    "ids.json",
                    "--max-new",
                    "11",
                    "--out",
                    "new.json"
                )
                .ExitCode
        );
        var exact = TokenFile.Read(_tool["new.json"], 97);
        Assert.All(exact, s => Assert.Equal(11, s.Count));
        // Its third token becomes a stop token of the checkpoint.
        var config = JsonNode.Parse(File.ReadAllText(_tool["tiny/config.json"]))!;
        config["eos_token_id"] = exact[0][2];
        File.WriteAllText(_tool["tiny/config.json"], config.ToJsonString());
        Assert.Equal(
            0,
            _tool
                .Run(
                    "model",
                    "generate",
                    "--model",
                    "tiny",
                    "--ids",
                    "ids.json",
                    "--max-new",
                    "11",
                    "--out",
                    "stopped.json",
                    "--stop"
                )
                .ExitCode
        );
        var expected = exact[0].TakeWhile(id => id != exact[0][2]).ToList();
        Assert.Equal(
            expected,
            (JsonNode.Parse(File.ReadAllText(_tool["stopped.json"]))![0]!.AsArray()).Select(n => (int)n!)
        );
    }

    [Fact]
    public void Info_counts_without_loading()
    {
        var (code, output, _) = _tool.Run("model", "info", "--model", "tiny", "--json");
        Assert.Equal(0, code);
        var facts = JsonNode.Parse(output)!;
        using var model = TinyModels.Llama();
        Assert.Equal(model.Weights.Values.Sum(w => w.numel()), (long)facts["parameters"]!);
        Assert.Equal("llama2", (string?)facts["family"]);
        Assert.Contains("parameters", _tool.Run("model", "info", "--model", "tiny").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_converted_copy_has_the_same_weights_and_the_same_logits()
    {
        File.WriteAllText(_tool["tiny/tokenizer_config.json"], "{ \"any\": \"thing\" }");
        Assert.Equal(
            0,
            _tool.Run("model", "convert", "--model", "tiny", "--out", "copy", "--shard-size", "20kB").ExitCode
        );
        Assert.True(Directory.GetFiles(_tool["copy"], "*.safetensors").Length > 1);
        Assert.Equal("{ \"any\": \"thing\" }", File.ReadAllText(_tool["copy/tokenizer_config.json"]));
        foreach (var folder in (string[])["tiny", "copy"])
            Assert.Equal(
                0,
                _tool
                    .Run("model", "logits", "--model", folder, "--ids", "ids.json", "--out", folder + ".safetensors")
                    .ExitCode
            );
        Assert.Equal(File.ReadAllBytes(_tool["tiny.safetensors"]), File.ReadAllBytes(_tool["copy.safetensors"]));

        Assert.Equal(
            0,
            _tool.Run("model", "convert", "--model", "tiny", "--out", "half", "--dtype", "bfloat16").ExitCode
        );
        Assert.Equal(
            "bfloat16",
            (string?)JsonNode.Parse(_tool.Run("model", "info", "--model", "half", "--json").Out)!["stored"]![0]!["type"]
        );
        var (code, _, error) = _tool.Run("model", "convert", "--model", "tiny", "--out", "half");
        Assert.Equal(2, code);
        Assert.Contains("half", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        2,
        "'large' is not a size",
        "model",
        "convert",
        "--model",
        "tiny",
        "--out",
        "c",
        "--shard-size",
        "large"
    )]
    [InlineData(2, "needs either --ids or --prompt", "model", "generate", "--model", "tiny")]
    [InlineData(2, "must be at least 1", "model", "generate", "--model", "tiny", "--prompt", "q", "--max-new", "0")]
    [InlineData(
        2,
        "there is no such file",
        "model",
        "logits",
        "--model",
        "tiny",
        "--ids",
        "none.json",
        "--out",
        "x.safetensors"
    )]
    [InlineData(
        2,
        "does not exist",
        "model",
        "logits",
        "--model",
        "tiny",
        "--ids",
        "ids.json",
        "--out",
        "none/x.safetensors"
    )]
    [InlineData(2, "there is no such folder", "model", "info", "--model", "nowhere")]
    [InlineData(
        2,
        "'gpu' is not a device",
        "model",
        "logits",
        "--model",
        "tiny",
        "--ids",
        "ids.json",
        "--out",
        "x",
        "--device",
        "gpu"
    )]
    [InlineData(
        6,
        "the device 'cuda:63' is not there",
        "model",
        "logits",
        "--model",
        "tiny",
        "--ids",
        "ids.json",
        "--out",
        "x",
        "--device",
        "cuda:63"
    )]
    [InlineData(2, "needs either --model or --cell", "ask", "Who?")]
    [InlineData(2, "tokenizer", "ask", "Who?", "--model", "tiny")]
    public void Mistakes_are_named(int expected, string text, params string[] arguments)
    {
        var (code, output, error) = _tool.Run(arguments);
        Assert.True(expected == code, $"exit code {code}\n{output}\n{error}");
        Assert.Contains(text, error, StringComparison.Ordinal);
    }

    public void Dispose() => _tool.Dispose();
}
