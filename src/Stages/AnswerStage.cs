using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Models.Patches;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Asks a model, with or without a patch, everything the study asks, and keeps the evidence.</summary>
public sealed class AnswerStage : Stage<AnswerStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Model">The model's name in the study.</param>
    /// <param name="Set">The forget set's name.</param>
    /// <param name="Method">The method, or <c>none</c>.</param>
    /// <param name="MaxNewTokens">Limit of an answer.</param>
    /// <param name="RephraseIndex">Which rephrasing makes the rephrased split.</param>
    public sealed record Params(string Model, string Set, string Method, int MaxNewTokens = 200, int RephraseIndex = 0);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("answer", 1, "what a model answers, with log-probabilities and ranks")
    {
        Inputs = [new("model"), new("patch", InputCount.Optional), new("data"), new("splits")],
        Outputs = ["answers.parquet"],
        Resource = Resource.Accelerator,
    };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.MaxNewTokens < 1) yield return new ParameterProblem("maxNewTokens", "must be at least 1");
        if (parameters.RephraseIndex < 0) yield return new ParameterProblem("rephraseIndex", "must be at least 0");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        var data = ParquetTable.Read<QaRow>(io.Input("data"));
        var splits = ParquetTable.Read<SplitRow>(io.Input("splits"));
        var forget = Splits.Of(data, splits, Splits.Forget);
        var rephrased = forget.Where(q => q.Rephrasings.Count > parameters.RephraseIndex).ToList();
        if (rephrased.Count < forget.Count) io.Warn($"{forget.Count - rephrased.Count} of {forget.Count} forget questions have no rephrasing and are left out of that split");
        List<AnswerCollector.Asked> questions =
        [
            .. forget.Select(q => new AnswerCollector.Asked(Splits.Forget, q.Id, q.Question, q.Answer)),
            .. Splits.Of(data, splits, Splits.Retain).Select(q => new AnswerCollector.Asked(Splits.Retain, q.Id, q.Question, q.Answer)),
            .. rephrased.Select(q => new AnswerCollector.Asked("rephrased", q.Id, q.Rephrasings[parameters.RephraseIndex], q.Answer)),
        ];
        using var patch = io.HasInput("patch") ? ModelPatch.Load(io.Input("patch")) : null;
        using var applied = patch?.ApplyTo(checkpoint.Model);
        var rows = AnswerCollector.Collect(
            checkpoint, questions, (parameters.Model, parameters.Set, parameters.Method), parameters.MaxNewTokens, 64, patch?.Tap, done => io.Progress(done, 2 * questions.Count), io.Cancelled);
        ParquetTable.Write(io.Output("answers.parquet"), [.. rows]);
        if (patch is not null) TellRoutes(patch.Routes(checkpoint.Model, [.. questions.Select(q => checkpoint.Prompt(q.Question))]), questions, io);
    }

    // For a patch that answers only some prompts: which share of each split, and by how much.
    private static void TellRoutes(IReadOnlyList<RouteReading> routes, IReadOnlyList<AnswerCollector.Asked> questions, StageIo io)
    {
        foreach (var split in routes.Zip(questions).GroupBy(r => r.Second.Split))
        {
            io.Metric($"routed.{split.Key}", split.Average(r => r.First.Routed ? 1.0 : 0));
            io.Metric($"distance.{split.Key}", split.Average(r => r.First.Distance));
            io.Metric($"threshold.{split.Key}", split.Average(r => r.First.Threshold));
        }
    }
}
