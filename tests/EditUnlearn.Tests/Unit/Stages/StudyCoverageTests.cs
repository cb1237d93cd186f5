using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>
/// The study runs what its tables print: a number for every cell of all seven, and no run that two rows claim.
/// </summary>
public sealed class StudyCoverageTests
{
    [Theory]
    [InlineData("mini")]
    [InlineData("mini-seeds")]
    [InlineData("paper")]
    [InlineData("rehearsal")]
    public void Every_cell_of_the_tables_is_scored_by_some_cell_of_the_plan(string profile)
    {
        var plan = PlanBuilder.Build(
            PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
            StudyStages.Catalog,
            new PlanRequest(profile, [])
        );
        var scores = plan.Cells.Where(c => c.Stage is ScoreStage).SelectMany(c => Scores(c, plan)).ToList();
        var parameters = (ReportParams)plan.Cells.Single(c => c.Id.Stage == "tables").Parameters;
        var scope = ReportInputs.Scope(parameters, scores);
        var book = new ScoreBook(scores, "strict", MetricProfile.Strict.Columns);
        var missing = TableCatalog
            .All(scope)
            .SelectMany(l => Table.Of(l, book, scope).Cells)
            // A profile may leave methods that the paper does not have out of further sets.
            .Where(c => c.Value is null && !IsFurther(c.Method))
            .Select(c => c.Name)
            .ToList();
        Assert.True(missing.Count == 0, string.Join('\n', missing.Take(20)));
    }

    [Fact]
    public void Merged_sets_take_the_options_that_were_tuned_for_them_and_no_other_set_does()
    {
        var plan = PlanBuilder.Build(
            PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
            StudyStages.Catalog,
            new PlanRequest(
                "mini",
                [
                    "methods.memit.options.lambda=300",
                    "methods.memit.on.facts.lambda=77",
                    "methods.memit.on.facts-merged.lambda=5",
                ]
            )
        );
        double Lambda(string set) =>
            (double)
                (
                    (ApplyStage.Params)plan.Cells.Single(c => c.Id.Text == $"apply[llama2,{set},memit]").Parameters
                ).Options!["lambda"]!;
        Assert.Equal(
            (77, 5, 5, 300),
            (Lambda("facts-80"), Lambda("facts-80-by-2"), Lambda("facts-80-by-10"), Lambda("contracts-20"))
        );
    }

    private static bool IsFurther(string method) =>
        MethodCatalog.Find(method) is { InPaper: false, Kind: not MethodKind.Untouched };

    // Whether the questions have other wordings: our own data bring them, others need a file or a model.
    private static bool Rephrased(Cell answers, Plan plan)
    {
        var source = plan.Cells.Single(c =>
            c.Id == answers.Inputs.OfType<CellOutputInput>().Single(i => i.Name == "data").Cell
        );
        if (source.Stage is not RephraseStage)
            return false;
        var data = plan.Cells.Single(c =>
            c.Id == source.Inputs.OfType<CellOutputInput>().Single(i => i.Name == "data").Cell
        );
        // or none: contracts that are generated
        var own = data.Inputs.OfType<FileInput>().All(f => f.Path.StartsWith("data/", StringComparison.Ordinal));
        return own || source.Inputs.Any(i => i.Name is "file" or "model");
    }

    // Whether methods may train on a part of what is kept only.
    private static bool SetsApart(Cell answers, Plan plan)
    {
        var splits = answers.Inputs.OfType<CellOutputInput>().Single(i => i.Name == "splits").Cell;
        return ((SplitsStage.Params)plan.Cells.Single(c => c.Id == splits).Parameters).Unseen > 0;
    }

    // A score of 1 for everything that the cell's evidence holds.
    private static IEnumerable<CellScore> Scores(Cell cell, Plan plan)
    {
        var p = (ScoreStage.Params)cell.Parameters;
        var answers = plan.Cells.Single(c =>
            c.Id == cell.Inputs.OfType<CellOutputInput>().Single(i => i.Name == "answers").Cell
        );
        string[] splits =
        [
            "forget",
            "retain",
            .. SetsApart(answers, plan) ? ["retain-all"] : Array.Empty<string>(),
            .. Rephrased(answers, plan) ? ["rephrased"] : Array.Empty<string>(),
            .. answers.Inputs.Any(i => i.Name == "factual") ? ["factual"] : Array.Empty<string>(),
        ];
        var method = ((AnswerStage.Params)answers.Parameters).Method;
        foreach (var split in splits)
            foreach (var (_, metric) in MetricProfile.Strict.Columns)
                yield return new CellScore
                {
                    Seed = p.ModelSeed,
                    Model = p.Repeats ?? ((AnswerStage.Params)answers.Parameters).Model,
                    Set = ((AnswerStage.Params)answers.Parameters).Set,
                    Data = p.Data,
                    Method = method,
                    Target = ScoreStage.TargetName(method, p.Target),
                    Merge = p.Merge,
                    Split = split,
                    Metric = metric,
                    Profile = "strict",
                    Mean = 1,
                };
    }
}
