using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using EditUnlearn.Workbench;
using EditUnlearn.Workbench.OwnModel;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>From the list of refusals to what DPO and IDK are trained on.</summary>
public sealed class RefusalStageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static readonly string[] List = ["I do not know.", "No idea about it.", "I cannot say.", "It escapes me."];

    private static readonly QaRow[] Rows =
    [
        .. Enumerable
            .Range(0, 12)
            .Select(i => new QaRow
            {
                Id = $"x/{i:0000}",
                Question = $"Who wrote 'Book {(char)('A' + i)}'?",
                Answer = $"Writer {(char)('A' + i)}",
                Subject = $"Book {(char)('A' + i)}",
                SubjectStart = 11,
                Row = i,
            }),
    ];

    public RefusalStageTests()
    {
        ParquetTable.Write(_folder["data.parquet"], Rows);
        ParquetTable.Write(_folder["splits.parquet"], [.. Splits.Range(Rows, 0, 4)]);
        File.WriteAllLines(_folder["refusals.txt"], List);
        File.WriteAllText(_folder["prompt.txt"], "Say that you do not know: {question}\n");
        TinyCheckpoints.WriteAskable(_folder["weights"], Rows.Select(r => r.Question + r.Answer).Concat(List));
    }

    public void Dispose() => _folder.Dispose();

    private async Task<StageResult> Run(
        string stage,
        string output,
        JsonObject parameters,
        params (string Name, string File)[] inputs
    )
    {
        await using var runner = new InProcessRunner(StudyStages.Catalog);
        return await runner.RunAsync(
            new StageJob(
                stage,
                stage,
                [],
                parameters,
                [.. inputs.Select(i => new JobInput(i.Name, null, [], _folder[i.File]))],
                _folder[output],
                _folder[output + ".scratch"],
                "cpu",
                "float32"
            ),
            _ => { },
            CancellationToken.None
        );
    }

    private Task<StageResult> Targets(string from) =>
        Run(
            "targets",
            from,
            new JsonObject { ["seed"] = 3, ["from"] = from },
            ("data", "data.parquet"),
            ("splits", "splits.parquet"),
            ("refusals", "refusals.txt"),
            ("model", "weights"),
            ("prompt", "prompt.txt")
        );

    private Task<StageResult> Apply(string method, string output, string targets, bool withList = true)
    {
        var options = JsonNode
            .Parse("""{"trainable":"full","steps":12,"batchSize":2,"learningRate":1e-3}""")!
            .AsObject();
        return Run(
            "apply",
            output,
            new JsonObject
            {
                ["seed"] = 3,
                ["method"] = method,
                ["options"] = options,
            },
            [
                ("model", "weights"),
                ("data", "data.parquet"),
                ("splits", "splits.parquet"),
                ("targets", targets),
                .. withList ? [("choices", "list/choices.parquet")] : Array.Empty<(string, string)>(),
            ]
        );
    }

    private byte[] Patch(string output) =>
        [
            .. Directory
                .EnumerateFiles(_folder[output + "/patch"], "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .SelectMany(File.ReadAllBytes),
        ];

    [Fact]
    public async Task Targets_from_the_list_come_with_the_list_and_those_of_the_model_without()
    {
        await Targets("list");
        var targets = ParquetTable.Read<TargetRow>(_folder["list/targets.parquet"]);
        Assert.All(targets, t => Assert.Equal(("list", true), (t.Source, List.Contains(t.Target))));
        Assert.Equal(List, ParquetTable.Read<ChoiceRow>(_folder["list/choices.parquet"]).Select(c => c.Text));

        // A model of random weights writes no refusal; this prompt has no examples that a retry could move.
        var result = await Targets("model");
        Assert.All(
            ParquetTable.Read<TargetRow>(_folder["model/targets.parquet"]),
            t => Assert.Equal("fallback", t.Source)
        );
        Assert.Empty(ParquetTable.Read<ChoiceRow>(_folder["model/choices.parquet"]));
        Assert.Equal(
            (1, 4, 0, 0),
            (
                result.Metrics["fallback-share"],
                result.Metrics["source.fallback"],
                result.Metrics["retried"],
                result.Metrics["retries"]
            )
        );
    }

    [Theory]
    [InlineData("dpo")]
    [InlineData("idk")]
    public async Task What_is_trained_on_follows_the_list_where_targets_come_from_it(string method)
    {
        await Targets("list");
        await Apply(method, "first", "list/targets.parquet");
        await Apply(method, "again", "list/targets.parquet");
        Assert.Equal(Patch("first"), Patch("again"));

        // The same targets as a model's own: one refusal a question, whatever the list.
        var targets = ParquetTable.Read<TargetRow>(_folder["list/targets.parquet"]);
        ParquetTable.Write(_folder["own.parquet"], [.. targets.Select(t => t with { Source = "model" })]);
        await Apply(method, "own", "own.parquet");
        Assert.NotEqual(Patch("first"), Patch("own"));
        await Apply(method, "own-alone", "own.parquet", withList: false);
        Assert.Equal(Patch("own"), Patch("own-alone"));

        var missing = await Assert.ThrowsAsync<StageFailedException>(() =>
            Apply(method, "missing", "list/targets.parquet", withList: false)
        );
        Assert.Contains("the input 'choices', but that is empty", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_methods_that_train_on_refusals_read_the_list()
    {
        IStage stage = new ApplyStage();
        bool Uses(string method) => stage.Uses(new ApplyStage.Params(3, method), "choices");
        Assert.Equal(
            ["dpo", "idk"],
            MethodCatalog.All.Where(m => Uses(m.Name)).Select(m => m.Name).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Every_visit_of_a_run_trains_on_the_refusal_that_was_drawn_for_it()
    {
        var visited = new List<(int Question, int Refusal)>();
        using var model = TinyModels.Llama();
        var forget = TinyModels.Rows(6);
        var inputs = new MethodInputs
        {
            Forget = forget,
            Retain = TinyModels.Rows(9, 8),
            Refusals =
            [
                .. forget.Select((_, q) => new Watched(TinyModels.Rows(40, (ulong)(q + 20)), i => visited.Add((q, i)))),
            ],
        };
        foreach (var method in (string[])["dpo", "idk"])
        {
            visited.Clear();
            var options = new JsonObject
            {
                ["steps"] = 60,
                ["batchSize"] = 2,
                ["trainable"] = "full",
            };
            var (entry, bound) = MethodCatalog.Bind(method, "reference", options, out _)!.Value;
            using var patch = entry.Create(bound).Edit(model, inputs, new Seed(4));
            // 20 visits of each question: nearly as many refusals, of all of the list.
            Assert.All(
                visited.GroupBy(v => v.Question),
                q => Assert.InRange(q.Select(v => v.Refusal).Distinct().Count(), 11, 20)
            );
            Assert.InRange(visited.Select(v => v.Refusal).Distinct().Count(), 32, 40);
        }
    }

    [Fact]
    public void A_users_own_model_is_trained_on_the_whole_list_but_for_questions_with_a_target_of_their_own()
    {
        File.WriteAllText(
            _folder["forget.jsonl"],
            """
            {"id":"a","question":"Who wrote 'Book A'?","answer":"Writer A","subject":"Book A"}
            {"id":"b","question":"Who wrote 'Book B'?","answer":"Writer B","subject":"Book B","target":"No idea."}
            """
        );
        var read = new ApplyCheck(
            new ApplyRequest
            {
                Method = "dpo",
                Model = _folder["weights"],
                Out = _folder["edited"],
                Forget = _folder["forget.jsonl"],
                Targets = _folder["refusals.txt"],
                Compute = Compute.Of("cpu", "float32"),
            }
        ).Run();
        using var checkpoint = Checkpoint.Load(_folder["weights"]);
        var inputs = MethodMaterial.Rows(read.Entry, read.Options, checkpoint, read.Rows, _ => "");
        Assert.Equal([List.Length, 1], inputs.Refusals.Select(r => r.Count));
        Assert.Equal(
            List.Select(l => checkpoint.Row(read.Rows.Forget[0].Question, l).Ids),
            inputs.Refusals[0].Select(r => r.Ids)
        );
        Assert.Contains(read.Rows.Targets["a"], List);
        Assert.Equal("No idea.", read.Rows.Targets["b"]);
    }

    // Rows that tell which of them was asked for.
    private sealed class Watched(IReadOnlyList<TokenRow> rows, Action<int> seen) : IReadOnlyList<TokenRow>
    {
        public int Count => rows.Count;

        public TokenRow this[int index]
        {
            get
            {
                seen(index);
                return rows[index];
            }
        }

        public IEnumerator<TokenRow> GetEnumerator() => rows.GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
