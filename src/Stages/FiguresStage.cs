using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Figures;

namespace EditUnlearn.Stages;

/// <summary>Draws the paper's figures from the scores: SVG, PNG, and the numbers drawn.</summary>
internal sealed class FiguresStage : Stage<ReportParams>
{
    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("figures", 1, "the study's figures")
        {
            Inputs = [new("scores", InputCount.Many), new("ratings", InputCount.Optional)],
            Outputs =
            [
                .. FigureCatalog.Names.SelectMany(n => ((string[])["png", "svg", "csv"]).Select(e => $"{n}.{e}")),
            ],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(ReportParams parameters) => ReportInputs.Check(parameters);

    /// <inheritdoc/>
    protected override void Run(ReportParams parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var scores = ReportInputs.Scores(io);
        foreach (
            var figure in FigureCatalog.All(
                ReportInputs.Book(scores, parameters),
                ReportInputs.Scope(parameters, scores),
                ReportInputs.Ratings(io)
            )
        )
        {
            File.WriteAllBytes(io.Output($"{figure.Name}.png"), FigureRenderer.Png(figure));
            File.WriteAllText(io.Output($"{figure.Name}.svg"), FigureRenderer.Svg(figure));
            File.WriteAllText(io.Output($"{figure.Name}.csv"), FigureCsv.Of(figure));
        }
    }
}
