using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Stages;

/// <summary>Binds tables, figures, cases and claims into one document; a PDF where a TeX is installed.</summary>
internal sealed class ReportStage : Stage<ReportStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Title">Of the document.</param>
    /// <param name="Kind">What the models are.</param>
    public sealed record Params(string Title, ModelKind Kind);

    private const string Document = "report.tex";

    // Captions say what the picture's own title does not.
    private static readonly Dictionary<string, (string Caption, double Width)> Pictures = new(StringComparer.Ordinal)
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
            ],
            Outputs = [Document, "pdf"],
        };

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
        Directory.CreateDirectory(io.Output("pdf"));
        if (!ReportDocument.CanCompile)
        {
            io.Warn(
                "no TeX is installed, so there is no report.pdf; with pdflatex (Debian: texlive-latex-recommended) "
                    + "eu-stage repro --force report makes it"
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
