using System.Globalization;
using System.Text;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Reports.Tables;

/// <summary>
/// Cells of tables as CSV: what a table stage writes, what is accepted in git, and what the paper prints. One reader
/// for all three.
/// </summary>
public static class CellFile
{
    private static readonly string[] Columns =
    [
        "name",
        "table",
        "profile",
        "model",
        "data",
        "size",
        "method",
        "target",
        "merge",
        "split",
        "metric",
        "variant",
        "value",
        "se",
        "ci_low",
        "ci_high",
        "n",
        "excluded",
        "printed",
        "rise",
        "bold",
        "underlined",
        "grey",
        "diverged",
    ];

    private static readonly string[] Required =
    [
        "table",
        "model",
        "data",
        "size",
        "method",
        "target",
        "merge",
        "split",
        "metric",
        "printed",
    ];

    /// <summary>Every cell on a line of its own, not rounded.</summary>
    public static string Write(IEnumerable<TableCell> cells)
    {
        ArgumentNullException.ThrowIfNull(cells);
        var csv = new StringBuilder().AppendJoin(',', Columns).Append('\n');
        foreach (var c in cells)
            csv.AppendJoin(
                    ',',
                    Csv.Quote(c.Name),
                    c.Table,
                    c.Profile,
                    Csv.Quote(c.Model),
                    Csv.Quote(c.Data),
                    Text(c.Size),
                    Csv.Quote(c.Method),
                    c.Target,
                    Text(c.Merge),
                    c.Split,
                    c.Metric,
                    c.Variant,
                    Text(c.Value),
                    Text(c.StandardError),
                    Text(c.CiLow),
                    Text(c.CiHigh),
                    Text(c.Count),
                    Text(c.Excluded),
                    Csv.Quote(c.Printed),
                    c.Rise,
                    Flag(c.Bold),
                    Flag(c.Underlined),
                    Flag(c.Grey),
                    Flag(c.Diverged)
                )
                .Append('\n');
        return csv.ToString();
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is absent or not such a file; every wrong field at once.</exception>
    public static IReadOnlyList<TableCell> Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException(path, "there is no such file");
        return Parse(File.ReadAllText(path), path);
    }

    /// <summary>
    /// Reads a text; <paramref name="path"/> is for messages. A cell without a name gets the one of the paper's method
    /// labels.
    /// </summary>
    public static IReadOnlyList<TableCell> Parse(string text, string path)
    {
        var problems = new List<InputProblem>();
        var cells = new List<TableCell>();
        foreach (var (line, fields) in Csv.Parse(text, path, Required))
        {
            string Field(string name) => fields.GetValueOrDefault(name, "");
            double? Number(string name)
            {
                if (Field(name).Length == 0)
                    return null;
                if (double.TryParse(Field(name), NumberStyles.Float, CultureInfo.InvariantCulture, out var x))
                    return x;
                problems.Add(new InputProblem(path, line, 0, $"'{name}' must be a number, not '{Field(name)}'"));
                return null;
            }
            int Whole(string name, int fallback)
            {
                if (Field(name).Length == 0)
                    return fallback;
                if (int.TryParse(Field(name), NumberStyles.None, CultureInfo.InvariantCulture, out var x))
                    return x;
                problems.Add(new InputProblem(path, line, 0, $"'{name}' must be a whole number, not '{Field(name)}'"));
                return fallback;
            }
            bool Yes(string name) =>
                Field(name) switch
                {
                    "1" => true,
                    "" or "0" => false,
                    _ => Wrong(name),
                };
            bool Wrong(string name)
            {
                problems.Add(new InputProblem(path, line, 0, $"'{name}' must be 0 or 1, not '{Field(name)}'"));
                return false;
            }
            var cell = new TableCell
            {
                Table = Field("table"),
                Profile = fields.GetValueOrDefault("profile", ProfileNames.Paper),
                Model = Field("model"),
                Data = Field("data"),
                Size = Whole("size", 0),
                Method = Field("method"),
                Target = Field("target"),
                Merge = Whole("merge", 1),
                Split = Field("split"),
                Metric = Field("metric"),
                Variant = Field("variant"),
                Value =
                    fields.ContainsKey("value") ? Number("value")
                    : Field("printed") is Table.Dash or "" ? null
                    : Number("printed"),
                StandardError = Number("se") ?? 0,
                CiLow = Number("ci_low"),
                CiHigh = Number("ci_high"),
                Count = Whole("n", 0),
                Excluded = Whole("excluded", 0),
                Printed = Field("printed"),
                Rise = Field("rise"),
                Bold = Yes("bold"),
                Underlined = Yes("underlined"),
                Grey = Yes("grey"),
                Diverged = Yes("diverged"),
            };
            cell.Name = Field("name") is { Length: > 0 } name
                ? name
                : CellName.Of(cell, StudyScope.Paper.MethodLabel(cell.Method), cell.Table == "table6");
            cells.Add(cell);
        }
        foreach (var twice in cells.GroupBy(c => c.Name).Where(g => g.Count() > 1))
            problems.Add(new InputProblem(path, 0, 0, $"the cell {twice.Key} stands there twice"));
        if (problems.Count > 0)
            throw new InputException(problems);
        return cells;
    }

    /// <summary>Reads every table of a folder, <c>table*.csv</c>.</summary>
    /// <exception cref="InputException">There is no such folder, or no table in it.</exception>
    public static IReadOnlyList<TableCell> ReadFolder(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder");
        var files = Directory.EnumerateFiles(folder, "table*.csv").Order(StringComparer.Ordinal).ToList();
        return files.Count > 0 ? [.. files.SelectMany(Read)] : throw new InputException(folder, "holds no table*.csv");
    }

    private static string Text(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? "";

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Flag(bool value) => value ? "1" : "0";
}
