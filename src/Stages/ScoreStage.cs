using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Turns evidence into metrics: a row per question, and the means.</summary>
public sealed class ScoreStage : Stage<ScoreStage.Params>
{
    /// <summary>No parameters: every metric is computed.</summary>
    public sealed record Params;

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("score", 1, "metrics of the evidence") { Inputs = [new("answers")], Outputs = ["means.parquet", "scores.parquet"] };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(io);
        var scores = Scores.Of(ParquetTable.Read<AnswerRow>(io.Input("answers")));
        var means = Scores.Means(scores);
        ParquetTable.Write(io.Output("scores.parquet"), [.. scores]);
        ParquetTable.Write(io.Output("means.parquet"), [.. means]);
        foreach (var mean in means.Where(m => m.Metric == Rouge1.Metric.Name)) io.Metric($"rouge1.{mean.Split}", mean.Mean);
    }
}
