using EditUnlearn.Artifacts;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Stages;

/// <summary>
/// The first column of the main table, shown while the rest of the study still runs: one model, every method.
/// </summary>
internal sealed class FirstTableStage : Stage<ReportParams>
{
    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("first-table", 1, "the main table's first column")
        {
            Inputs = [new("facts", InputCount.Many), new("contracts", InputCount.Many)],
            Outputs = ["table1.md"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(ReportParams parameters) => ReportInputs.Check(parameters);

    /// <inheritdoc/>
    protected override void Run(ReportParams parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        IReadOnlyList<CellScore> scores =
        [
            .. ReportInputs.Scores(io, "facts"),
            .. ReportInputs.Scores(io, "contracts"),
        ];
        var scope = ReportInputs.Scope(parameters, scores);
        var layout = TableCatalog.All(scope)[0];
        var table = Table.Of(layout with { Groups = [layout.Groups[0]] }, ReportInputs.Book(scores, parameters), scope);
        var text = TableRenderer.Markdown(table, Captions.Of(table, scope));
        File.WriteAllText(io.Output("table1.md"), text);
        if (scores.Count > 0)
            io.Show(TableRenderer.Plain(table));
    }
}
