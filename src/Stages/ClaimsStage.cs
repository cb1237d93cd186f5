using System.Text.Encodings.Web;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Claims;

namespace EditUnlearn.Stages;

/// <summary>Decides the paper's observations and takeaways by the study's numbers.</summary>
internal sealed class ClaimsStage : Stage<ReportParams>
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("claims", 1, "the paper's observations, decided")
        {
            Inputs =
            [
                new("scores", InputCount.Many),
                new("rows", InputCount.Many),
                new("ratings", InputCount.Optional),
            ],
            Outputs = ["claims.tex", "claims.md", "claims.txt", "claims.json"],
            Threads = 2,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(ReportParams parameters) => ReportInputs.Check(parameters);

    /// <inheritdoc/>
    protected override void Run(ReportParams parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var scores = ReportInputs.Scores(io);
        var scope = ReportInputs.Scope(parameters, scores);
        var claims = ClaimCatalog.Decide(
            new ClaimNumbers(
                ReportInputs.Book(scores, parameters),
                scope,
                ReportInputs.Ratings(io),
                relative: true,
                new PairedResamples(ReportInputs.Rows(io, parameters), new Seed(parameters.Seed))
            )
        );
        File.WriteAllText(io.Output("claims.txt"), ClaimRenderer.Text(claims, scope));
        File.WriteAllText(io.Output("claims.md"), ClaimRenderer.Markdown(claims, scope));
        File.WriteAllText(io.Output("claims.tex"), ClaimRenderer.Latex(claims, scope));
        File.WriteAllText(io.Output("claims.json"), ClaimRenderer.Json(claims, scope).ToJsonString(Indented) + "\n");
        foreach (var claim in claims)
            io.Log($"{claim.Id}: {ClaimRenderer.Word(claim.Verdict)}");
    }
}
