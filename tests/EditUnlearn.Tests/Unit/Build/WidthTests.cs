using System.Diagnostics;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Build;

/// <summary>The gate's own check of widths, on files made for it.</summary>
public sealed class WidthTests
{
    private static readonly string Fits = new('é', 120);
    private static readonly string Words = string.Join(' ', Enumerable.Repeat("word", 30));

    [ProgramFact("sh", "awk")]
    public void A_line_beyond_120_characters_is_named_by_file_line_and_width()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.cs"], $"{Fits}\n{Fits}e\n");
        File.WriteAllText(folder["b.md"], $"{Fits}\n\n{Words}\n");
        File.WriteAllText(folder["fits.sh"], Fits + "\n");
        Assert.Equal(
            (1, $"{folder["a.cs"]}:2:121\n{folder["b.md"]}:3:149\n"),
            Check(folder["a.cs"], folder["b.md"], folder["fits.sh"])
        );
        Assert.Equal((0, ""), Check(folder["fits.sh"]));
    }

    [ProgramFact("sh", "awk")]
    public void In_a_document_tables_code_and_what_cannot_be_broken_may_be_wider()
    {
        using var folder = new TemporaryFolder();
        var address = "https://example.org/" + new string('x', 120);
        string[] lines =
        [
            $"| {Words} |",
            "```",
            Words,
            "```",
            $"* {address}.",
            $"[a page with a long name]({address})",
            $"![a figure]({address})",
        ];
        File.WriteAllLines(folder["a.md"], lines);
        Assert.Equal((0, ""), Check(folder["a.md"]));
        File.WriteAllLines(folder["a.txt"], lines);
        Assert.Equal(5, Check(folder["a.txt"]).Output.Count(c => c == '\n'));
    }

    private static (int Code, string Output) Check(params string[] files)
    {
        using var process = Process.Start(
            new ProcessStartInfo("sh", [Path.Combine(Checkout.Root, "build", "check-width"), .. files])
            {
                RedirectStandardOutput = true,
            }
        )!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
