using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports.Web;

/// <summary>
/// Tables for the page: the numbers and marks of the LaTeX, with the paper's number at the same place.
/// </summary>
public static class PageTables
{
    /// <summary>All tables of one profile of metrics.</summary>
    /// <param name="scope">Who plays which part.</param>
    /// <param name="book">The study's numbers.</param>
    /// <param name="paper">The paper's cells; empty for none.</param>
    /// <param name="runs">Where a run stands in the list of runs; it leads to the cells that made a number.</param>
    public static JsonArray Of(
        StudyScope scope,
        ScoreBook book,
        IReadOnlyList<TableCell> paper,
        IReadOnlyDictionary<(string Model, string Set, string Method), int> runs
    )
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(runs);
        var tables = new JsonArray();
        foreach (var layout in TableCatalog.All(scope))
        {
            var table = Table.Of(layout, book, scope);
            var theirs = TableComparison
                .Of(table.Cells, [.. paper.Where(c => c.Table == layout.Name)])
                .Pairs.ToLookup(p => p.Name, p => p.Other, StringComparer.Ordinal);
            tables.Add(
                new JsonObject
                {
                    ["name"] = layout.Name,
                    ["profile"] = table.Profile,
                    ["title"] = layout.Title,
                    ["caption"] = Captions.Of(table, scope),
                    ["decimals"] = layout.Decimals,
                    ["columns"] = Columns(table.Shown),
                    ["blocks"] = new JsonArray([
                        .. table.Shown.Blocks.Select(b => new JsonObject
                        {
                            ["label"] = b.Label,
                            ["rows"] = new JsonArray([
                                .. b.Rows.Select(r => new JsonObject
                                {
                                    ["label"] = r.Label,
                                    ["cells"] = new JsonArray([
                                        .. TableRenderer
                                            .Row(table, b, r)
                                            .Select(c => Cell(table, c, theirs[NameOf(c)].FirstOrDefault(), runs)),
                                    ]),
                                }),
                            ]),
                        }),
                    ]),
                }
            );
        }
        return tables;
    }

    // As comparisons have it: without the profile.
    private static string NameOf(TableCell cell) => cell.Name.Split('@')[0];

    private static JsonArray Columns(TableLayout layout) =>
        new([
            .. layout.Groups.SelectMany(g =>
                g.Columns.SelectMany(c =>
                    c.Metrics.Select(m => new JsonObject
                    {
                        ["group"] = g.Label,
                        ["split"] = c.Label,
                        ["asked"] = c.Split,
                        ["metric"] = ScoreColumn.Get(m).Heading,
                        ["up"] = ScoreColumn.HigherIsBetter(ScoreColumn.Get(m).Direction, c.Split),
                    })
                )
            ),
        ]);

    // Only what is there: most cells have neither rise nor sigma, and a page has thousands.
    private static JsonObject Cell(
        Table table,
        TableCell cell,
        TableCell? paper,
        IReadOnlyDictionary<(string Model, string Set, string Method), int> runs
    )
    {
        var json = new JsonObject { ["name"] = cell.Name, ["printed"] = cell.Printed };
        if (cell.Value is { } value && double.IsFinite(value))
        {
            json["value"] = value;
            json["n"] = cell.Count;
            // JSON has no NaN.
            if (double.IsFinite(cell.StandardError))
                json["se"] = cell.StandardError;
            if (cell is { CiLow: { } low, CiHigh: { } high } && double.IsFinite(low) && double.IsFinite(high))
                json["ci"] = new JsonArray(low, high);
        }
        if (paper is { Value: { } theirs })
            json["paper"] = new JsonArray(theirs, paper.Printed);
        if (runs.TryGetValue((cell.Model, cell.Set, cell.Method), out var run))
            json["run"] = run;
        var dagger = cell is { Diverged: true, Metric: ColumnNames.Rouge1 };
        var marks =
            (cell.Bold ? "b" : "") + (cell.Underlined ? "u" : "") + (cell.Grey ? "g" : "") + (dagger ? "d" : "");
        if (marks.Length > 0)
            json["marks"] = marks;
        if (cell.Rise.Length > 0)
            json["rise"] = cell.Rise;
        if (cell.Excluded > 0)
            json["excluded"] = cell.Excluded;
        if (cell.Seeds > 1)
            json["seeds"] = cell.Seeds;
        if (cell.Sigma is not null)
            json["sigma"] = table.PrintedSigma(cell);
        if (cell.Variant != cell.Metric)
            json["variant"] = cell.Variant;
        return json;
    }
}
