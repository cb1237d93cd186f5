using EditUnlearn.Artifacts;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;

namespace EditUnlearn.Stages;

/// <summary>Puts the answers of all methods to the same questions beside each other: the paper's Figure 5.</summary>
internal sealed class CasesStage : Stage<CasesStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Title">What is shown, one sentence without a full stop.</param>
    /// <param name="Kind">What the models are; the caption says so.</param>
    /// <param name="Count">Questions to show, from the first of the forget set.</param>
    /// <param name="Labels">What each method is called in print; null for the names in the catalogue.</param>
    public sealed record Params(
        string Title,
        ModelKind Kind,
        int Count = 4,
        IReadOnlyDictionary<string, string>? Labels = null
    );

    private static readonly string[] Known = ["model", "set", "method"];

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("cases", 1, "answers side by side")
        {
            Inputs = [new("answers", InputCount.Many)],
            Outputs = ["figure5.tex", "figure5.md", "figure5.csv"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Count < 1)
            yield return new ParameterProblem("count", "must be at least 1");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var runs = io.Inputs("answers")
            .Select(i => (Who(i.Source, parameters.Labels), ParquetTable.Read<AnswerRow>(i.Path)))
            .ToList();
        var cases = CaseTable.Of(runs, parameters.Count, parameters.Title, new StudyScope { Kind = parameters.Kind });
        File.WriteAllText(io.Output("figure5.tex"), cases.Latex());
        File.WriteAllText(io.Output("figure5.md"), cases.Markdown());
        File.WriteAllText(io.Output("figure5.csv"), cases.Csv());
        if (Latex.Lost(cases.Csv()) is > 0 and var lost)
            io.Warn(
                $"{lost} letters are in scripts that the document's fonts lack: each is a question mark in figure5.tex "
                    + "and report.pdf; figure5.md and figure5.csv have them"
            );
    }

    // The method, and in brackets what else tells the run apart: its refusals, its merge factor.
    private static string Who(CellId? cell, IReadOnlyDictionary<string, string>? labels)
    {
        if (cell?.Axis("method") is not { } method)
            return cell?.Text ?? "?";
        var rest = cell.Axes.Where(a => !Known.Contains(a.Key)).Select(a => a.Value).ToList();
        var label = labels?.GetValueOrDefault(method) ?? MethodCatalog.Find(method)?.Label ?? method;
        return label + (rest.Count > 0 ? $" ({string.Join(", ", rest)})" : "");
    }
}
