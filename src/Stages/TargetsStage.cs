using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Draws a refusal for every question to be forgotten, fixed for the run.</summary>
public sealed class TargetsStage : Stage<TargetsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the draws.</param>
    public sealed record Params(ulong Seed);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("targets", 1, "a refusal for every forget question") { Inputs = [new("data"), new("splits"), new("refusals")], Outputs = ["targets.parquet"] };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var forget = Splits.Of(ParquetTable.Read<QaRow>(io.Input("data")), ParquetTable.Read<SplitRow>(io.Input("splits")), Splits.Forget);
        var refusals = TextLines.Read(io.Input("refusals"));
        var draw = new Seed(parameters.Seed).Stream("refusal");
        ParquetTable.Write(io.Output("targets.parquet"), [.. forget.Select(q => new TargetRow { Id = q.Id, Target = draw.Pick(refusals), Source = "list" })]);
    }
}
