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
        "set",
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

    // What only cells over several seeds have.
    private static readonly string[] SeedColumns = ["seeds", "sigma"];

    // What only cells have whose stage ran out of memory.
    private const string FellBackColumn = "fell_back";

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

    /// <summary>
    /// Every cell on a line of its own, not rounded; with columns of seeds and of fallbacks where a cell has
    /// any.
    /// </summary>
    public static string Write(IEnumerable<TableCell> cells)
    {
        var all = cells.ToList();
        var (seeds, fellBack) = (all.Any(c => c.Seeds > 1), all.Any(c => c.FellBack));
        IEnumerable<string> More(IEnumerable<string> ofSeeds, string ofMemory) =>
            [.. seeds ? ofSeeds : [], .. fellBack ? [ofMemory] : Array.Empty<string>()];
        var csv = new StringBuilder()
            .AppendJoin(',', Columns.Concat(More(SeedColumns, FellBackColumn)))
            .Append('\n');
        foreach (var c in all)
            csv.AppendJoin(',', Fields(c).Concat(More([Text(c.Seeds), Text(c.Sigma)], Flag(c.FellBack)))).Append('\n');
        return csv.ToString();
    }

    private static string[] Fields(TableCell c) =>
        [
            Csv.Quote(c.Name),
            c.Table,
            c.Profile,
            Csv.Quote(c.Model),
            Csv.Quote(c.Set),
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
            Flag(c.Diverged),
        ];

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is absent or not such a file; every wrong field at once.</exception>
    public static IReadOnlyList<TableCell> Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException(path, "there is no such file");
        return Parse(File.ReadAllText(path), path);
    }

    /// <summary>
    /// Reads a text; <paramref name="path"/> is for messages. A cell without a name, as the paper's come, gets one of
    /// the paper's method labels, and a set of the paper.
    /// </summary>
    public static IReadOnlyList<TableCell> Parse(string text, string path)
    {
        var problems = new List<InputProblem>();
        List<TableCell> cells =
        [
            .. Csv.Parse(text, path, Required).Select(l => Cell(new Line(path, l.Line, l.Fields, problems))),
        ];
        foreach (var twice in cells.GroupBy(c => c.Name).Where(g => g.Count() > 1))
            problems.Add(new InputProblem(path, 0, 0, $"the cell {twice.Key} stands there twice"));
        if (problems.Count > 0)
            throw new InputException(problems);
        return cells;
    }

    private static TableCell Cell(Line line)
    {
        var cell = new TableCell
        {
            Name = line.Text("name"),
            Table = line.Text("table"),
            Profile = line.Has("profile") ? line.Text("profile") : ProfileNames.Paper,
            Model = line.Text("model"),
            Set = line.Text("set"),
            Data = line.Text("data"),
            Size = line.Whole("size", 0),
            Method = line.Text("method"),
            Target = line.Text("target"),
            Merge = line.Whole("merge", 1),
            Split = line.Text("split"),
            Metric = line.Text("metric"),
            Variant = line.Text("variant"),
            Value =
                line.Has("value") ? line.Number("value")
                : line.Text("printed") is Table.Dash or "" ? null
                : line.Number("printed"),
            StandardError = line.Number("se") ?? 0,
            CiLow = line.Number("ci_low"),
            CiHigh = line.Number("ci_high"),
            Count = line.Whole("n", 0),
            Excluded = line.Whole("excluded", 0),
            Seeds = line.Whole("seeds", 1),
            Sigma = line.Number("sigma"),
            Printed = line.Text("printed"),
            Rise = line.Text("rise"),
            Bold = line.Flag("bold"),
            Underlined = line.Flag("underlined"),
            Grey = line.Flag("grey"),
            Diverged = line.Flag("diverged"),
            FellBack = line.Flag(FellBackColumn),
        };
        if (cell.Name.Length > 0)
            return cell;
        if (!line.Has("set"))
            cell.Set = StudySet.NameOf(cell.Data, cell.Size, cell.Target, cell.Merge);
        cell.Name = CellName.Of(cell, StudyScope.Paper.MethodLabel(cell.Method));
        return cell;
    }

    // The fields of one line; what is wrong with them is added to the problems.
    private sealed record Line(
        string Path,
        int At,
        IReadOnlyDictionary<string, string> Fields,
        List<InputProblem> Problems
    )
    {
        public bool Has(string name) => Fields.ContainsKey(name);

        public string Text(string name) => Fields.GetValueOrDefault(name, "");

        public double? Number(string name)
        {
            if (Text(name).Length == 0)
                return null;
            if (double.TryParse(Text(name), NumberStyles.Float, CultureInfo.InvariantCulture, out var x))
                return x;
            Wrong(name, "a number");
            return null;
        }

        public int Whole(string name, int fallback)
        {
            if (Text(name).Length == 0)
                return fallback;
            if (int.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out var x))
                return x;
            Wrong(name, "a whole number");
            return fallback;
        }

        public bool Flag(string name)
        {
            if (Text(name) is not ("" or "0" or "1"))
                Wrong(name, "0 or 1");
            return Text(name) == "1";
        }

        private void Wrong(string name, string kind) =>
            Problems.Add(new InputProblem(Path, At, 0, $"'{name}' must be {kind}, not '{Text(name)}'"));
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
