using System.Globalization;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>A layout with its numbers in place: rounded, marked, named.</summary>
public sealed class Table
{
    /// <summary>What a place without a number prints.</summary>
    public const string Dash = "—";

    /// <summary>The column that no method competes in: it may be read either way.</summary>
    private const string Refusals = ColumnNames.Refusals;

    private readonly Dictionary<(LayoutBlock, LayoutRow, LayoutGroup, LayoutColumns, string), TableCell> _cells = [];

    private Table(TableLayout layout, string profile) => (Layout, Shown, Profile) = (layout, layout, profile);

    /// <summary>What stands where.</summary>
    public TableLayout Layout { get; }

    /// <summary>The blocks and groups of it that hold a number: what people are shown.</summary>
    public TableLayout Shown { get; private set; }

    /// <summary>Headings of the blocks and groups that hold none.</summary>
    public IReadOnlyList<string> LeftOut { get; private set; } = [];

    /// <summary>Cells of <see cref="Shown"/>, in print order.</summary>
    public IEnumerable<TableCell> ShownCells =>
        Shown.Blocks.SelectMany(b => b.Rows.SelectMany(r => Shown.Groups.SelectMany(g => CellsOf(b, r, g))));

    /// <summary>Of the metrics.</summary>
    public string Profile { get; }

    /// <summary>In print order.</summary>
    public IReadOnlyList<TableCell> Cells { get; private set; } = [];

    /// <summary>The cell of one place.</summary>
    public TableCell this[LayoutBlock block, LayoutRow row, LayoutGroup group, LayoutColumns columns, string metric] =>
        _cells[(block, row, group, columns, metric)];

