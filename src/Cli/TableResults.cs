using EditUnlearn.Artifacts;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli;

/// <summary>The study's tables as the store holds them for the present settings.</summary>
internal static class TableResults
{
    private const string Kind = "tables",
        Cells = "cells.parquet";

    /// <summary>Cells of every stage of kind <c>tables</c>, in the order of the plan.</summary>
    /// <exception cref="InputException">There is no such stage, or a result is missing or stale.</exception>
    public static IReadOnlyList<TableCell> Read(Study study)
    {
        var stages = study.Plan.Cells.Where(c => c.Stage.Info.Name == Kind).ToList();
        if (stages.Count == 0)
            throw new InputException(PipelineFile.FileName, $"has no stage of kind '{Kind}'");
        return [.. stages.SelectMany(c => ParquetTable.Read<TableCell>(FileOf(study, c, Cells)))];
    }

    /// <summary>A file of a cell's result.</summary>
    /// <exception cref="InputException">The result is missing or stale.</exception>
    public static string FileOf(Study study, Cell cell, string file)
    {
        var status = Status.Of(study.Plan, study.Store, study.Keys).Single(s => s.Cell.Id.Equals(cell.Id));
        if (status.State != CellState.UpToDate)
            throw new InputException(
                cell.Id.Text,
                "has no result for the present settings: " + Format.Reasons(status.Reasons),
                $"eu-stage repro{Profile(study)} '{cell.Id}'"
            );
        study.Store.CheckSizes(status.Key!);
        return Path.Combine(study.Store.ResultFolder(status.Key!), file);
    }

    /// <summary>How a hint names the profile.</summary>
    public static string Profile(Study study) =>
        study.Plan.Profile.Length > 0 ? $" --profile {study.Plan.Profile}" : "";
}
