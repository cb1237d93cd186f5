using EditUnlearn.Artifacts;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Invents contracts and asks about their clauses.</summary>
public sealed class ContractsStage : Stage<ContractsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of all draws.</param>
    /// <param name="Edges">How many contracts of the sample graph, from the first; 20 questions each.</param>
    public sealed record Params(ulong Seed, int Edges = 20);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("contracts", 1, "invented contracts as question and answer") { Outputs = ["questions.parquet"] };

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
        var rows = ContractGenerator.Generate(new Seed(parameters.Seed), [.. ContractGraph.Sample.Take(parameters.Edges)]);
        ParquetTable.Write(io.Output("questions.parquet"), [.. rows]);
        io.Metric("rows", rows.Count);
    }
}
