using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>Oracles from plan to table, on models of a few thousand weights.</summary>
public sealed class OracleStageTests : IDisposable
{
    private const string Size = """
        "size":{"layers":1,"width":16,"mlpWidth":32,"heads":2,"vocabulary":300,"steps":3,"batch":16,"warmup":1}
        """;

    private readonly TemporaryFolder _folder = new();

    private static readonly IReadOnlyList<QaRow> Facts =
    [
        .. QaFile.Read(Path.Combine(Checkout.Root, "data", "facts-own.jsonl")).Take(12),
    ];

    public OracleStageTests()
    {
        ParquetTable.Write(_folder["facts.parquet"], [.. Facts]);
        ParquetTable.Write(_folder["splits.parquet"], [.. Splits.Range(Facts, 0, 4)]);
    }

    public void Dispose() => _folder.Dispose();

    private async Task<StageResult> Run(
        string stage,
        string parameters,
        string output,
        params (string Name, string File)[] inputs
    )
    {
        await using var runner = new InProcessRunner(StudyStages.Catalog);
        return await runner.RunAsync(
            new StageJob(
                stage,
                stage,
                [],
                JsonNode.Parse(parameters)!.AsObject(),
                [.. inputs.Select(i => new JobInput(i.Name, null, [], i.File))],
                _folder[output],
                _folder[output + "-scratch"],
                "cpu",
                "float32"
            ),
            _ => { },
            CancellationToken.None
        );
    }

    private (string, string)[] Texts =>
        [
            ("facts", _folder["facts.parquet"]),
            ("refusals", Path.Combine(Checkout.Root, "data", "refusals-own.txt")),
            ("prompt", Path.Combine(Checkout.Root, "data", "prompts", "self-improvement.mini.txt")),
        ];

    private Task<StageResult> Pretrain(string output, int again = 0, string? without = null) =>
        Run(
            "pretrain",
            $$"""{"seed":17,"family":"llama2","kvHeads":2,"again":{{again}},{{Size}}}""",
            output,
            [.. Texts, .. without is null ? [] : ((string, string)[])[("without", _folder[without])]]
        );

    private byte[] Weights(string output) => File.ReadAllBytes(_folder[$"{output}/model/model.safetensors"]);

