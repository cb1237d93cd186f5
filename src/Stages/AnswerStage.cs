using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Asks a model, with or without a patch, everything the study asks, and keeps the evidence.</summary>
internal sealed class AnswerStage : Stage<AnswerStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Model">The model's name in the study.</param>
    /// <param name="Set">The forget set's name.</param>
    /// <param name="Method">The method, or <c>none</c>.</param>
    /// <param name="MaxNewTokens">Limit of an answer.</param>
    /// <param name="RephraseIndex">Which rephrasing makes the rephrased split, and the split <c>heldout</c>: what is
    /// kept and scored, in those words.</param>
    /// <param name="PaperLength">Limit of the paper's profile, prompt and answer together; null to leave its text
    /// out.</param>
    /// <param name="Distractors">Whether the wrong answers are scored too.</param>
    /// <param name="HeldOut">Whether what is kept is asked in other words too, which doubles the work on it.</param>
    public sealed record Params(
        string Model,
        string Set,
        string Method,
        int MaxNewTokens = 200,
        int RephraseIndex = 0,
        int? PaperLength = null,
        bool Distractors = false,
        bool HeldOut = true
    );

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("answer", 2, "what a model answers, with log-probabilities and ranks")
        {
            Inputs =
            [
                new("model"),
                new("patch", InputCount.Optional),
                new("data"),
                new("splits"),
                new("factual", InputCount.Optional),
            ],
            Outputs = ["answers.parquet"],
            Resource = Resource.Accelerator,
            SpareThreads = ProductThreads.Useful,
            OnOutOfMemory = AskedTogether.Fallback,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.MaxNewTokens < 1)
            yield return new ParameterProblem("maxNewTokens", "must be at least 1");
        if (parameters.PaperLength < 1)
            yield return new ParameterProblem("paperLength", "must be at least 1");
        if (parameters.RephraseIndex < 0)
            yield return new ParameterProblem("rephraseIndex", "must be at least 0");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var spread = ProductThreads.Use(io.Threads);
        using var checkpoint = io.LoadModel("model");
        var data = ParquetTable.Read<QaRow>(io.Input("data"));
        var splits = ParquetTable.Read<SplitRow>(io.Input("splits"));
        var forget = Splits.Of(data, splits, SplitNames.Forget);
        var rephrased = forget.Where(q => q.Rephrasings.Count > parameters.RephraseIndex).ToList();
        if (rephrased.Count < forget.Count)
            io.Warn(
                $"{forget.Count - rephrased.Count} of {forget.Count} forget questions have no rephrasing and are "
                    + "left out of that split"
            );
        var retain = Splits.Of(data, splits, SplitNames.Retain);
        AnswerCollector.Asked Ask(string split, QaRow q, string question) =>
            new(split, q.Id, question, q.Answer, q.Subject, parameters.Distractors ? q.Distractors : null);
        List<AnswerCollector.Asked> questions =
        [
            .. forget.Select(q => Ask(SplitNames.Forget, q, q.Question)),
            .. retain.Select(q => Ask(SplitNames.Retain, q, q.Question)),
            .. Splits
                .Of(data, splits, SplitNames.RetainTrained)
                .Select(q => Ask(SplitNames.RetainTrained, q, q.Question)),
            .. rephrased.Select(q => Ask(SplitNames.Rephrased, q, q.Rephrasings[parameters.RephraseIndex])),
            .. retain
                .Where(q => parameters.HeldOut && q.Rephrasings.Count > parameters.RephraseIndex)
                .Select(q => Ask(SplitNames.HeldOut, q, q.Rephrasings[parameters.RephraseIndex])),
            .. (io.HasInput("factual") ? ParquetTable.Read<QaRow>(io.Input("factual")) : []).Select(q =>
                Ask(SplitNames.Factual, q, q.Question)
            ),
        ];
        using var patch = io.HasInput("patch") ? ModelPatch.Load(io.Input("patch")) : null;
        using var applied = patch?.ApplyTo(checkpoint.Model);
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var tap = patch?.Tap?.Settle(checkpoint.Model, prompts);
        var rows = AnswerCollector.Collect(
            checkpoint,
            questions,
            (parameters.Model, parameters.Set, parameters.Method),
            parameters.MaxNewTokens,
            AskedTogether.Rows(io),
            tap,
            done => io.Progress(done, 2 * questions.Count),
            parameters.PaperLength,
            io.Cancelled
        );
        foreach (var row in rows)
            row.FellBack = io.FellBack;
        ParquetTable.Write(io.Output("answers.parquet"), [.. rows]);
        if (patch is not null)
            TellRoutes(
                patch.Routes(checkpoint.Model, prompts, [.. questions.Select(q => q.Split)], tap),
                questions,
                io
            );
    }

    // For a patch that answers only some prompts: which share of each split, and by how much.
    private static void TellRoutes(
        IReadOnlyList<RouteReading> routes,
        IReadOnlyList<AnswerCollector.Asked> questions,
        StageIo io
    )
    {
        foreach (var split in routes.Zip(questions).GroupBy(r => r.Second.Split))
        {
            io.Metric($"routed.{split.Key}", split.Average(r => r.First.Routed ? 1.0 : 0));
            io.Metric($"distance.{split.Key}", split.Average(r => r.First.Distance));
            io.Metric($"threshold.{split.Key}", split.Average(r => r.First.Threshold));
        }
    }
}
