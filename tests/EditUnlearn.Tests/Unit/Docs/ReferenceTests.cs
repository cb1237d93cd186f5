using System.Text.RegularExpressions;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Docs;

/// <summary>Comments and pages point only at what a reader of the repository can open.</summary>
public sealed partial class ReferenceTests
{
    [Fact]
    public void Every_page_and_section_that_is_named_exists()
    {
        List<string> broken = [];
        foreach (var (file, text) in Texts())
            foreach (Match reference in Page().Matches(text))
            {
                var page = Path.Combine(Checkout.Root, reference.Groups["page"].Value);
                if (!File.Exists(page))
                    broken.Add($"{file}: {reference.Groups["page"].Value} is not there");
                else
                    broken.AddRange(
                        reference
                            .Groups["section"]
                            .Captures.Select(c => c.Value)
                            .Where(section => !Headings(page).Contains(section))
                            .Select(section => $"{file}: {reference.Groups["page"].Value} has no section '{section}'")
                    );
            }
        Assert.True(broken.Count == 0, string.Join('\n', broken));
    }

    [Fact]
    public void Every_defect_that_is_named_is_explained()
    {
        var explained = Row()
            .Matches(File.ReadAllText(Path.Combine(Checkout.Root, "docs", "defects.md")))
            .Select(m => m.Groups[1].Value)
            .ToHashSet(StringComparer.Ordinal);
        Assert.NotEmpty(explained);
        var unknown = Texts()
            .SelectMany(t =>
                Defect()
                    .Matches(t.Text)
                    .SelectMany(m => Code().Matches(m.Value))
                    .Where(code => !explained.Contains(code.Value))
                    .Select(code => $"{t.File}: defect {code.Value} is not in docs/defects.md")
            )
            .ToList();
        Assert.True(unknown.Count == 0, string.Join('\n', unknown));
    }

    [Fact]
    public void Nothing_points_at_a_specification()
    {
        var hits = Texts().Where(t => Specification().IsMatch(t.Text)).Select(t => t.File).ToList();
        Assert.True(hits.Count == 0, "a specification that is not in the repository: " + string.Join(", ", hits));
    }

    private static HashSet<string> Headings(string page) =>
        File.ReadLines(page)
            .Where(line => line.StartsWith('#'))
            .Select(line => line.TrimStart('#').Trim())
            .ToHashSet(StringComparer.Ordinal);

    // Comment signs and line ends become one space, so that a reference may run over a line.
    private static IEnumerable<(string File, string Text)> Texts() =>
        new[] { "src", "tests", "docs", "build", "tools" }
            .Select(folder => Path.Combine(Checkout.Root, folder))
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateFiles(Checkout.Root, "*.md"))
            .Where(file => Path.GetExtension(file) is ".cs" or ".md" && !Built().IsMatch(file))
            .Where(file => Path.GetFileName(file) != "ReferenceTests.cs")
            .Select(file => (Checkout.NameOf(file), LineBreak().Replace(File.ReadAllText(file), " ")));

    [GeneratedRegex("""(?<page>docs/[\w/-]+\.md)(?:,? "(?<section>[^"]+)"(?:(?:,| and) "(?<section>[^"]+)")*)?""")]
    private static partial Regex Page();

    [GeneratedRegex(@"\bdefects? [A-Z]\d+(?:(?:, | and )[A-Z]\d+)*")]
    private static partial Regex Defect();

    [GeneratedRegex(@"[A-Z]\d+")]
    private static partial Regex Code();

    [GeneratedRegex(@"^\| ([A-Z]\d+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"\b(?:editing|evaluation|datasets?|unlearning|the) specification", RegexOptions.IgnoreCase)]
    private static partial Regex Specification();

    [GeneratedRegex(@"\s*\n\s*(?:///?)?\s*")]
    private static partial Regex LineBreak();

    [GeneratedRegex(@"[\\/](?:bin|obj)[\\/]")]
    private static partial Regex Built();
}
