using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Reads question files, one after the other as one set, and hands on the first rows.</summary>
public sealed class FactsStage : Stage<FactsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Rows">How many rows are kept, from the first; null for all.</param>
    public sealed record Params(int? Rows = null);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("facts", 1, "facts as question and answer")
        {
            Inputs = [new("source", InputCount.Many)],
            Outputs = ["questions.parquet"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Rows < 1)
            yield return new ParameterProblem("rows", "must be at least 1");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        if (io.Inputs("source").Count == 0)
            throw new StageFailedException(
                "the input 'source' names no file\n  hint: in: { source: { file: data/facts-own.jsonl } }"
            );
        var rows = QaFile.ReadAll([.. io.Inputs("source").Select(s => s.Path)], "facts");
        ParquetTable.Write(io.Output("questions.parquet"), [.. rows.Take(parameters.Rows ?? rows.Count)]);
        io.Metric("rows", Math.Min(rows.Count, parameters.Rows ?? rows.Count));
    }
}
