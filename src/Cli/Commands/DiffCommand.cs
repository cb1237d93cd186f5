using System.Diagnostics;
using Cocona;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>diff</c>: tables cell against cell: the study's and the paper's, two folders, two commits.</summary>
internal sealed class DiffCommand
{
    private const string Paper = "paper",
        Present = "study";

    /// <summary>Prints the differences; they are an answer, not a failure.</summary>
    [Command(
        "diff",
        Description = "Compare tables cell by cell: diff --against paper, diff HEAD~1 study, diff FOLDER FOLDER"
    )]
    public int Diff(
        [Argument(Description = "study (default), paper, a folder of table*.csv, or a commit (its accepted values)")]
            string first = Present,
        [Argument(Description = "What it is compared with")] string? second = null,
        [Option("against", Description = "The same as the second argument")] string? against = null,
        [Option(
            "metrics",
            Description = "Profile of the study's metrics: paper or strict; "
                + "by default paper against the paper, else strict"
        )]
            string? metrics = null,
        [Option("csv", Description = "Print CSV")] bool csv = false,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        if (metrics is not (null or ProfileNames.Paper or ProfileNames.Strict))
            throw new InputException("--metrics", $"'{metrics}' is not a profile of metrics", "known: paper, strict");
        if (second is not null && against is not null)
            throw new InputException("--against", "is given beside a second argument", "name the other side once");
        var other = second ?? against ?? Paper;
        var wanted = metrics ?? (first == Paper || other == Paper ? ProfileNames.Paper : ProfileNames.Strict);
        var comparison = TableComparison.Of(Side(first, profile, set, wanted), Side(other, profile, set, wanted));
        if (json)
            InspectCommands.PrintJson(comparison.Json(first, other));
        else
            Console.Out.Write(csv ? comparison.Csv() : comparison.Text(first, other));
        return ExitCodes.Done;
    }

    private static IReadOnlyList<TableCell> Side(string name, string? profile, string[]? set, string? metrics)
    {
        if (name == Paper)
            return CellFile.ReadFolder(Path.Combine(Study.FindRoot(), Paper));
        var cells =
            name == Present ? TableResults.Read(Study.Open(profile, set))
            : Directory.Exists(name) ? CellFile.ReadFolder(name)
            : AtCommit(name, Study.Open(profile, set).Plan.Profile);
        // A cell stands at the same place in both profiles; the wanted one is kept.
        var kept = cells.Where(c => metrics is null || c.Profile == metrics).ToList();
        return kept.Count > 0 || metrics is null
            ? kept
            : throw new InputException(name, $"has no tables in the profile '{metrics}' of metrics");
    }

    // What was accepted at a commit: results themselves are never in git.
    private static List<TableCell> AtCommit(string revision, string profile)
    {
        var root = Study.FindRoot();
        var folder = $"accepted/{profile}";
        if (
            revision.StartsWith('-')
            || Git(root, "rev-parse", "--verify", "--quiet", revision + "^{commit}") is not { } commit
        )
            throw new InputException(revision, "is neither a folder nor a commit", "known besides: study, paper");
        var files =
            Git(root, "ls-tree", "-r", "--name-only", commit.Trim(), "--", folder)
                ?.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(f => Path.GetFileName(f).StartsWith("table", StringComparison.Ordinal))
                .ToList()
            ?? [];
        if (files.Count == 0)
            throw new InputException(revision, $"has no {folder}", "only accepted values are in git");
        return
        [
            .. files.SelectMany(f =>
                CellFile.Parse(Git(root, "show", $"{commit.Trim()}:{f}") ?? "", $"{revision}:{f}")
            ),
        ];
    }

    private static string? Git(string root, params string[] arguments)
    {
        try
        {
            using var git = Process.Start(
                new ProcessStartInfo("git", arguments)
                {
                    WorkingDirectory = root,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                }
            )!;
            var error = git.StandardError.ReadToEndAsync();
            var output = git.StandardOutput.ReadToEnd();
            git.WaitForExit();
            _ = error.GetAwaiter().GetResult();
            return git.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new InputException("git", "is not installed, and a commit is asked for");
        }
    }
}
