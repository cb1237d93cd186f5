using System.Text;

namespace EditUnlearn.Pipeline;

/// <summary>Draws a plan: one node a stage, or one a cell.</summary>
public static class Dag
{
    private const string Arrow = "  <- ";

    /// <summary>One line a node: its name, how many cells, what it reads.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="full">A node a cell instead of a node a stage.</param>
    /// <param name="columns">Width of the terminal: what is read goes on below itself; none for a file.</param>
    public static string Text(Plan plan, bool full, int columns = int.MaxValue)
    {
        var (nodes, edges) = Of(plan, full);
        var width = nodes.Max(n => n.Label.Length);
        var text = new StringBuilder();
        foreach (var (name, label) in nodes)
        {
            var reads = edges.Where(e => e.To == name).Select(e => e.From).ToList();
            if (reads.Count == 0)
                text.AppendLine(label);
            foreach (var (i, line) in Lines(reads, columns - width - Arrow.Length).Index())
                text.Append((i == 0 ? label : "").PadRight(width))
                    .Append(i == 0 ? Arrow : new string(' ', Arrow.Length))
                    .AppendLine(line);
        }
        return text.ToString();
    }

    // Names behind each other as far as they go; at least one a line.
    private static List<string> Lines(List<string> names, int columns)
    {
        List<string> lines = [];
        foreach (var (i, name) in names.Index())
        {
            var part = i < names.Count - 1 ? name + "," : name;
            if (lines.Count > 0 && lines[^1].Length + 1 + part.Length <= columns)
                lines[^1] += " " + part;
            else
                lines.Add(part);
        }
        return lines;
    }

    /// <summary>For pages that render Mermaid.</summary>
    public static string Mermaid(Plan plan, bool full)
    {
        var (nodes, edges) = Of(plan, full);
        var ids = nodes.Select((n, i) => (n.Name, Id: $"n{i}")).ToDictionary(p => p.Name, p => p.Id);
        var text = new StringBuilder("flowchart LR\n");
        foreach (var (name, label) in nodes)
            text.Append("  ").Append(ids[name]).Append("[\"").Append(label).Append("\"]\n");
        foreach (var (from, to) in edges)
            text.Append("  ").Append(ids[from]).Append(" --> ").Append(ids[to]).Append('\n');
        return text.ToString();
    }

    /// <summary>For Graphviz.</summary>
    public static string Dot(Plan plan, bool full)
    {
        var (nodes, edges) = Of(plan, full);
        var text = new StringBuilder("digraph study {\n  rankdir=LR;\n  node [shape=box];\n");
        foreach (var (name, label) in nodes)
            text.Append("  \"").Append(name).Append("\" [label=\"").Append(label).Append("\"];\n");
        foreach (var (from, to) in edges)
            text.Append("  \"").Append(from).Append("\" -> \"").Append(to).Append("\";\n");
        return text.Append("}\n").ToString();
    }

    private static (List<(string Name, string Label)> Nodes, List<(string From, string To)> Edges) Of(
        Plan plan,
        bool full
    )
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (full)
            return (
                [.. plan.Cells.Select(c => (c.Id.Text, c.Id.Text))],
                [
                    .. plan.Cells.SelectMany(c =>
                        c.Inputs.OfType<CellOutputInput>().Select(i => (i.Cell.Text, c.Id.Text)).Distinct()
                    ),
                ]
            );
        return (
            [
                .. plan.Stages.Select(s =>
                    (s.Name, plan.Cells.Count(c => c.Id.Stage == s.Name) is var n and not 1 ? $"{s.Name} x{n}" : s.Name)
                ),
            ],
            [.. plan.Stages.SelectMany(s => s.Reads.Select(r => (r, s.Name)))]
        );
    }
}