    /// <summary>Puts numbers in their places and marks them.</summary>
    /// <param name="layout">The declaration.</param>
    /// <param name="book">The numbers; what is missing prints a dash.</param>
    /// <param name="scope">Gives methods their labels.</param>
    /// <param name="relative">Whether "nothing forgotten" is measured against the untouched model, as for our own runs;
    /// else against 1, as the paper's preset does.</param>
    public static Table Of(TableLayout layout, IScoreBook book, StudyScope scope, bool relative = true)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(book);
        ArgumentNullException.ThrowIfNull(scope);
        var table = new Table(layout, (book as ScoreBook)?.Profile ?? ProfileNames.Paper);
        var cells = new List<TableCell>();
        foreach (var block in layout.Blocks)
        {
            foreach (var row in block.Rows)
                foreach (var group in layout.Groups)
                    foreach (var columns in group.Columns)
                        foreach (var metric in columns.Metrics)
                        {
                            var where = row.Where.And(block.Where).And(group.Where);
                            var cell = table.Cell(where, columns, metric, book, scope);
                            cell.Grey = row.Family is not null && table.IsGrey(where, book, relative);
                            if (!cell.Grey && layout.RiseOver is { } over && row.Family is not null)
                                cell.Rise = table.Rise(cell, where, over, metric, book);
                            table._cells.Add((block, row, group, columns, metric), cell);
                            cells.Add(cell);
                        }
            foreach (var group in layout.Groups)
                MarkingRule.Mark(
                    block
                        .Rows.Where(r => r.Family is not (null or LayoutRow.Further))
                        .SelectMany(r =>
                            group.Columns.SelectMany(c =>
                                c.Metrics.Where(m => m != Refusals)
                                    .Select(m => new MarkingRule.Entry(
                                        table[block, r, group, c, m],
                                        r.Label,
                                        r.Family!,
                                        c.Split + "." + m,
                                        c.HigherIsBetter
                                    ))
                            )
                        ),
                    layout.Marks,
                    layout.Decimals
                );
        }
        table.Cells = cells;
        table.LeaveOut();
        return table;
    }

    private IEnumerable<TableCell> CellsOf(LayoutBlock block, LayoutRow row, LayoutGroup group) =>
        group.Columns.SelectMany(c => c.Metrics.Select(m => this[block, row, group, c, m]));

    // A model or a set that nobody ran would be a page of dashes.
    private void LeaveOut()
    {
        bool Holds(LayoutBlock block, LayoutGroup group) =>
            block.Rows.Any(r => CellsOf(block, r, group).Any(c => c.Value is not null));
        Shown = Layout with
        {
            Blocks = [.. Layout.Blocks.Where(b => Layout.Groups.Any(g => Holds(b, g)))],
            Groups = [.. Layout.Groups.Where(g => Layout.Blocks.Any(b => Holds(b, g)))],
        };
        LeftOut =
        [
            .. Layout
                .Groups.Except(Shown.Groups)
                .Select(g => g.Label)
                .Concat(Layout.Blocks.Except(Shown.Blocks).Select(b => b.Label))
                .Where(l => l.Length > 0),
        ];
    }

    private TableCell Cell(Where where, LayoutColumns columns, string metric, IScoreBook book, StudyScope scope)
    {
        var key = where.Key(columns.Split, metric);
        var set = scope.Sets.GetValueOrDefault(key.Set);
        // Where nothing was set apart from methods, the retain set is all that is kept.
        var score =
            book.Find(Layout.Name, key)
            ?? (
                columns.Split == SplitNames.RetainAll && set is { Unseen: 0 }
                    ? book.Find(Layout.Name, key with { Split = SplitNames.Retain })
                    : null
            );
        var cell = new TableCell
        {
            Table = Layout.Name,
            Profile = Profile,
            Model = key.Model,
            Set = key.Set,
            Data = set?.Data ?? score?.Data ?? "",
            Size = set?.Size ?? score?.Size ?? 0,
            Method = key.Method,
            Target = key.Method == ScoreBook.Untouched ? "" : set?.Target ?? score?.Target ?? "",
            Merge = set?.Merge ?? score?.Merge ?? 1,
            Split = key.Split,
            Metric = metric,
            Variant = (book as ScoreBook)?.Variant(metric) ?? metric,
            Value = score?.Mean,
            StandardError = score?.StandardError ?? 0,
            CiLow = score?.CiLow,
            CiHigh = score?.CiHigh,
            Count = score?.Count ?? 0,
            Excluded = score?.Excluded ?? 0,
            Seeds = score?.Seeds ?? 1,
            Sigma = score?.Sigma,
            Diverged = score?.Diverged ?? false,
            FellBack = score?.FellBack ?? false,
            Printed = score?.Mean is { } mean ? Print(mean, Layout.Decimals) : Dash,
        };
        cell.Name = CellName.Of(cell, key.Method == ScoreBook.Untouched ? "before" : scope.MethodLabel(key.Method));
        return cell;
    }

    private bool IsGrey(Where where, IScoreBook book, bool relative)
    {
        double? Rouge(Where place, string split) => book.Find(Layout.Name, place.Key(split, ColumnNames.Rouge1))?.Mean;
        var before = relative
            ? ((string[])[where.Set!, .. where.Baselines ?? []])
                .Select(s => Rouge(where with { Set = s, Method = ScoreBook.Untouched }, SplitNames.Forget))
                .FirstOrDefault(mean => mean is not null)
            : null;
        return MarkingRule.IsGrey(
            Rouge(where, SplitNames.Forget),
            Rouge(where, SplitNames.Retain),
            before,
            Layout.Decimals
        );
    }

    private string Rise(TableCell cell, Where where, string over, string metric, IScoreBook book)
    {
        if (cell.Value is not { } value || book.Find(Layout.Name, where.Key(over, metric))?.Mean is not { } other)
            return "";
        var rise = MarkingRule.Round(value - other, Layout.Decimals);
        return rise > 0 ? Print(rise, Layout.Decimals) : "";
    }

    /// <summary>
    /// The standard deviation over seeds as a table prints it behind the mean; empty for a single seed.
    /// </summary>
    public string PrintedSigma(TableCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Sigma is { } sigma ? Print(sigma, Layout.Decimals) : "";
    }

    /// <summary>A number as a table prints it.</summary>
    public static string Print(double value, int decimals) =>
        double.IsFinite(value)
            ? MarkingRule
                .Round(value, decimals)
                .ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
            : "n/a";
}
