using EditUnlearn.Artifacts;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Stages;

/// <summary>Renders what the untouched models know, and what was left out of the study for it.</summary>
internal sealed class KnownTableStage : Stage<KnownTableStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Kind">What the models are; the caption says so.</param>
    public sealed record Params(ModelKind Kind);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("known-table", 1, "what was left out because no model knows it")
        {
            Inputs = [new("known", InputCount.Many)],
            Outputs = ["known.tex", "known.md", "known.csv"],
        };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var scope = ReportInputs.Labels;
        var table = new KnownTable(
            io.Inputs("known")
                .Select(i => new KnownTable.Asking(
                    scope.LabelOf(i.Source?.Axis("model") ?? "?"),
                    [i.Source?.Axis("set") ?? "?"],
                    ParquetTable.Read<KnownRow>(i.Path)
                )),
            parameters.Kind
        );
        File.WriteAllText(io.Output("known.tex"), table.Latex());
        File.WriteAllText(io.Output("known.md"), table.Markdown());
        File.WriteAllText(io.Output("known.csv"), table.Csv());
    }
}
