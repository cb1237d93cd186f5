using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Says which questions are forgotten and which are kept; training and evaluation read the same list.</summary>
public sealed class SplitsStage : Stage<SplitsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Size">Questions to forget: so many rows in file order.</param>
    /// <param name="First">The first of them; 0 in the study, elsewhere for tuning on questions outside every forget set.</param>
    public sealed record Params(int Size, int First = 0);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("splits", 1, "which questions are forgotten") { Inputs = [new("data")], Outputs = ["splits.parquet"] };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Size < 1) yield return new ParameterProblem("size", "must be at least 1");
        if (parameters.First < 0) yield return new ParameterProblem("first", "must be at least 0");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var rows = ParquetTable.Read<QaRow>(io.Input("data"));
        if (parameters.Size >= rows.Count || parameters.First + parameters.Size > rows.Count)
            throw new StageFailedException($"{parameters.Size} questions from {parameters.First} on cannot be forgotten out of {rows.Count}: they must exist, and at least one must be kept");
        ParquetTable.Write(io.Output("splits.parquet"), [.. Splits.Range(rows, parameters.First, parameters.Size)]);
    }
}
