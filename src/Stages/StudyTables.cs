using EditUnlearn.Artifacts;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Stages;

/// <summary>A table of the study as its stage printed it, for whoever shows it elsewhere.</summary>
public static class StudyTables
{
    /// <summary>Kind of the stage.</summary>
    public const string Kind = "tables";

    /// <summary>Name of the input that holds the numbers.</summary>
    public const string Scores = "scores";

    /// <summary>Whether this is the name of a table: <c>table1</c>.</summary>
    public static bool IsName(string name) => TablesStage.Tables.Contains(name, StringComparer.Ordinal);

    /// <summary>The table with its numbers and marks, and what it says of itself.</summary>
    /// <param name="cell">Of kind <see cref="Kind"/>.</param>
    /// <param name="name">See <see cref="IsName"/>.</param>
    /// <param name="scoreFiles">Files behind its input <see cref="Scores"/>, in the order of the plan.</param>
    /// <exception cref="ArgumentException">The cell is of another kind.</exception>
    public static (Table Table, string Caption) Of(Cell cell, string name, IEnumerable<string> scoreFiles)
    {
        ArgumentNullException.ThrowIfNull(cell);
        if (cell.Parameters is not ReportParams parameters)
            throw new ArgumentException($"{cell.Id} makes no tables.", nameof(cell));
        IReadOnlyList<CellScore> scores = [.. scoreFiles.SelectMany(ParquetTable.Read<CellScore>)];
        var scope = ReportInputs.Scope(parameters, scores);
        var layout = TableCatalog.All(scope).Single(l => l.Name == name);
        var table = Table.Of(layout, ReportInputs.Book(scores, parameters), scope);
        return (table, Captions.Of(table, scope));
    }
}
