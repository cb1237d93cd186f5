using Cocona;
using EditUnlearn.Artifacts;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>check</c>: holds every cell of the tables against what was accepted in git.</summary>
internal sealed class CheckCommand
{
    private const string Folder = StageSeconds.AcceptedFolder,
        ToleranceFile = "tolerances.csv";

    /// <summary>Compares, or accepts.</summary>
    [Command(
        "check",
        Description = "Compare every cell of the tables with the accepted values; exit 4 where one moved"
    )]
    public int Check(
        [Option(
            "accept",
            Description = "Take over the cells a pattern means, and no others: 'table1[WISE,*]', '*' for all"
        )]
            string[]? accept = null,
        [Option("markdown", Description = "Also write the outcome as Markdown")] string? markdown = null,
        [Option("junit", Description = "Also write the outcome as JUnit XML")] string? junit = null,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, set);
        var present = TableResults.Read(study);
        study.Files.Save();
        var folder = Path.Combine(study.Root, Folder, study.Plan.Profile);
        var files = present.GroupBy(c => c.Table).ToDictionary(g => g.Key, g => Path.Combine(folder, g.Key + ".csv"));
        IReadOnlyList<TableCell> accepted = Directory.Exists(folder) ? CellFile.ReadFolder(folder) : [];
        if (accept is { Length: > 0 })
        {
            var code = Accept(present, accepted, accept, folder);
            if (accept.Contains("*"))
                StageSeconds.Write(study);
            return code;
        }
        if (accepted.Count == 0)
            throw new InputException(
                Path.GetRelativePath(Directory.GetCurrentDirectory(), folder),
                "holds no accepted values for this profile",
                $"eu-stage check{TableResults.Profile(study)} --accept '*' accepts the present ones"
            );

        var differences = TableRegression.Compare(
            accepted,
            present,
            Tolerances.Read(Path.Combine(study.Root, Folder, ToleranceFile))
        );
        if (markdown is not null)
            File.WriteAllText(markdown, RegressionRenderer.Markdown(differences, present.Count));
        if (junit is not null)
            File.WriteAllText(junit, RegressionRenderer.JUnit(differences, [.. present.Select(c => c.Name)]));
        if (json)
            InspectCommands.PrintJson(RegressionRenderer.Json(differences, present.Count));
        else
            Console.Out.Write(RegressionRenderer.Text(differences, present.Count));
        Annotate(study, differences, files);
        return differences.Count == 0 ? ExitCodes.Done : ExitCodes.Differs;
    }

    private static int Accept(
        IReadOnlyList<TableCell> present,
        IReadOnlyList<TableCell> accepted,
        string[] patterns,
        string folder
    )
    {
        var unknown = patterns
            .Where(p => !present.Concat(accepted).Any(c => CellName.Matches(p, c.Name)))
            .Select(p => new InputProblem(
                "--accept",
                0,
                0,
                $"'{p}' means no cell",
                "cells are named as in " + present[0].Name
            ))
            .ToList();
        if (unknown.Count > 0)
            throw new InputException(unknown);
        var (cells, changed) = TableRegression.Accept(accepted, present, patterns);
        Directory.CreateDirectory(folder);
        foreach (var table in cells.GroupBy(c => c.Table))
            AtomicFile.Write(Path.Combine(folder, table.Key + ".csv"), CellFile.Write(table));
        foreach (var gone in accepted.Select(c => c.Table).Distinct().Except(cells.Select(c => c.Table)))
            File.Delete(Path.Combine(folder, gone + ".csv"));
        var shown = Path.GetRelativePath(Directory.GetCurrentDirectory(), folder);
        var next = changed > 0 ? "; commit the change with the reason" : "";
        Console.Out.WriteLine($"{changed} cells accepted in {shown}{next}.");
        return ExitCodes.Done;
    }

    // GitHub shows these beside the line of the accepted value.
    private static void Annotate(Study study, IReadOnlyList<Difference> differences, Dictionary<string, string> files)
    {
        if (Environment.GetEnvironmentVariable("GITHUB_ACTIONS") != "true")
            return;
        var lines = files.Values.Where(File.Exists).ToDictionary(f => f, f => File.ReadAllLines(f));
        foreach (var d in differences)
        {
            var file = files.GetValueOrDefault((d.Present ?? d.Accepted)!.Table);
            var line =
                file is not null && lines.TryGetValue(file, out var text)
                    ? Array.FindIndex(text, t => t.StartsWith(Csv.Quote(d.Name) + ",", StringComparison.Ordinal)) + 1
                    : 0;
            var place = file is null ? Folder : Path.GetRelativePath(study.Root, file);
            Screen.Note($"::error file={place},line={Math.Max(1, line)}::{d}");
        }
    }
}
