using System.Globalization;
using System.Reflection;
using System.Text;
using EditUnlearn.Artifacts;
using Scriban;
using Scriban.Runtime;

namespace EditUnlearn.Reports;

/// <summary>Puts a table into LaTeX and CSV. Numbers and marks come ready; nothing is computed in a template.</summary>
public static class TableRenderer
{
    /// <summary>LaTeX of the table alone, to be included in a paper. Needs booktabs and xcolor.</summary>
    /// <param name="table">The table.</param>
    /// <param name="caption">Plain text.</param>
    public static string Latex(ForgettingTable table, string caption)
    {
        ArgumentNullException.ThrowIfNull(table);
        var columns = table.Metrics.Count;
        var model = new
        {
            Name = table.Name,
            Caption = Escape(caption),
            Columns = "l" + string.Concat(Enumerable.Repeat(" " + new string('r', columns), 2)),
            Width = columns,
            RetainFrom = columns + 2,
            RetainTo = 2 * columns + 1,
            Total = 2 * columns + 1,
            Metrics = table.Metrics.Select(m => Escape(m.Label)).ToList(),
            Settings = table.Settings.Select(s => new
            {
                Label = Escape(s.Label),
                Before = Row(table, s, ForgettingTable.BeforeLabel),
                Rows = table.Methods.Select(m => Row(table, s, m.Label)).ToList(),
            }).ToList(),
        };
        return Render("forgetting-table.tex", model);
    }

    /// <summary>A document with nothing but the table, to be compiled and looked at.</summary>
    public static string Document(string table) => Render("document.tex", new { Table = table });

    /// <summary>Every cell on a line of its own, not rounded.</summary>
    public static string Csv(ForgettingTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var csv = new StringBuilder("table,setting,method,split,metric,value,printed,bold,underlined,grey\n");
        foreach (var c in table.Cells)
            csv.AppendJoin(',', Quote(c.Table), Quote(c.Setting), Quote(c.Method), c.Split, c.Metric, c.Value?.ToString("R", CultureInfo.InvariantCulture) ?? "", c.Printed, Flag(c.Bold), Flag(c.Underlined), Flag(c.Grey)).Append('\n');
        return csv.ToString();
    }

    /// <summary>Text as LaTeX prints it.</summary>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var latex = new StringBuilder();
        foreach (var c in text)
            latex.Append(c switch
            {
                '\\' => @"\textbackslash{}",
                '~' => @"\textasciitilde{}",
                '^' => @"\textasciicircum{}",
                '&' or '%' or '$' or '#' or '_' or '{' or '}' => "\\" + c,
                _ => c.ToString(),
            });
        return latex.ToString();
    }

    private static object Row(ForgettingTable table, TableSetting setting, string method) => new
    {
        Label = Escape(method),
        Cells = ((string[])["forget", "retain"]).SelectMany(s => table.Metrics.Select(m => Mark(table[setting, method, s, m.Name]))).ToList(),
    };

    private static string Mark(TableCell cell)
    {
        var text = cell.Printed;
        if (cell.Underlined) text = $@"\underline{{{text}}}";
        if (cell.Bold) text = $@"\textbf{{{text}}}";
        return cell.Grey ? $@"\textcolor{{gray}}{{{text}}}" : text;
    }

    private static string Render(string name, object model)
    {
        var resource = $"{typeof(TableRenderer).Namespace}.Templates.{name}";
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource) ?? throw new InvalidOperationException($"There is no template {resource}.");
        using var reader = new StreamReader(stream);
        var template = Template.Parse(reader.ReadToEnd(), name);
        if (template.HasErrors) throw new InvalidOperationException(string.Join('\n', template.Messages));
        var context = new TemplateContext { StrictVariables = true, MemberRenamer = StandardMemberRenamer.Default, NewLine = "\n" };
        var globals = new ScriptObject();
        globals.Import(model, renamer: StandardMemberRenamer.Default);
        context.PushGlobal(globals);
        return template.Render(context);
    }

    private static string Quote(string text) => text.AsSpan().IndexOfAny(",\"\n") < 0 ? text : "\"" + text.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    private static string Flag(bool value) => value ? "1" : "0";
}
