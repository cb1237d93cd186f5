using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Tables;
using Spectre.Console;
using Table = EditUnlearn.Reports.Tables.Table;
using TableCell = EditUnlearn.Artifacts.TableCell;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// A table of the study on a terminal, with the marks that it has in LaTeX: bold, underlined, dim for gray, a dagger.
/// Where nothing of that can be shown, letters behind the numbers say it.
/// </summary>
internal static class TableView
{
    private const string Gap = " ",
        Bar = " │ ";

    // Columns of one split, or of one model where it fits, stand together.
    private sealed record Part(LayoutGroup Group, LayoutColumns Columns);

    /// <summary>Writes it, cut into pieces below each other where the terminal is too narrow.</summary>
    public static void Write(IAnsiConsole console, Table table, string caption)
    {
        var marks = console.Profile.Capabilities.Ansi;
        var title = $"Table {table.Layout.Name["table".Length..]}.";
        Line(console, [(title, new Style(decoration: Decoration.Bold)), (" " + caption, Style.Plain)]);
        if (!marks)
            Line(console, [("Marks: ^ bold, _ underlined, ~ gray.", Style.Plain)]);
        foreach (var piece in Pieces(table, console.Profile.Width, marks))
            Write(console, table, piece, marks);
        if (table.ShownCells.Any(c => c.Value is null))
            Line(console, [("\nRows without any number are left out.", Style.Plain)]);
    }

    private static void Write(IAnsiConsole console, Table table, List<Part> parts, bool marks)
    {
        var labels = Labels(table);
        console.WriteLine();
        if (parts.Any(p => p.Group.Label.Length > 0))
            Line(
                console,
                [
                    (new string(' ', labels), Style.Plain),
                    .. parts
                        .GroupBy(p => p.Group)
                        .SelectMany(g =>
                            Cell(g.Key.Label, g.Sum(p => Width(table, p, marks)) + Bar.Length * (g.Count() - 1), Bold)
                        ),
                ]
            );
        Line(
            console,
            [
                (new string(' ', labels), Style.Plain),
                .. parts.SelectMany(p =>
                    Cell(
                        Fitting(p.Columns, Width(table, p, marks)),
                        Width(table, p, marks),
                        new Style(p.Columns.HigherIsBetter ? Color.Green : Color.Red)
                    )
                ),
            ]
        );
        Line(
            console,
            [
                (new string(' ', labels), Style.Plain),
                .. parts.SelectMany(p =>
                    Row(p, (m, width) => [(Heading(m).PadLeft(width - Behind(marks)) + Space(marks), Style.Plain)])
                ),
            ]
        );
        foreach (var block in table.Layout.Blocks)
        {
            var rows = block.Rows.Where(r => parts.Any(p => HasNumbers(table, block, r, p))).ToList();
            if (block.Label.Length > 0 && rows.Count > 0)
                Line(console, [(block.Label, new Style(Color.Teal))]);
            foreach (var row in rows)
                Line(
                    console,
                    [
                        ((" " + row.Label).PadRight(labels), row.Family is null ? Italic : Style.Plain),
                        .. parts.SelectMany(p =>
                            Row(p, (m, width) => Number(table, table[block, row, p.Group, p.Columns, m], width, marks))
                        ),
                    ]
                );
        }

        IEnumerable<(string, Style)> Row(Part part, Func<string, int, IEnumerable<(string, Style)>> cell) =>
            part.Columns.Metrics.SelectMany(
                (m, i) => cell(m, Width(table, part, m, marks)).Prepend((i == 0 ? Bar : Gap, Style.Plain))
            );
    }

    private static bool HasNumbers(Table table, LayoutBlock block, LayoutRow row, Part part) =>
        part.Columns.Metrics.Any(m => table[block, row, part.Group, part.Columns, m].Value is not null);

    // Without what stands in brackets where that is too wide; the arrow always.
    private static string Fitting(LayoutColumns columns, int width)
    {
        var arrow = columns.HigherIsBetter ? " ↑" : " ↓";
        return columns.Label.Length + arrow.Length <= width
            ? columns.Label + arrow
            : columns.Label.Split(" (")[0] + arrow;
    }

