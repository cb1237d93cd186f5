using EditUnlearn.Artifacts;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Stages;

/// <summary>
/// Renders the study's tables from the scores: LaTeX, Markdown, CSV and Parquet, and every number beyond the paper's
/// columns.
/// </summary>
internal sealed class TablesStage : Stage<ReportParams>
{
    /// <summary>Names of all tables.</summary>
    internal static readonly string[] Tables = [.. Enumerable.Range(1, 7).Select(n => $"table{n}")];

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new(StudyTables.Kind, 2, "the study's tables")
        {
            Inputs = [new(StudyTables.Scores, InputCount.Many)],
            Outputs =
            [
                "tables.tex",
                "cells.parquet",
                "standalone.tex",
                "scores.csv",
                "beyond.csv",
                .. Tables.SelectMany(t => ((string[])["tex", "csv", "md", "parquet"]).Select(e => $"{t}.{e}")),
            ],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(ReportParams parameters) => ReportInputs.Check(parameters);

    /// <inheritdoc/>
    protected override void Run(ReportParams parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var scores = ReportInputs.Scores(io);
        var scope = ReportInputs.Scope(parameters, scores);
        var book = ReportInputs.Book(scores, parameters);
        var latex = new List<string>();
        var cells = new List<TableCell>();
        foreach (var layout in TableCatalog.All(scope))
        {
            var table = Table.Of(layout, book, scope);
            var caption = Captions.Of(table, scope);
            latex.Add(TableRenderer.Latex(table, caption));
            cells.AddRange(table.Cells);
            File.WriteAllText(io.Output($"{layout.Name}.tex"), latex[^1]);
            File.WriteAllText(io.Output($"{layout.Name}.md"), TableRenderer.Markdown(table, caption));
            File.WriteAllText(io.Output($"{layout.Name}.csv"), CellFile.Write(table.Cells));
            ParquetTable.Write(io.Output($"{layout.Name}.parquet"), [.. table.Cells]);
            io.Metric($"{layout.Name}.filled", table.Cells.Count(c => c.Value is not null) / (double)table.Cells.Count);
        }
        File.WriteAllText(io.Output("tables.tex"), string.Join('\n', latex));
        File.WriteAllText(io.Output("standalone.tex"), TableRenderer.Document(latex));
        ParquetTable.Write(io.Output("cells.parquet"), cells);
        File.WriteAllText(io.Output("scores.csv"), ScoreCsv.All(scores));
        File.WriteAllText(io.Output("beyond.csv"), ScoreCsv.Beyond(scores, parameters.Profile));
    }
}
