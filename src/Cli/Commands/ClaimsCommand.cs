using Cocona;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Claims;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>claims</c>: the paper's observations, decided by the study's numbers or by the paper's own.</summary>
internal sealed class ClaimsCommand
{
    /// <summary>Prints them. A claim that fails is a result: the exit code stays 0.</summary>
    [Command(
        "claims",
        Description = "The paper's six observations and three takeaways: "
            + "holds, fails, within noise or undecided, with the numbers that decide and their intervals"
    )]
    public int Claims(
        [Option("of", Description = "study, or paper for the paper's own numbers")] string of = "study",
        [Option("format", Description = "text, markdown or latex")] string format = "text",
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var extension = json
            ? "json"
            : format switch
            {
                "text" => "txt",
                "markdown" => "md",
                "latex" => "tex",
                _ => throw new InputException(
                    "--format",
                    $"'{format}' is not a format",
                    "known: text, markdown, latex"
                ),
            };
        Console.Out.Write(
            of switch
            {
                "paper" => OfPaper(extension),
                "study" => OfStudy(profile, set, extension),
                _ => throw new InputException("--of", $"'{of}' has no claims", "known: study, paper"),
            }
        );
        return ExitCodes.Done;
    }

    private static string OfStudy(string? profile, string[]? set, string extension)
    {
        var study = Study.Open(profile, set);
        var cell =
            study.Plan.Cells.FirstOrDefault(c => c.Stage.Info.Name == "claims")
            ?? throw new InputException(PipelineFile.FileName, "has no stage of kind 'claims'");
        var text = File.ReadAllText(TableResults.FileOf(study, cell, "claims." + extension));
        study.Files.Save();
        return text;
    }

    private static string OfPaper(string extension)
    {
        var claims = ClaimCatalog.Decide(
            new ClaimNumbers(
                PaperNumbers.Read(Path.Combine(Study.FindRoot(), "paper")),
                StudyScope.Paper,
                [],
                relative: false
            )
        );
        return extension switch
        {
            "json" => ClaimRenderer.Json(claims, StudyScope.Paper).ToJsonString(InspectCommands.Indented) + "\n",
            "md" => ClaimRenderer.Markdown(claims, StudyScope.Paper),
            "tex" => ClaimRenderer.Latex(claims, StudyScope.Paper),
            _ => ClaimRenderer.Text(claims, StudyScope.Paper),
        };
    }
}
