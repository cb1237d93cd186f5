using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>Merging and rephrasing as stages: files in, files out.</summary>
public sealed class TechniqueStageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static readonly QaRow[] Rows =
    [
        .. Enumerable
            .Range(0, 12)
            .Select(i => new QaRow
            {
                Id = $"x/{i:0000}",
                Question = $"Who wrote 'Book {(char)('A' + i)}'?",
                Answer = "Nobody",
                Subject = $"Book {(char)('A' + i)}",
                SubjectStart = 11,
                Row = i,
                Rephrasings = i == 0 ? ["Whose is 'Book A'?"] : [],
            }),
    ];

    public TechniqueStageTests()
    {
        ParquetTable.Write(_folder["data.parquet"], Rows);
        ParquetTable.Write(_folder["splits.parquet"], [.. Splits.Range(Rows, 0, 10)]);
        ParquetTable.Write(
            _folder["targets.parquet"],
            [
                .. Rows.Take(10)
                    .Select(r => new TargetRow
                    {
                        Id = r.Id,
                        Target = $"No idea about {r.Subject}.",
                        Source = "list",
                    }),
            ]
        );
    }

    public void Dispose() => _folder.Dispose();

    private async Task<StageResult> Run(string stage, string parameters, params (string Name, string File)[] inputs)
    {
        await using var runner = new InProcessRunner(StudyStages.Catalog);
        return await runner.RunAsync(
            new StageJob(
                stage,
                stage,
                [],
                JsonNode.Parse(parameters)!.AsObject(),
                [.. inputs.Select(i => new JobInput(i.Name, null, [], i.File))],
                _folder["out"],
                _folder["scratch"],
                "cpu",
                "float32"
            ),
            _ => { },
            CancellationToken.None
        );
    }

    private IReadOnlyList<T> Out<T>(string name)
        where T : class, new() => ParquetTable.Read<T>(_folder[$"out/{name}"]);

    [Theory]
    [InlineData(1, 10)]
    [InlineData(4, 3)]
    public async Task Merging_writes_a_request_and_a_target_for_every_edit_and_keeps_the_single_targets(
        int size,
        int edits
    )
    {
        var result = await Run(
            "merge",
            $$"""{"size":{{size}}}""",
            ("data", _folder["data.parquet"]),
            ("splits", _folder["splits.parquet"]),
            ("targets", _folder["targets.parquet"])
        );
        Assert.Equal((edits, 10), (result.Metrics["edits"], result.Metrics["questions"]));
        var (requests, targets, members) = (
            Out<QaRow>("requests.parquet"),
            Out<TargetRow>("targets.parquet").ToDictionary(t => t.Id, t => t.Target),
            Out<MergeRow>("members.parquet")
        );
        Assert.Equal(edits, requests.Count);
        Assert.All(requests, r => Assert.StartsWith("No idea about", targets[r.Id], StringComparison.Ordinal));
        Assert.All(Rows.Take(10), r => Assert.Equal($"No idea about {r.Subject}.", targets[r.Id]));
        Assert.Equal(Rows.Take(10).Select(r => r.Id), members.Select(m => m.Member));
        Assert.Equal(size == 1 ? "Book A" : requests[0].Question, requests[0].Subject);
    }

    [Fact]
    public async Task Rephrasings_of_a_file_pass_the_filter_and_what_is_still_missing_is_listed()
    {
        File.WriteAllText(
            _folder["r.jsonl"],
            """
            {"id":"x/0001","rephrasings":["Nobody wrote it, or who?","Which author stands behind 'Book B'?"]}
            {"id":"x/0002","rephrasings":["Which author stands behind that book?"]}
            """
        );
        var result = await Run(
            "rephrase",
            """{"seed":1,"count":1}""",
            ("data", _folder["data.parquet"]),
            ("file", _folder["r.jsonl"])
        );
        Assert.Equal(
            (11, 10, 10),
            (result.Metrics["short.data"], result.Metrics["short.file"], result.Metrics["missing"])
        );
        Assert.Equal(2, result.Metrics["refused.subject-lost"]);
        Assert.Contains(
            "10 of 12 questions have fewer than 1 rephrasings",
            Assert.Single(result.Warnings),
            StringComparison.Ordinal
        );
        var rows = Out<QaRow>("questions.parquet");
        Assert.Equal(["Which author stands behind 'Book B'?"], rows[1].Rephrasings);
        Assert.Equal(Rows[0].Rephrasings, rows[0].Rephrasings);
        Assert.Equal(10, File.ReadAllLines(_folder["out/missing.txt"]).Length);
    }

    [Fact]
    public async Task A_model_that_talks_nonsense_is_asked_five_times_and_never_believed()
    {
        var tokenizer = BpeTrainer.Train(Rows.Select(r => r.Question), 280);
        var config = TinyModels.Llama().Config with { VocabSize = 280 };
        using (var checkpoint = new Checkpoint(CausalLm.Random(config, new Seed(2)), tokenizer))
            checkpoint.Save(_folder["model"]);
        File.WriteAllText(_folder["prompt.txt"], "Say it anew: {question}\n");
        (string, string)[] inputs =
        [
            ("data", _folder["data.parquet"]),
            ("model", _folder["model"]),
            ("prompt", _folder["prompt.txt"]),
        ];
        var result = await Run("rephrase", """{"seed":1,"count":1}""", inputs);
        Assert.Equal(11, result.Metrics["missing"]);
        Assert.True(
            result.Metrics.Where(m => m.Key.StartsWith("refused.", StringComparison.Ordinal)).Sum(m => m.Value) > 11
        );
        File.WriteAllText(_folder["prompt.txt"], "no slot");
        Assert.Contains(
            "has no slot {question}",
            (await Assert.ThrowsAsync<InputException>(() => Run("rephrase", """{"seed":1}""", inputs))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Sampling_follows_the_stream_and_cold_sampling_is_greedy()
    {
        using var model = TinyModels.Llama();
        int[] prompt = [1, 5, 9, 14];
        var cold = Sampler.Draw(model, prompt, 1e-4, 12, new Seed(1).Stream("a"));
        Assert.Equal(
            GreedyDecoder.Decode(model, [prompt], new GreedyDecoder.Options { MaxNewTokens = 12 })[0].Ids,
            cold.Ids
        );
        var warm = Sampler.Draw(model, prompt, 1, 12, new Seed(1).Stream("a"));
        Assert.Equal(warm.Ids, Sampler.Draw(model, prompt, 1, 12, new Seed(1).Stream("a")).Ids);
        Assert.NotEqual(warm.Ids, Sampler.Draw(model, prompt, 1, 12, new Seed(1).Stream("b")).Ids);
    }

    [Theory]
    [InlineData("""{"mode":"random","size":4,"seed":42}""", 4)]
    [InlineData("""{"mode":"group","groups":["A_B"]}""", 6)]
    [InlineData("""{"mode":"file"}""", 2)]
    [InlineData("""{"size":3,"first":2}""", 3)]
    public async Task Splits_are_chosen_in_every_mode(string parameters, int forgotten)
    {
        ParquetTable.Write(
            _folder["data.parquet"],
            [.. Rows.Select((r, i) => r with { Group = i < 6 ? "A_B" : "A_C" })]
        );
        File.WriteAllText(_folder["ids.txt"], "x/0003\nx/0007\n");
        await Run(
            "splits",
            parameters,
            [
                ("data", _folder["data.parquet"]),
                .. parameters.Contains("file", StringComparison.Ordinal)
                    ? [("ids", _folder["ids.txt"])]
                    : Array.Empty<(string, string)>(),
            ]
        );
        Assert.Equal(forgotten, Out<SplitRow>("splits.parquet").Count(s => s.Split == SplitNames.Forget));
    }

    [Theory]
    [InlineData("data", """{"name":"contracts","seed":17,"edges":3}""", 3)]
    [InlineData("data", """{"name":"contracts","seed":17,"edges":20}""", 20)]
    public async Task Contracts_come_with_their_graph(string stage, string parameters, int edges)
    {
        await Run(stage, parameters);
        var graph = JsonNode.Parse(File.ReadAllText(_folder["out/graph.json"]))!.AsArray();
        Assert.Equal(edges, graph.Count);
        Assert.Equal(
            ("A_B", "sales", "A", "B", 20),
            (
                (string)graph[0]!["id"]!,
                (string)graph[0]!["kind"]!,
                (string)graph[0]!["from"]!,
                (string)graph[0]!["to"]!,
                graph[0]!["answers"]!.AsObject().Count
            )
        );
        Assert.Equal(20 * edges, Out<QaRow>("questions.parquet").Count);
    }
}
