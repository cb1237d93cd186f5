using System.Text.RegularExpressions;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// A page of docs/tutorials as a test reads it. What stands in a block <c>sh</c> is run; a block <c>output</c> behind
/// it is held against what was printed, with any number for a number and <c>...</c> for any lines; <c>text</c> is what
/// somebody saw on another machine or model.
/// </summary>
/// <param name="Line">Of the first command.</param>
/// <param name="Commands">The text.</param>
/// <param name="Output">Lines that must be printed; empty for none.</param>
public sealed partial record TutorialBlock(int Line, string Commands, IReadOnlyList<string> Output)
{
    private const string Run = "sh",
        Printed = "output";

    /// <summary>The blocks of a page that are run, in order.</summary>
    public static IReadOnlyList<TutorialBlock> Of(string page)
    {
        List<TutorialBlock> blocks = [];
        foreach (var (kind, line, text) in Fenced(page))
            if (kind == Run)
                blocks.Add(new TutorialBlock(line, text, []));
            else if (kind == Printed)
                blocks[^1] = blocks[^1] with { Output = text.TrimEnd('\n').Split('\n') };
        return blocks;
    }

    /// <summary>All fenced blocks of a page: what they hold, the first line, the text.</summary>
    public static IEnumerable<(string Kind, int Line, string Text)> Fenced(string page)
    {
        string? kind = null;
        var (start, text) = (0, new List<string>());
        foreach (var (i, line) in File.ReadLines(page).Index())
            if (kind is null && line.StartsWith("```", StringComparison.Ordinal))
            {
                (kind, start) = (line[3..].Trim(), i + 2);
                text.Clear();
            }
            else if (kind is not null && line.StartsWith("```", StringComparison.Ordinal))
            {
                yield return (kind, start, string.Concat(text.Select(l => l + "\n")));
                kind = null;
            }
            else
                text.Add(line);
        Assert.True(kind is null, $"{page}: a block is not closed");
    }

    /// <summary>The first line of <see cref="Output"/> that was not printed in this order; null for none.</summary>
    public string? NotPrintedIn(string printed)
    {
        var lines = printed.Split('\n').Select(Masked).ToList();
        var at = 0;
        foreach (var line in Output.Where(l => l.Trim() != "..."))
        {
            var found = lines.FindIndex(at, l => l == Masked(line));
            if (found < 0)
                return line;
            at = found + 1;
        }
        return null;
    }

    // Numbers with their units, and the room that they take.
    private static string Masked(string line) => Spaces().Replace(Number().Replace(line, "#"), " ").Trim();

    [GeneratedRegex(@"-?[0-9]+([.,][0-9]+)*( (kB|MB|GB|B|s|ms|m|h)\b)*|(?<= )-(?= |$)")]
    private static partial Regex Number();

    [GeneratedRegex(@"[ │]+")]
    private static partial Regex Spaces();
}
