using System.Text.RegularExpressions;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Docs;

/// <summary>docs/coverage.md says where everything of the paper is; what it names must be there.</summary>
public sealed partial class CoverageTests
{
    private static readonly string Page = Path.Combine(Checkout.Root, "docs", "coverage.md");

    [Fact]
    public void Every_place_exists_and_holds_the_text_that_is_named()
    {
        List<string> missing = [];
        foreach (var (line, row) in Rows())
            foreach (Match place in Place().Matches(row[1]))
            {
                var path = Path.Combine(Checkout.Root, place.Groups["path"].Value);
                if (!File.Exists(path))
                    missing.Add($"line {line}: {place.Groups["path"].Value} is not there");
                else if (
                    place.Groups["text"] is { Success: true } text
                    && !File.ReadAllText(path).Contains(text.Value, StringComparison.Ordinal)
                )
                    missing.Add($"line {line}: {place.Groups["path"].Value} does not hold '{text.Value}'");
            }
        Assert.True(missing.Count == 0, string.Join('\n', missing));
    }

    [Fact]
    public void Every_row_names_a_place_and_says_same_or_what_differs()
    {
        var rows = Rows().ToList();
        Assert.True(rows.Count > 40, $"only {rows.Count} rows were read");
        var wrong = rows.Where(r => r.Row.Length != 3 || !Place().IsMatch(r.Row[1]) || r.Row[2].Length < 5)
            .Select(r => $"line {r.Line}: {string.Join(" | ", r.Row)}")
            .ToList();
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    // Cells of the rows below each heading row.
    private static IEnumerable<(int Line, string[] Row)> Rows() =>
        File.ReadLines(Page)
            .Index()
            .Where(l =>
                l.Item.StartsWith("| ", StringComparison.Ordinal)
                && !l.Item.StartsWith("| the paper |", StringComparison.Ordinal)
            )
            .Select(l => (l.Index + 1, l.Item.Trim().Trim('|').Split(" | ", StringSplitOptions.TrimEntries)));

    [GeneratedRegex("`(?<path>[\\w./-]+\\.\\w+)(?:: (?<text>[^`]+))?`")]
    private static partial Regex Place();
}