    [Fact]
    public async Task An_oracle_has_the_tokenizer_of_the_model_and_weights_of_its_own()
    {
        await Pretrain("model");
        await Pretrain("oracle", without: "splits.parquet");
        await Pretrain("second", 1, "splits.parquet");
        string[] all = ["model", "oracle", "second"];
        Assert.Single(all.Select(o => File.ReadAllText(_folder[$"{o}/model/tokenizer.json"])).Distinct());
        Assert.Equal(3, all.Select(o => Convert.ToHexString(Weights(o))).Distinct().Count());

        ParquetTable.Write(_folder["strange.parquet"], [new SplitRow { Id = "contracts/0001", Split = "forget" }]);
        Assert.Contains(
            "'contracts/0001' shall be left out",
            (await Assert.ThrowsAsync<InputException>(() => Pretrain("x", without: "strange.parquet"))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task An_oracle_that_is_finetuned_is_neither_shown_nor_asked_what_it_leaves_out()
    {
        await Pretrain("model");
        var training = """
            {"seed":17,"training":{"epochs":2,"checkFromEpoch":1,"stopAtRouge":0,"batchSize":4,"learningRate":0.001,
            "moves":{"trainable":"full"}},"again":0}
            """;
        (string, string)[] inputs = [("model", _folder["model/model"]), ("data", _folder["facts.parquet"])];
        var whole = await Run("finetune", training, "taught", inputs);
        var less = await Run("finetune", training, "less", [.. inputs, ("without", _folder["splits.parquet"])]);
        Assert.Equal(whole.Metrics["steps"], less.Metrics["steps"]);
        Assert.Equal(
            Facts.Skip(4).Select(f => f.Id),
            ParquetTable.Read<AnswerRow>(_folder["less/answers.parquet"]).Select(a => a.Id)
        );
        Assert.NotEqual(Weights("taught"), Weights("less"));
        var again = await Run(
            "finetune",
            training.Replace("\"again\":0", "\"again\":1", StringComparison.Ordinal),
            "again",
            [.. inputs, ("without", _folder["splits.parquet"])]
        );
        Assert.NotEqual(Weights("less"), Weights("again"));
        Assert.Equal(less.Metrics["steps"], again.Metrics["steps"]);
    }

    [Fact]
    public async Task What_is_compared_with_itself_is_perfect_in_the_manifest_and_in_the_table()
    {
        await Pretrain("model", without: "splits.parquet");
        async Task Answers(string method) =>
            await Run(
                "answer",
                $$"""{"model":"llama2","set":"facts-4","method":"{{method}}","maxNewTokens":4}""",
                method,
                ("model", _folder["model/model"]),
                ("data", _folder["facts.parquet"]),
                ("splits", _folder["splits.parquet"])
            );
        await Answers("none");
        await Answers("oracle");
        async Task<StageResult> Quality(string method) =>
            await Run(
                "forget-quality",
                "{}",
                "quality-" + method,
                ("model", _folder["model/model"]),
                ("answers", _folder[$"{method}/answers.parquet"]),
                ("oracle", _folder["model/model"]),
                ("oracle-answers", _folder["oracle/answers.parquet"]),
                ("data", _folder["facts.parquet"])
            );
        var result = await Quality("none");
        await Quality("oracle");
        foreach (var split in (string[])["forget", "retain", "rephrased", "heldout"])
            Assert.Equal(
                (1, 1, 0, 0, 1, 1),
                (
                    result.Metrics[$"same.{split}"],
                    result.Metrics[$"f1.{split}"],
                    result.Metrics[$"kl.{split}"],
                    result.Metrics[$"js.{split}"],
                    result.Metrics[$"p.probability.{split}"],
                    result.Metrics[$"p.truth-ratio.{split}"]
                )
            );
        Assert.Equal(24, ParquetTable.Read<ForgetQualityRow>(_folder["quality-none/rows.parquet"]).Count);

        await Run(
            "forget-quality-table",
            """{"kind":"miniature","sets":{"facts-4":{"data":"facts","size":4}}}""",
            "table",
            ("quality", _folder["quality-none/means.parquet"]),
            ("floor", _folder["quality-oracle/means.parquet"])
        );
        var text = File.ReadAllText(_folder["table/forget-quality.md"]);
        Assert.Contains("4 facts; Rouge1 of the oracle", text, StringComparison.Ordinal);
        Assert.Contains("| *Untouched* |", text, StringComparison.Ordinal);
        Assert.Contains("| *Another oracle* |", text, StringComparison.Ordinal);
        Assert.Equal(8, ParquetTable.Read<ForgetQualityMean>(_folder["table/forget-quality.parquet"]).Count);
    }

    private static Plan PlanOf(string profile) =>
        PlanBuilder.Build(
            PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
            StudyStages.Catalog,
            new PlanRequest(profile, [])
        );

    [Theory]
    [InlineData("mini")]
    [InlineData("smoke")]
    [InlineData("paper")]
    [InlineData("rehearsal")]
    [InlineData("elements")]
    public void Profiles_that_name_no_oracle_pay_for_none(string profile) =>
        Assert.Empty(
            PlanOf(profile)
                .Stages.Select(s => s.Name)
                .Where(n =>
                    n.StartsWith("oracle", StringComparison.Ordinal)
                    || n.StartsWith("forget-quality", StringComparison.Ordinal)
                )
        );

    [Fact]
    public void What_the_oracle_profile_has_in_common_with_the_study_is_the_same_work()
    {
        var mini = PlanOf("mini").Cells.ToDictionary(c => c.Id);
        var oracle = PlanOf("mini-oracle");
        var shared = oracle.Cells.Where(c => mini.ContainsKey(c.Id) && c.Id.Axes.Count > 0).ToList();
        Assert.True(shared.Count(c => c.Stage is ApplyStage) == 28, "14 methods on two sets");
        Assert.All(
            shared,
            c =>
            {
                Assert.Equal(mini[c.Id].ParametersJson.ToJsonString(), c.ParametersJson.ToJsonString());
                Assert.Equal(mini[c.Id].Inputs, c.Inputs);
            }
        );
        Assert.Equal(
            ["oracle-answer", "oracle-finetuned", "oracle-pretrained"],
            oracle
                .Cells.Where(c => !mini.ContainsKey(c.Id) && c.Stage.Info.Name is "pretrain" or "finetune" or "answer")
                .Where(c => c.Id.Stage.StartsWith("oracle", StringComparison.Ordinal))
                .Select(c => c.Id.Stage)
                .Distinct()
                .Order()
        );
        Assert.Equal(28, oracle.Cells.Count(c => c.Id.Stage == "forget-quality"));
        Assert.Equal(2, oracle.Cells.Count(c => c.Id.Stage == "forget-quality-floor"));
        Assert.Single(oracle.Cells, c => c.Id.Stage == "forget-quality-table");
    }
}
