using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Methods;
using EditUnlearn.Models.Families;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;

namespace EditUnlearn.Stages;

/// <summary>Renders the study's tables from the scores: LaTeX, CSV and Parquet.</summary>
public sealed class TablesStage : Stage<TablesStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Models">In print order.</param>
    /// <param name="Sets">In print order.</param>
    /// <param name="Methods">In print order.</param>
    /// <param name="Miniature">Whether the models are miniatures; the caption says so.</param>
    public sealed record Params(IReadOnlyList<string> Models, IReadOnlyList<string> Sets, IReadOnlyList<string> Methods, bool Miniature);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("tables", 1, "the study's tables")
    {
        Inputs = [new("scores", InputCount.Many), new("before", InputCount.Many)],
        Outputs = ["table1.tex", "table1.csv", "table1.parquet", "table1.standalone.tex"],
    };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        foreach (var method in parameters.Methods.Where(m => MethodCatalog.Find(m) is null)) yield return new ParameterProblem("methods", $"names '{method}', which is not a method");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        IEnumerable<CellScore> Means(string input) => io.Inputs(input).SelectMany(i => ParquetTable.Read<CellScore>(i.Path));
        var settings = parameters.Sets.SelectMany(s => parameters.Models.Select(m => new TableSetting(m, s, $"{s}, {Label(m)}{(parameters.Miniature ? " miniature" : "")}"))).ToList();
        var methods = parameters.Methods.Select(m => MethodCatalog.Find(m)!).Select(m => new TableMethod(m.Name, m.Label, m.IsEditing)).ToList();
        var metrics = MetricCatalog.All.Where(m => m.InTables).Select(m => new TableMetric(m.Name, m.Label)).ToList();
        var table = ForgettingTable.Of("table1", settings, methods, metrics, Means("scores"), Means("before"));
        var caption = (parameters.Miniature ? "Forgetting and retention on miniature models that the pipeline pretrained itself; not the paper's numbers. " : "Forgetting and retention. ")
            + "Metrics of profile strict. Bold: best of its family; underlined: two best of all; gray: the model collapsed, or nothing was forgotten.";
        var latex = TableRenderer.Latex(table, caption);
        File.WriteAllText(io.Output("table1.tex"), latex);
        File.WriteAllText(io.Output("table1.standalone.tex"), TableRenderer.Document(latex));
        File.WriteAllText(io.Output("table1.csv"), TableRenderer.Csv(table));
        ParquetTable.Write(io.Output("table1.parquet"), [.. table.Cells]);
    }

    private static string Label(string model) => FamilyCatalog.All.FirstOrDefault(f => f.Name == model)?.Label ?? model;
}
