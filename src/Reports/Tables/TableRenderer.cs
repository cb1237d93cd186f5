using System.Globalization;
using System.Text;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>A table as LaTeX, Markdown and CSV.</summary>
public static class TableRenderer
{
    private const int ManyColumns = 12,
        MostColumns = 20;

    /// <summary>
    /// LaTeX of the table alone, to be included in a paper. Needs booktabs and xcolor, and graphicx for several seeds.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="caption">Plain text; see <see cref="Captions"/>.</param>
    public static string Latex(Table table, string caption)
    {
        ArgumentNullException.ThrowIfNull(table);
        var layout = table.Shown;
        var columns = layout.Groups.SelectMany(g => g.Columns).ToList();
        var wide = columns.Sum(c => c.Metrics.Count) > ManyColumns;
        return Templating.Render(
            "table.tex",
            new
            {
                layout.Name,
                Caption = Reports.Latex.Escape(caption),
                Empty = layout.Blocks.Count == 0,
                Wide = wide,
                Separation = columns.Sum(c => c.Metrics.Count) > MostColumns ? "0.8pt" : "1.8pt",
                // Two numbers a cell may be too much for a page.
                Shrink = table.Cells.Any(c => c.Sigma is not null),
                Columns = "l" + string.Concat(columns.Select(c => " " + new string('r', c.Metrics.Count))),
                Total = 1 + columns.Sum(c => c.Metrics.Count),
                Heads = Heads(layout),
                Metrics = columns.SelectMany(c => c.Metrics.Select(m => Heading(m, c))).ToList(),
                Blocks = layout
                    .Blocks.Select(b => new
                    {
                        Label = Reports.Latex.Escape(b.Label),
                        Rows = b
                            .Rows.Select(r => new
                            {
                                Label = r.Family is null
                                    ? $@"\textit{{{Reports.Latex.Escape(r.Label)}}}"
                                    : Reports.Latex.Escape(r.Label),
                                Cells = Row(table, b, r).Select(c => Marked(c, table.PrintedSigma(c), wide)).ToList(),
                            })
                            .ToList(),
                    })
                    .ToList(),
            }
        );
    }

    /// <summary>A document that holds tables and nothing else, to be compiled and looked at.</summary>
    public static string Document(IEnumerable<string> tables) =>
        Templating.Render(
            "document.tex",
            new { Body = string.Join("\n\\clearpage\n", tables.Select(t => t.TrimEnd())) + "\n" }
        );

    /// <summary>For a terminal: aligned columns without marks, no empty line.</summary>
    public static string Plain(Table table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var layout = table.Shown;
        var title = $"Table {layout.Name["table".Length..]}, {string.Join(", ", layout.Groups.Select(g => g.Label))}";
        if (layout.Blocks.Count == 0)
            return title.TrimEnd(',', ' ') + ": nothing of it was run";
        string Shown(TableCell c) => c.Printed + (c.Sigma is null ? "" : "±" + table.PrintedSigma(c));
        var width = Math.Max(7, table.ShownCells.Max(c => Shown(c).Length) + 2);
        var labels = layout.Blocks.SelectMany(b => b.Rows.Select(r => r.Label)).Max(l => l.Length) + 2;
        var columns = layout.Groups.SelectMany(g => g.Columns.Select(c => (Group: g, Columns: c))).ToList();
        string Line(string label, IEnumerable<string> parts) =>
            (label.PadRight(labels) + string.Concat(parts)).TrimEnd();
        List<string> lines =
        [
            title,
            Line("", columns.Select(c => $" {c.Columns.Split}".PadRight(width * c.Columns.Metrics.Count))),
            Line("", columns.SelectMany(c => c.Columns.Metrics.Select(m => Label(m).PadLeft(width)))),
        ];
        foreach (var block in layout.Blocks)
        {
            if (block.Label.Length > 0)
                lines.Add(block.Label);
            foreach (var row in block.Rows)
                lines.Add(Line("  " + row.Label, Row(table, block, row).Select(c => Shown(c).PadLeft(width))));
        }
        return string.Join('\n', lines);
    }

