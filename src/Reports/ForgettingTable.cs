using System.Globalization;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports;

/// <summary>A method as the table shows it.</summary>
/// <param name="Name">In the scores.</param>
/// <param name="Label">In print.</param>
/// <param name="IsEditing">Editing or unlearning: bold is given within each.</param>
public sealed record TableMethod(string Name, string Label, bool IsEditing);

/// <summary>A setting as the table shows it.</summary>
/// <param name="Model">In the scores.</param>
/// <param name="Set">In the scores.</param>
/// <param name="Label">In print.</param>
public sealed record TableSetting(string Model, string Set, string Label);

/// <summary>A metric as the table shows it.</summary>
/// <param name="Name">In the scores.</param>
/// <param name="Label">In print.</param>
public sealed record TableMetric(string Name, string Label);

/// <summary>The layout of the study's Table 1: methods by setting, each metric on what should be gone and on what should have stayed.</summary>
/// <remarks>Rounding and marks are decided here; the template only places them. Marks: evaluation specification, section 9.1, on the values as printed.</remarks>
public sealed class ForgettingTable
{
    private const double CollapseBound = 0.10, NoForgettingShare = 0.99;
    private const string Rouge = "rouge1";

    /// <summary>Splits in print order; lower is better on the first, higher on the second.</summary>
    private static readonly string[] Splits = ["forget", "retain"];

    private ForgettingTable(string name, IReadOnlyList<TableSetting> settings, IReadOnlyList<TableMethod> methods, IReadOnlyList<TableMetric> metrics, IReadOnlyList<TableCell> cells)
    {
        Name = name;
        Settings = settings;
        Methods = methods;
        Metrics = metrics;
        Cells = cells;
    }

    /// <summary>For example <c>table1</c>.</summary>
    public string Name { get; }

    /// <summary>Blocks of rows.</summary>
    public IReadOnlyList<TableSetting> Settings { get; }

    /// <summary>Rows of a block.</summary>
    public IReadOnlyList<TableMethod> Methods { get; }

    /// <summary>Columns of a split.</summary>
    public IReadOnlyList<TableMetric> Metrics { get; }

    /// <summary>Every printed number; the untouched model under the method label of <see cref="BeforeLabel"/>.</summary>
    public IReadOnlyList<TableCell> Cells { get; }

    /// <summary>The row of the untouched model.</summary>
    public const string BeforeLabel = "before";

    /// <summary>Puts means in their places and marks them.</summary>
    /// <param name="name">Of the table.</param>
    /// <param name="settings">In print order.</param>
    /// <param name="methods">In print order.</param>
    /// <param name="metrics">In print order; Rouge1 must be among them.</param>
    /// <param name="scores">Means; what is missing prints as a dash.</param>
    /// <param name="before">Means of the untouched model, for its row and the rule that no forgetting earns no mark.</param>
    public static ForgettingTable Of(
        string name, IReadOnlyList<TableSetting> settings, IReadOnlyList<TableMethod> methods, IReadOnlyList<TableMetric> metrics, IEnumerable<CellScore> scores, IEnumerable<CellScore> before)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(methods);
        ArgumentNullException.ThrowIfNull(metrics);
        var means = scores.ToDictionary(s => (s.Model, s.Set, s.Method, s.Split, s.Metric), s => s.Mean);
        var untouched = before.ToDictionary(s => (s.Model, s.Set, s.Split, s.Metric), s => s.Mean);
        var cells = new List<TableCell>();
        foreach (var setting in settings)
        {
            double? Value(string? method, string split, string metric) => method is null
                ? untouched.TryGetValue((setting.Model, setting.Set, split, metric), out var b) ? b : null
                : means.TryGetValue((setting.Model, setting.Set, method, split, metric), out var v) ? v : null;
            TableCell Cell(string? method, string label, string split, string metric) => new()
            {
                Table = name,
                Setting = setting.Label,
                Method = label,
                Split = split,
                Metric = metric,
                Value = Value(method, split, metric),
                Printed = Value(method, split, metric) is { } x ? Round(x).ToString("0.00", CultureInfo.InvariantCulture) : "--",
            };
            foreach (var split in Splits)
                foreach (var metric in metrics) cells.Add(Cell(null, BeforeLabel, split, metric.Name));
            var block = methods.SelectMany(m => Splits.SelectMany(s => metrics.Select(x => Cell(m.Name, m.Label, s, x.Name)))).ToList();
            Mark(block, methods, metrics, Value(null, Splits[0], Rouge));
            cells.AddRange(block);
        }
        return new ForgettingTable(name, settings, methods, metrics, cells);
    }

    /// <summary>The cell of one place.</summary>
    public TableCell this[TableSetting setting, string method, string split, string metric] =>
        Cells.First(c => c.Setting == setting.Label && c.Method == method && c.Split == split && c.Metric == metric);

    /// <summary>Two decimals, halves away from zero, as the eye expects.</summary>
    public static double Round(double value) => Math.Round(value, 2, MidpointRounding.AwayFromZero);

    /// <summary>Gives grey, bold and underline within one setting.</summary>
    /// <param name="block">Cells of the methods.</param>
    /// <param name="methods">Which of them are editing methods.</param>
    /// <param name="metrics">Columns.</param>
    /// <param name="before">Rouge1 on the forget set before; null to hold forgetting against 1.</param>
    public static void Mark(IReadOnlyList<TableCell> block, IReadOnlyList<TableMethod> methods, IReadOnlyList<TableMetric> metrics, double? before)
    {
        ArgumentNullException.ThrowIfNull(block);
        ArgumentNullException.ThrowIfNull(methods);
        ArgumentNullException.ThrowIfNull(metrics);
        double? Rouged(TableMethod m, string split) => block.FirstOrDefault(c => c.Method == m.Label && c.Split == split && c.Metric == Rouge)?.Value is { } v ? Round(v) : null;
        var ranked = new List<TableMethod>();
        foreach (var method in methods)
        {
            if (Rouged(method, Splits[0]) is not { } forget || Rouged(method, Splits[1]) is not { } retain) continue;
            var collapsed = forget <= CollapseBound && retain <= CollapseBound;
            var unforgetting = forget >= NoForgettingShare * (before ?? 1);
            if (!collapsed && !unforgetting) ranked.Add(method);
            else foreach (var cell in block.Where(c => c.Method == method.Label)) cell.Grey = true;
        }
        foreach (var split in Splits)
            foreach (var metric in metrics)
            {
                var column = ranked.Select(m => (Method: m, Cell: block.First(c => c.Method == m.Label && c.Split == split && c.Metric == metric.Name)))
                    .Where(p => p.Cell.Value is not null).Select(p => (p.Method, p.Cell, Value: (split == Splits[0] ? 1 : -1) * Round(p.Cell.Value!.Value))).ToList();
                foreach (var family in column.GroupBy(p => p.Method.IsEditing))
                {
                    var best = family.Min(p => p.Value);
                    foreach (var (_, cell, value) in family) cell.Bold = value == best;
                }
                // Competition rank: two tied firsts use up both places.
                var second = column.Select(p => p.Value).Order().Take(2).LastOrDefault();
                foreach (var (_, cell, value) in column) cell.Underlined = value <= second;
            }
    }
}
