using System.Text.Json.Nodes;
using EditUnlearn.Data;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary><c>dataset</c> as a user types it.</summary>
[Trait("Category", "EndToEnd")]
public sealed class DatasetCommandTests : IDisposable
{
    private readonly Tool _tool = new();

    [Fact]
    public void Generated_contracts_are_a_question_file_whose_questions_only_look_alike()
    {
        Assert.Equal(
            0,
            _tool.Run("dataset", "generate-contracts", "--out", "contracts.jsonl", "--edges", "2").ExitCode
        );
        Assert.Equal(40, QaFile.Read(_tool["contracts.jsonl"]).Count);
        var (code, output, error) = _tool.Run("dataset", "lint", "contracts.jsonl", "--json");
        Assert.True(code == 0, error);
        Assert.Equal(40, (int)JsonNode.Parse(output)!["rows"]!);
        Assert.All(JsonNode.Parse(output)!["findings"]!.AsArray(), f => Assert.Equal("twin", (string?)f!["rule"]));
        var wrong = _tool.Run(
            "dataset",
            "generate-contracts",
            "--out",
            "contracts.jsonl",
            "--edges",
            "21",
            "--seed",
            "-1"
        );
        Assert.Equal(
            (2, "--edges: must lie between 1 and 20, not 21\n--seed: must be at least 0, not -1\n"),
            (wrong.ExitCode, wrong.Error)
        );
    }

    // A random model's wordings do not pass; what the file brings stays, and what is missing is named.
    [Fact]
    public void Rephrase_writes_the_file_anew_and_names_the_questions_for_which_nothing_passed()
    {
        string[] questions = ["Who wrote the novel 'Romola'?", "Who wrote the novel 'Middlemarch'?"];
        TinyCheckpoints.WriteAskable(_tool["tiny"], questions);
        File.WriteAllLines(
            _tool["in.jsonl"],
            [
                $$"""{"id":"a","question":"{{questions[0]}}","answer":"George Eliot","""
                    + """ "rephrasings":["Whose novel is 'Romola'?"]}""",
                $$"""{"id":"b","question":"{{questions[1]}}","answer":"George Eliot","target":"I do not know."}""",
            ]
        );
        var (code, output, error) = _tool.Run(
            "dataset",
            "rephrase",
            "in.jsonl",
            "--model",
            "tiny",
            "--out",
            "out.jsonl",
            "--device",
            "cpu",
            "--json"
        );
        Assert.True(code == 0, error);
        Assert.Equal(["b"], JsonNode.Parse(output)!["missing"]!.AsArray().Select(m => (string?)m));
        var written = QaFile.ReadPlaced(_tool["out.jsonl"]);
        Assert.Equal(["Whose novel is 'Romola'?"], written[0].Row.Rephrasings);
        Assert.Empty(written[1].Row.Rephrasings);
        Assert.Equal("I do not know.", written[1].Target);
        // A wrong prompt is named, and the file written before stays.
        var before = File.ReadAllText(_tool["out.jsonl"]);
        var absent = _tool.Run(
            "dataset",
            "rephrase",
            "in.jsonl",
            "--model",
            "tiny",
            "--out",
            "out.jsonl",
            "--prompt",
            "nowhere.txt"
        );
        Assert.Equal(2, absent.ExitCode);
        Assert.Contains("nowhere.txt: does not exist", absent.Error, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllText(_tool["out.jsonl"]));
    }

    [Fact]
    public void Rephrase_names_every_wrong_option_at_once()
    {
        var (code, _, error) = _tool.Run(
            "dataset",
            "rephrase",
            "in.jsonl",
            "--model",
            "tiny",
            "--out",
            "nowhere/out.jsonl",
            "--count",
            "0",
            "--seed",
            "-1"
        );
        Assert.Equal(2, code);
        foreach (var option in (ReadOnlySpan<string>)["--count", "--seed", "--out"])
            Assert.Contains(option, error, StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public void Dispose() => _tool.Dispose();
}
