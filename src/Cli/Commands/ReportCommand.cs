using System.Globalization;
using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Web;
using EditUnlearn.Stages;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>report</c>: everything that was run, in one page for a browser.</summary>
internal sealed class ReportCommand
{
    private const string Default = Study.ArtifactFolder + "/report.html";

    /// <summary>
    /// Writes the page from what the store holds, also where that is not the result of the present settings; the page
    /// says so.
    /// </summary>
    [Command(
        "report",
        Description = "One page for a browser: claims, tables beside the paper's, figures, every answer, curves, "
            + "and where each number comes from"
    )]
    public int Report(
        [Option("out", Description = "File to write")] string @out = Default,
        [Option("study", Description = "Folder of eu-stage study export; the page opens its rating forms")]
            string? study = null,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var opened = Study.Open(profile, set);
        var forms = study is null ? [] : Forms(study);
        var cell =
            opened.Plan.Cells.FirstOrDefault(c => c.Stage.Info.Name == StudyPage.Kind)
            ?? throw new InputException(PipelineFile.FileName, $"has no stage of kind '{StudyPage.Kind}'");
        var view = new StoreView(opened);
        opened.Files.Save();
        if (cell.Inputs.OfType<CellOutputInput>().All(i => !view.Has(i.Cell)))
            throw new InputException(
                opened.Store.Artifacts,
                "holds no result of this study that a report could show",
                $"eu-stage repro{TableResults.Profile(opened)}"
            );
        var file = @out == Default ? Path.Combine(opened.Root, Default) : Path.GetFullPath(@out);
        var page = StudyPage.Of(cell.Parameters, name => view.Inputs(cell, name));
        page["store"] = view.Json();
        page["written"] = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
        page["forms"] = new JsonArray([.. forms.Select(f => Link(f, Path.GetDirectoryName(file)!))]);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, WebReport.Html(page));
        var (stale, cells) = (view.Count(s => s.State != CellState.UpToDate), opened.Plan.Cells.Count);
        if (stale > 0)
            Screen.Note($"{stale} of {cells} cells are not up to date: the page shows the latest results and says so");
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["file"] = file,
                    ["bytes"] = new FileInfo(file).Length,
                    ["cells"] = cells,
                    ["stale"] = stale,
                }
            );
        else
            Console.Out.WriteLine(file);
        return ExitCodes.Done;
    }

    private static IReadOnlyList<string> Forms(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder", "eu-stage study export CELL.. --out FOLDER");
        string[] forms = [.. Directory.EnumerateFiles(folder, "form-*.html").Order(StringComparer.Ordinal)];
        return forms.Length > 0
            ? forms
            : throw new InputException(folder, "holds no form-*.html", "eu-stage study export CELL.. --out FOLDER");
    }

    private static JsonObject Link(string form, string from) =>
        new()
        {
            ["name"] = Path.GetFileNameWithoutExtension(form)["form-".Length..],
            ["href"] = string.Join(
                '/',
                Path.GetRelativePath(from, Path.GetFullPath(form)).Split('/', '\\').Select(Uri.EscapeDataString)
            ),
        };
}
