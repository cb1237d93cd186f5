using EditUnlearn.Artifacts;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using EditUnlearn.Tests.Unit.Pipeline;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// Memory that runs out while a model is asked: smaller batches, the same answers, a mark in the tables.
/// </summary>
[Trait("Category", "EndToEnd")]
public sealed class FallbackTests
{
    private const string Cell = "answer[llama2,facts-4,ga]";

    // Runs everything in this process, and says once that memory ran out.
    private sealed class Short : IStageRunner
    {
        private readonly InProcessRunner _inner = new(StudyStages.Catalog);

        public Task<StageResult> RunAsync(StageJob job, Action<StageMessage> observe, CancellationToken cancelled) =>
            job.Stage == "answer" && !job.FellBack
                ? throw new StageFailedException("CUDA out of memory. Tried to allocate 2.00 GiB.")
                : _inner.RunAsync(job, observe, cancelled);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Half_the_questions_side_by_side_get_the_same_answers_and_a_double_dagger()
    {
        using var tool = new Tool();
        tool.Repro("tables");
        var usual = ParquetTable.Read<AnswerRow>(tool["artifacts/answer/llama2,facts-4,ga/answers.parquet"]);
        var numbers = ParquetTable.Read<TableCell>(tool["artifacts/tables/table1.parquet"]);
        var store = new ResultStore(tool["artifacts"]);
        var plan = PlanBuilder.Build(
            PipelineFile.Read(tool["pipeline.yaml"]),
            StudyStages.Catalog,
            new PlanRequest("smoke", [])
        );
        var cells = Targets.WithUpstream(plan, Targets.Named(plan, ["tables"]));
        Directory.Delete(store.ResultFolder(store.LastKey(cells.Single(c => c.Id.Text == Cell).Id)!), recursive: true);

        var keys = new KeyResolver(
            plan,
            new CodeIdentity(AppContext.BaseDirectory),
            new FileHashes(tool["artifacts/.store/files.json"])
        );
        await using var runner = new Short();
        var result = await new Scheduler(plan, store, keys, runner, new MiniStudy.Silent()).RunAsync(
            cells,
            new RunOptions(),
            CancellationToken.None
        );
        Assert.Equal(
            [Cell, "score[llama2,facts-4,ga]", "tables"],
            result.Cells.Where(c => c.Outcome == Outcome.Executed).Select(c => c.Cell.Text)
        );
        Assert.StartsWith(
            "asked 32 questions side by side",
            store.ReadManifest(store.LastKey(cells.Single(c => c.Id.Text == Cell).Id)!)!.Fallback,
            StringComparison.Ordinal
        );

        static string Of(AnswerRow row) => System.Text.Json.JsonSerializer.Serialize(row with { FellBack = false });
        var again = ParquetTable.Read<AnswerRow>(tool["artifacts/answer/llama2,facts-4,ga/answers.parquet"]);
        Assert.All(again, r => Assert.True(r.FellBack));
        Assert.Equal(usual.Select(Of), again.Select(Of));
        var marked = ParquetTable.Read<TableCell>(tool["artifacts/tables/table1.parquet"]);
        Assert.Equal(numbers.Select(c => c.Value), marked.Select(c => c.Value));
        Assert.All(marked, c => Assert.Equal(c is { Method: "ga", Value: not null }, c.FellBack));
        var table = File.ReadAllText(tool["artifacts/tables/table1.tex"]);
        Assert.Contains(@"\textsuperscript{\ddag}", table, StringComparison.Ordinal);
        Assert.Contains("memory ran out and smaller batches were asked", table, StringComparison.Ordinal);
    }
}
