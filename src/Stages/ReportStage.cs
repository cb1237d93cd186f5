using System.Text.Json.Nodes;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Reports.Web;

namespace EditUnlearn.Stages;

/// <summary>
/// Binds tables, figures, cases and claims into one document, a PDF where a TeX is installed, and everything that was
/// run into one page for a browser.
/// </summary>
/// <remarks>
/// The page holds nothing that differs between two runs of one key: no time, no state. <c>eu-stage report</c> writes
/// the same page with them.
/// </remarks>
internal sealed class ReportStage : Stage<ReportStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Title">Of the document.</param>
    /// <param name="Kind">What the models are.</param>
    /// <param name="Study">The parts, for the page; null for a page without tables.</param>
    /// <param name="Sets">All forget sets of the profile, as it describes them.</param>
    /// <param name="Repeats">Models that others repeat with other seeds.</param>
    /// <param name="Methods">The method of the catalogue behind each entry of the profile's map of methods.</param>
    /// <param name="Labels">What each entry is called in print.</param>
    public sealed record Params(
        string Title,
        ModelKind Kind,
        StudyParams? Study = null,
        IReadOnlyDictionary<string, JsonObject>? Sets = null,
        IReadOnlyList<string>? Repeats = null,
        IReadOnlyDictionary<string, string>? Methods = null,
        IReadOnlyDictionary<string, string>? Labels = null
    )
    {
        /// <summary>What the other report stages are told; null where there are no parts.</summary>
        internal ReportParams? Report =>
            Study is null
                ? null
                : new ReportParams(
                    Study,
                    Sets ?? new Dictionary<string, JsonObject>(),
                    Kind,
                    Repeats: Repeats,
                    Methods: Methods,
                    Labels: Labels
                );
    }

    private const string Document = "report.tex",
        Page = "report.html";

    // Captions say what the picture's own title does not.
    internal static readonly Dictionary<string, (string Caption, double Width)> Pictures = new(StringComparer.Ordinal)
    {
        ["figure3"] = ("Different numbers of forget samples (the paper's Figure 3).", 0.9),
        ["figure4-left"] = ("Comprehensive score of all methods (the paper's Figure 4, left).", 0.95),
        ["figure4-right"] = ("Forget, rephrase and retain (the paper's Figure 4, right).", 0.5),
        ["figure6-left"] = ("Before and after the self-improvement pipeline (the paper's Figure 6, left).", 1),
        ["figure6-right"] = ("Query merging (the paper's Figure 6, right).", 0.5),
    };

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("report", 1, "all tables and figures in one document")
        {
            Inputs =
            [
                new("tables"),
                new("paper-profile", InputCount.Optional),
                new("cases"),
                new("further-cases", InputCount.Many),
                new("claims"),
                new("known", InputCount.Optional),
                new("ratings", InputCount.Optional),
                .. FigureCatalog.Names.Select(n => new StageInput(n)),
                .. FigureCatalog.Names.Select(n => new StageInput(StudyPage.Vector(n), InputCount.Optional)),
                new("paper", InputCount.Optional),
                new("verdicts", InputCount.Optional),
                new("rated", InputCount.Optional),
                new("scores", InputCount.Many),
                new("answers", InputCount.Many),
                new("pretraining", InputCount.Many),
                new("finetuning", InputCount.Many),
                new("curves", InputCount.Many),
                new("edits", InputCount.Many),
            ],
            Outputs = [Document, "pdf", Page],
            Surroundings = [new(TexInstallation.Name, Tex)],
        };

    private static SurroundingReading Tex(string compiler)
    {
        var (value, files) = TexInstallation.Describe(compiler, ReportDocument.Packages);
        return new SurroundingReading(value, files);
    }

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.Report is { } report ? ReportInputs.Check(report) : [];
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        // Figure 5 of other sets stands right after the one of the paper's.
        IEnumerable<string> Read(string input) =>
            io.Inputs(input)
                .Concat(input == "cases" ? io.Inputs("further-cases") : [])
                .Select(i => File.ReadAllText(i.Path));

        // The seven tables first, so that their numbers are the paper's.
        string[] inputs =
        [
            "tables",
            "claims",
            "cases",
            .. io.HasInput("known") ? ["known"] : Array.Empty<string>(),
            .. io.HasInput("ratings") ? ["ratings"] : Array.Empty<string>(),
            .. io.HasInput("paper-profile") ? ["paper-profile"] : Array.Empty<string>(),
        ];
        var source = ReportDocument.Latex(
            parameters.Title,
            Captions.Warning(parameters.Kind),
            // Where nobody was asked there is no table of ratings, where nothing was dropped none of that.
            inputs.SelectMany(Read).Where(t => t.Length > 0),
            [
                .. FigureCatalog.Names.Select(n => new ReportDocument.Picture(
                    $"../figures/{n}.png",
                    Pictures[n].Caption,
                    Pictures[n].Width
                )),
            ]
        );
        File.WriteAllText(io.Output(Document), source);
        Compile(source, io);
        File.WriteAllText(io.Output(Page), WebReport.Html(StudyPage.Of(parameters, io.Inputs)));
    }

    private static void Compile(string source, StageIo io)
    {
        Directory.CreateDirectory(io.Output("pdf"));
        if (!TexInstallation.IsThere)
        {
            io.Warn(
                "no TeX is installed, so there is no report.pdf; once there is a pdflatex (Debian: "
                    + "texlive-latex-recommended) the same command makes it"
            );
            return;
        }
        var (folder, figures) = (Path.Combine(io.Scratch, "report"), Path.Combine(io.Scratch, "figures"));
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(figures);
        foreach (var name in FigureCatalog.Names)
            File.Copy(io.Input(name), Path.Combine(figures, name + ".png"), overwrite: true);
        File.WriteAllText(Path.Combine(folder, Document), source);
        if (ReportDocument.Compile(folder, Document, io.Cancelled) is { } problem)
        {
            // A TeX without a package is the machine's matter; anything else would be a mistake of ours.
            if (!problem.Contains(".sty' not found", StringComparison.Ordinal))
                throw new StageFailedException($"the report does not compile: {problem}");
            io.Warn($"no report.pdf: {problem}; Debian: texlive-latex-recommended has it");
            return;
        }
        File.Copy(Path.Combine(folder, "report.pdf"), Path.Combine(io.Output("pdf"), "report.pdf"));
    }
}