    /// <summary>Markdown, for a README.</summary>
    public static string Markdown(Table table, string caption)
    {
        ArgumentNullException.ThrowIfNull(table);
        var layout = table.Shown;
        var text = new StringBuilder()
            .Append($"**Table {layout.Name["table".Length..]}.** ")
            .Append(caption)
            .Append('\n');
        if (layout.Blocks.Count == 0)
            return text.ToString();
        text.Append("\n|");
        text.Append(" |")
            .AppendJoin(
                " |",
                layout.Groups.SelectMany(g =>
                    g.Columns.SelectMany(c =>
                        c.Metrics.Select(m => $" {(g.Label.Length > 0 ? g.Label + " " : "")}{c.Split} {Label(m)}")
                    )
                )
            )
            .Append(" |\n|---|");
        text.AppendJoin("", layout.Groups.SelectMany(g => g.Columns).SelectMany(c => c.Metrics).Select(_ => "---:|"))
            .Append('\n');
        foreach (var block in layout.Blocks)
            foreach (var row in block.Rows)
            {
                var model = layout.Blocks.Count > 1 ? $"{block.Label}, " : "";
                text.Append($"| {model}{row.Label} |");
                foreach (var cell in Row(table, block, row))
                {
                    var printed =
                        cell.Printed
                        + (cell.Sigma is null ? "" : $" ± {table.PrintedSigma(cell)}")
                        + (cell.Rise.Length > 0 ? $" ({cell.Rise}↑)" : "")
                        + string.Concat(Daggers(cell).Select(d => d.Plain));
                    text.Append(' ')
                        .Append(
                            cell.Grey
                                ? $"<sub>{printed}</sub>"
                                : (cell.Bold, cell.Underlined) switch
                                {
                                    (true, true) => $"**<u>{printed}</u>**",
                                    (true, false) => $"**{printed}**",
                                    (false, true) => $"<u>{printed}</u>",
                                    _ => printed,
                                }
                        )
                        .Append(" |");
                }
                text.Append('\n');
            }
        return text.ToString();
    }

    internal static IEnumerable<TableCell> Row(Table table, LayoutBlock block, LayoutRow row) =>
        table.Shown.Groups.SelectMany(g =>
            g.Columns.SelectMany(c => c.Metrics.Select(m => table[block, row, g, c, m]))
        );

    // Lines above the metrics: groups, where they have names, then splits; each with its rules.
    private static List<object> Heads(TableLayout layout)
    {
        var heads = new List<object>();
        if (layout.Groups.Any(g => g.Label.Length > 0))
            heads.Add(
                Head([
                    .. layout.Groups.Select(g => (Reports.Latex.Escape(g.Label), g.Columns.Sum(c => c.Metrics.Count))),
                ])
            );
        heads.Add(
            Head([
                .. layout
                    .Groups.SelectMany(g => g.Columns)
                    .Select(c => ($"{Reports.Latex.Escape(c.Label)} $\\{Arrow(c.HigherIsBetter)}$", c.Metrics.Count)),
            ])
        );
        return heads;
    }

    private static object Head(List<(string Label, int Width)> spans)
    {
        var rules = new StringBuilder();
        var from = 2;
        foreach (var (_, width) in spans)
        {
            rules.Append(CultureInfo.InvariantCulture, $@"\cmidrule(lr){{{from}-{from + width - 1}}}");
            from += width;
        }
        return new
        {
            Cells = spans
                .Select(s =>
                    string.Create(CultureInfo.InvariantCulture, $@"\multicolumn{{{s.Width}}}{{c}}{{{s.Label}}}")
                )
                .ToList(),
            Rules = rules.ToString(),
        };
    }

    // One column of a row carries what is to be said of the whole row.
    private static IEnumerable<(string Plain, string Latex)> Daggers(TableCell cell)
    {
        if (cell.Metric != ColumnNames.Rouge1)
            yield break;
        if (cell.Diverged)
            yield return ("†", @"\dag");
        if (cell.FellBack)
            yield return ("‡", @"\ddag");
    }

    private static string Heading(string metric, LayoutColumns columns)
    {
        if (ScoreColumn.Get(metric) is not { Direction: Direction.Refusal } refusals)
            return Label(metric);
        var up = ScoreColumn.HigherIsBetter(refusals.Direction, columns.Split) is true;
        return $"\\textit{{{refusals.Heading}}}$\\{Arrow(up)}$";
    }

    private static string Arrow(bool up) => up ? "uparrow" : "downarrow";

    private static string Label(string metric) => ScoreColumn.Get(metric).Heading;

    private static string Marked(TableCell cell, string sigma, bool wide)
    {
        if (cell.Value is null)
            return "---";
        var text = cell.Printed;
        if (cell.Rise.Length > 0)
            text += $" ({cell.Rise}$\\uparrow$)";
        if (cell.Underlined)
            text = $@"\underline{{{text}}}";
        if (cell.Bold)
            text = $@"\textbf{{{text}}}";
        if (sigma.Length > 0)
            text +=
                $@"\,{{{(wide ? @"\tiny" : @"\scriptsize")}$\pm$"
                + $"{(sigma.StartsWith("0.", StringComparison.Ordinal) ? sigma[1..] : sigma)}}}";
        foreach (var (_, latex) in Daggers(cell))
            text += $@"\textsuperscript{{{latex}}}";
        return cell.Grey ? $@"\textcolor{{gray}}{{{text}}}" : text;
    }
}
