using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Stages;

namespace EditUnlearn.Cli;

/// <summary>The table that <c>show table1</c> means.</summary>
internal static class TableShown
{
    /// <summary>
    /// <c>table1</c> of the first stage of tables, <c>tables-paper/table1</c> of another; null where the target is no
    /// table.
    /// </summary>
    /// <exception cref="InputException">The result is missing or stale.</exception>
    public static (Table Table, string Caption)? Find(Study study, string target)
    {
        var cut = target.LastIndexOf('/');
        var (stage, name) = (cut < 0 ? null : target[..cut], target[(cut + 1)..]);
        var cell = StudyTables.IsName(name)
            ? study.Plan.Cells.FirstOrDefault(c =>
                c.Stage.Info.Name == StudyTables.Kind && (stage is null || c.Id.Text == stage)
            )
            : null;
        if (cell is null)
            return null;
        _ = TableResults.FileOf(study, cell, "");
        var keys = Status.Of(study.Plan, study.Store, study.Keys).ToDictionary(s => s.Cell.Id, s => s.Key);
        return StudyTables.Of(
            cell,
            name,
            cell.Inputs.OfType<CellOutputInput>()
                .Where(i => i.Name == StudyTables.Scores)
                .Select(i => Path.Combine(study.Store.ResultFolder(keys[i.Cell]!), i.Output))
        );
    }

    /// <summary>The same as JSON: every cell with its number and its marks.</summary>
    public static JsonObject Json(Table table, string caption) =>
        new()
        {
            ["table"] = table.Layout.Name,
            ["caption"] = caption,
            ["cells"] = new JsonArray([
                .. table.Cells.Select(c => new JsonObject
                {
                    ["name"] = c.Name,
                    ["value"] = c.Value,
                    ["printed"] = c.Printed,
                    ["bold"] = c.Bold,
                    ["underlined"] = c.Underlined,
                    ["grey"] = c.Grey,
                    ["diverged"] = c.Diverged,
                }),
            ]),
        };
}
