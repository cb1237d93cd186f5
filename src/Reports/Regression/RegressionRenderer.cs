using System.Security;
using System.Text;
using System.Text.Json.Nodes;

namespace EditUnlearn.Reports.Regression;

/// <summary>A comparison as text, Markdown, JUnit and JSON.</summary>
public static class RegressionRenderer
{
    /// <summary>For the terminal: a line a cell, by kind of change, then the count.</summary>
    public static string Text(IReadOnlyList<Difference> differences, int cells)
    {
        ArgumentNullException.ThrowIfNull(differences);
        var text = new StringBuilder();
        foreach (var kind in differences.GroupBy(d => d.Change).OrderBy(g => g.Key))
        {
            text.Append($"{Word(kind.Key)}:\n");
            foreach (var d in kind)
                text.Append($"  {d}\n");
        }
        return text.Append(Sum(differences, cells)).Append('\n').ToString();
    }

    /// <summary>For a pull request.</summary>
    public static string Markdown(IReadOnlyList<Difference> differences, int cells)
    {
        ArgumentNullException.ThrowIfNull(differences);
        var text = new StringBuilder($"### Tables: {Sum(differences, cells)}\n");
        if (differences.Count == 0)
            return text.ToString();
        text.Append("\n| change | cell | accepted | now |\n|---|---|---:|---:|\n");
        foreach (var d in differences.OrderBy(d => d.Change))
            text.Append(
                $"| {Word(d.Change)} | `{d.Name}` | "
                    + $"{d.Accepted?.Printed ?? ""}{(d.Accepted is { Bold: true } ? " (bold)" : "")} | "
                    + $"{d.Present?.Printed ?? ""}{(d.Present is { Bold: true } ? " (bold)" : "")} |\n"
            );
        return text.ToString();
    }

    /// <summary>For a CI server: a test a table, a failure for each cell that is not as accepted.</summary>
    public static string JUnit(IReadOnlyList<Difference> differences, IReadOnlyList<string> names)
    {
        ArgumentNullException.ThrowIfNull(differences);
        ArgumentNullException.ThrowIfNull(names);
        var all = names.Concat(differences.Select(d => d.Name)).Distinct(StringComparer.Ordinal).ToList();
        var byName = differences.ToLookup(d => d.Name, StringComparer.Ordinal);
        var xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        xml.Append($"<testsuites name=\"eu-stage check\" tests=\"{all.Count}\" failures=\"{byName.Count}\">\n");
        foreach (var table in all.GroupBy(n => n[..n.IndexOf('[', StringComparison.Ordinal)]))
        {
            xml.Append(
                $"  <testsuite name=\"{SecurityElement.Escape(table.Key)}\" tests=\"{table.Count()}\" "
                    + $"failures=\"{table.Count(n => byName[n].Any())}\">\n"
            );
            foreach (var name in table)
            {
                xml.Append(
                    $"    <testcase classname=\"{SecurityElement.Escape(table.Key)}\" "
                        + $"name=\"{SecurityElement.Escape(name)}\""
                );
                var found = byName[name].ToList();
                if (found.Count == 0)
                    xml.Append("/>\n");
                else
                {
                    var message = SecurityElement.Escape(string.Join("; ", found.Select(d => Word(d.Change))));
                    var details = SecurityElement.Escape(string.Join('\n', found));
                    xml.Append($">\n      <failure message=\"{message}\">{details}</failure>\n    </testcase>\n");
                }
            }
            xml.Append("  </testsuite>\n");
        }
        return xml.Append("</testsuites>\n").ToString();
    }

    /// <summary>For programs.</summary>
    public static JsonObject Json(IReadOnlyList<Difference> differences, int cells)
    {
        ArgumentNullException.ThrowIfNull(differences);
        return new JsonObject
        {
            ["cells"] = cells,
            ["differences"] = new JsonArray([
                .. differences.Select(d => new JsonObject
                {
                    ["cell"] = d.Name,
                    ["change"] = Word(d.Change),
                    ["accepted"] = Number(d.Accepted?.Value),
                    ["now"] = Number(d.Present?.Value),
                    ["tolerance"] = d.Change == Change.Moved ? d.Bound : null,
                    ["text"] = d.ToString(),
                }),
            ]),
        };
    }

    // JSON has no NaN.
    private static JsonNode? Number(double? value) => value is { } x && double.IsFinite(x) ? JsonValue.Create(x) : null;

    private static string Word(Change change) =>
        change switch
        {
            Change.Moved => "moved",
            Change.BoldFlipped => "bold flipped",
            Change.Missing => "missing",
            _ => "new",
        };

    private static string Sum(IReadOnlyList<Difference> differences, int cells)
    {
        if (differences.Count == 0)
            return $"{cells} cells are as accepted.";
        var kinds = differences.GroupBy(d => d.Change).OrderBy(g => g.Key).Select(g => $"{g.Count()} {Word(g.Key)}");
        return $"{differences.Select(d => d.Name).Distinct().Count()} of {cells} cells are not as accepted: "
            + $"{string.Join(", ", kinds)}.";
    }
}
