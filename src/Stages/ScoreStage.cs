using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Turns evidence into metrics: a row per question, and means in both profiles.</summary>
internal sealed class ScoreStage : Stage<ScoreStage.Params>
{
    /// <summary>What the tables know a run by, and the evidence does not say.</summary>
    /// <param name="Data">Where the forget set was taken from: <c>facts</c>, <c>contracts</c>.</param>
    /// <param name="Target">Where the refusals come from: <c>list</c> (plain) or <c>model</c> (self-improved).</param>
    /// <param name="Merge">Questions merged into one; 1 for none.</param>
    /// <param name="Seed">Of the bootstrap.</param>
    /// <param name="Json">Whether every split is also written as JSON.</param>
    /// <param name="ModelSeed">Of the model and of the method; runs that differ in nothing else repeat one
    /// another.</param>
    /// <param name="Repeats">The model that this one repeats with another seed, under whose name the scores then go;
    /// left out for none.</param>
    /// <param name="Method">The method of the catalogue that ran; null where the answers name it themselves.</param>
    public sealed record Params(
        string Data,
        TargetsStage.RefusalSource Target,
        int Merge = 1,
        ulong Seed = 17,
        bool Json = false,
        ulong ModelSeed = 17,
        string? Repeats = null,
        string? Method = null
    );

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("score", 2, "metrics of the evidence")
        {
            Inputs = [new("answers"), new("training", InputCount.Optional)],
            Outputs = ["means.parquet", "scores.parquet", "rows.csv", "results"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Merge < 1)
            yield return new ParameterProblem("merge", "must be at least 1");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var answers = ParquetTable.Read<AnswerRow>(io.Input("answers"));
        var diverged =
            io.HasInput("training")
            && ParquetTable
                .Read<TrainingEnd>(Path.Combine(io.Input("training"), TrainingOutputs.Summary))
                .Any(t => t.Diverged);
        var target = answers.Count > 0 ? TargetName(parameters.Method ?? answers[0].Method, parameters.Target) : "";
        var run = new Scores.Run(
            parameters.Data,
            target,
            parameters.Merge,
            diverged,
            parameters.ModelSeed,
            parameters.Repeats
        );
        var scores = Scores.Of(answers, run);
        var means = Scores.Means(scores, new Seed(parameters.Seed), diverged);
        var fellBack = answers.Any(a => a.FellBack);
        foreach (var mean in means)
            mean.FellBack = fellBack;
        ParquetTable.Write(io.Output("scores.parquet"), [.. scores]);
        ParquetTable.Write(io.Output("means.parquet"), [.. means]);
        File.WriteAllText(io.Output("rows.csv"), RowsCsv.Of(answers, scores));
        Directory.CreateDirectory(io.Output("results"));
        foreach (var split in parameters.Json ? answers.GroupBy(a => a.Split) : [])
            File.WriteAllText(
                Path.Combine(io.Output("results"), split.Key + ".json"),
                ResultFile.Json(
                    [.. split],
                    [.. scores.Where(s => s.Split == split.Key)],
                    [.. means.Where(m => m.Split == split.Key)]
                )
            );
        foreach (
            var mean in means.Where(m =>
                m.Metric == Rouge1.Metric.Name && m is { Profile: ProfileNames.Strict, Mean: not null }
            )
        )
            io.Metric($"rouge1.{mean.Split}", mean.Mean!.Value);
    }

    /// <summary>
    /// Where a run's refusals came from, as its scores say it. GA, GD and KL never see a refusal: their scores are the
    /// same whatever the refusals are.
    /// </summary>
    internal static string TargetName(string method, TargetsStage.RefusalSource target) =>
        !UsesRefusals(method) ? ""
        : target == TargetsStage.RefusalSource.Model ? "self-improved"
        : "plain";

    internal static bool UsesRefusals(string method) =>
        MethodCatalog.Find(method) is { } entry
        && (
            entry.IsEditing
            || (
                MethodCatalog.Bind(method, "reference", null, out _) is { } bound
                && entry.Needs(bound.Options).HasFlag(Needs.Refusals)
            )
        );
}
