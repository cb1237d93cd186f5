using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// What <c>apply</c> writes, read by a reader that is none of the product's: what a method edits has changed, and every
/// other tensor is the same byte for byte.
/// </summary>
[Trait("Category", "EndToEnd")]
public sealed class WrittenWeightsTests : IDisposable
{
    private const string Question = "Which city serves as the capital of Hungary?";
    private readonly Tool _tool = new();

    public WrittenWeightsTests()
    {
        File.WriteAllText(
            _tool["forget.jsonl"],
            $$"""{"id":"a","question":"{{Question}}","answer":"Budapest","subject":"Hungary"}""" + "\n"
        );
        File.WriteAllText(
            _tool["retain.jsonl"],
            """{"id":"r","question":"Which city serves as the capital of Thailand?","answer":"Bangkok"}""" + "\n"
        );
        File.WriteAllText(_tool["rome.yaml"], "layers: [1]\nsecond-moments: false\ncontexts: 0\nvalue: { steps: 3 }\n");
        File.WriteAllText(_tool["memit.yaml"], "layers: [0, 1]\ncontexts: 0\nlambda: 1\nvalue: { steps: 3 }\n");
        File.WriteAllText(
            _tool["alphaedit.yaml"],
            "layers: [1, 2]\ncontexts: 0\nnull-space-threshold: 0.9\nnull-space-unit: mean\nvalue: { steps: 3 }\n"
        );
        File.WriteAllText(_tool["gd.yaml"], "trainable: full\nlearning-rate: 1e-3\nepochs: 2\nbatch-size: 1\n");
    }

    [Theory]
    [InlineData("rome", 1)]
    [InlineData("memit", 0, 1)]
    [InlineData("alphaedit", 1, 2)]
    [InlineData("gd", null)]
    public void What_is_edited_has_changed_and_nothing_else(string method, params int[]? blocks)
    {
        TinyCheckpoints.WriteAskable(_tool["model"], [Question, "I do not know.", "Budapest", "Bangkok"]);
        // Several files, so that a tensor may also come to lie in another one.
        var (code, _, error) = Apply(method, "--retain", "retain.jsonl", "--shard-size", "20kB");
        Assert.True(code == 0, error);
        var expected = blocks is null ? RawTensors.Of(_tool["model"]).Keys : blocks.Select(DownProj);
        Assert.Equal(expected.Order(StringComparer.Ordinal), RawTensors.Changed(_tool["model"], _tool["edited"]));
        Assert.True(Directory.EnumerateFiles(_tool["edited"], "*.safetensors").Count() > 1);
    }

    [RealModelFact("real/*/untouched-answers.json")]
    [Trait("Category", "RealModel")]
    public void Of_a_published_model_one_weight_changes_and_no_byte_of_the_others()
    {
        Directory.CreateSymbolicLink(_tool["model"], RealModels.Folder());
        File.WriteAllText(_tool["rome.yaml"], "layers: [5]\nsecond-moments: false\ncontexts: 0\nvalue: { steps: 3 }\n");
        var (code, _, error) = Apply("rome");
        Assert.True(code == 0, error);
        Assert.Equal([DownProj(5)], RawTensors.Changed(_tool["model"], _tool["edited"]));
    }

    private static string DownProj(int block) => $"model.layers.{block}.mlp.down_proj.weight";

    private (int ExitCode, string Out, string Error) Apply(string method, params string[] more) =>
        _tool.Run([
            "apply",
            "--method",
            method,
            "--model",
            "model",
            "--forget",
            "forget.jsonl",
            "--method-options",
            $"{method}.yaml",
            "--moments-text",
            "data/refusals-own.txt",
            "--out",
            "edited",
            "--max-new",
            "2",
            "--device",
            "cpu",
            .. more,
        ]);

    public void Dispose() => _tool.Dispose();
}
