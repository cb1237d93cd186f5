using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Contracts and questions about their clauses: invented, or the published ones where a file is given.</summary>
public sealed class ContractsStage : Stage<ContractsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of all draws.</param>
    /// <param name="Edges">How many contracts, from the first: of the sample graph, 20 questions each, or of the file.</param>
    public sealed record Params(ulong Seed, int Edges = 20);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("contracts", 1, "contracts as question and answer") { Inputs = [new("source", InputCount.Optional)], Outputs = ["questions.parquet"] };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Edges < 1 || parameters.Edges > ContractGraph.Sample.Count) yield return new ParameterProblem("edges", $"must lie between 1 and {ContractGraph.Sample.Count}");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var rows = io.HasInput("source")
            ? Published(io.Input("source"), parameters.Edges)
            : ContractGenerator.Generate(new Seed(parameters.Seed), [.. ContractGraph.Sample.Take(parameters.Edges)]);
        ParquetTable.Write(io.Output("questions.parquet"), [.. rows]);
        io.Metric("rows", rows.Count);
    }

    private static IReadOnlyList<QaRow> Published(string path, int edges)
    {
        var rows = QaFile.Read(path, "contracts");
        var groups = rows.Select(r => r.Group).Distinct().ToList();
        if (groups.Count < edges) throw new InputException(path, $"holds {groups.Count} contracts, but {edges} are asked for", "set contracts.edges");
        var wanted = groups.Take(edges).ToHashSet(StringComparer.Ordinal);
        return [.. rows.Where(r => wanted.Contains(r.Group))];
    }
}