    private static Style Bold { get; } = new(decoration: Decoration.Bold);

    private static Style Italic { get; } = new(decoration: Decoration.Italic);

    private static IEnumerable<(string, Style)> Cell(string text, int width, Style style)
    {
        var shown = text.Length > width ? text[..width] : text;
        return [(Bar, Style.Plain), (shown, style), (new string(' ', width - shown.Length), Style.Plain)];
    }

    // The number keeps its mark to itself: the space before it is not underlined.
    private static IEnumerable<(string, Style)> Number(Table table, TableCell cell, int width, bool marks)
    {
        var text = Shown(table, cell);
        var before = new string(' ', width - text.Length - Behind(marks));
        if (!marks)
            return [(before + text + Letters(cell), Style.Plain)];
        var style = new Style(
            decoration: (cell.Bold ? Decoration.Bold : Decoration.None)
                | (cell.Underlined ? Decoration.Underline : Decoration.None)
                | (cell.Grey ? Decoration.Dim : Decoration.None)
        );
        return [(before, Style.Plain), (text, style)];
    }

    private static string Letters(TableCell cell) =>
        ((cell.Grey ? "~" : (cell.Bold ? "^" : "") + (cell.Underlined ? "_" : ""))).PadRight(2);

    private static int Behind(bool marks) => marks ? 0 : 2;

    private static string Space(bool marks) => new(' ', Behind(marks));

    private static string Shown(Table table, TableCell cell) =>
        cell.Printed
        + (cell.Sigma is null ? "" : "±" + table.PrintedSigma(cell))
        + (cell.Rise.Length > 0 ? $" ({cell.Rise}↑)" : "")
        + (cell.Diverged && cell.Metric == ColumnNames.Rouge1 ? "†" : "");

    private static string Heading(string metric) => ScoreColumn.Get(metric).Heading;

    private static int Labels(Table table) => 1 + table.Layout.Blocks.SelectMany(b => b.Rows).Max(r => r.Label.Length);

    private static int Width(Table table, Part part, string metric, bool marks) =>
        Behind(marks)
        + table
            .Layout.Blocks.SelectMany(b =>
                b.Rows.Select(r => Shown(table, table[b, r, part.Group, part.Columns, metric]).Length)
            )
            .Append(Heading(metric).Length)
            .Max();

    private static int Width(Table table, Part part, bool marks) =>
        part.Columns.Metrics.Sum(m => Width(table, part, m, marks)) + Gap.Length * (part.Columns.Metrics.Count - 1);

    // All beside each other, else a model below the other, else as many splits as fit.
    private static List<List<Part>> Pieces(Table table, int width, bool marks)
    {
        int Of(IEnumerable<Part> parts) => Labels(table) + parts.Sum(p => Bar.Length + Width(table, p, marks));
        List<Part> all =
        [
            .. table
                .Layout.Groups.SelectMany(g => g.Columns.Select(c => new Part(g, c)))
                .Where(p => table.Layout.Blocks.Any(b => b.Rows.Any(r => HasNumbers(table, b, r, p)))),
        ];
        if (all.Count == 0)
            return [];
        if (Of(all) <= width)
            return [all];
        List<List<Part>> pieces = [];
        foreach (var group in all.GroupBy(p => p.Group).Select(g => g.ToList()))
            if (Of(group) <= width)
                pieces.Add(group);
            else
            {
                List<Part> piece = [];
                foreach (var part in group)
                {
                    if (piece.Count > 0 && Of([.. piece, part]) > width)
                    {
                        pieces.Add(piece);
                        piece = [];
                    }
                    piece.Add(part);
                }
                pieces.Add(piece);
            }
        return pieces;
    }

    private static void Line(IAnsiConsole console, IEnumerable<(string Text, Style Style)> parts)
    {
        var line = new Paragraph();
        foreach (var (text, style) in parts)
            line.Append(text, style);
        console.Write(line);
        console.WriteLine();
    }
}
