using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Contracts and questions about their clauses: invented here, or read from a published file.</summary>
public sealed class ContractsStage : Stage<ContractsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of all draws; a file needs none.</param>
    /// <param name="Edges">How many contracts, from the first; null for all. 20 questions each.</param>
    public sealed record Params(ulong Seed, int? Edges = 20);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("contracts", 1, "contracts as question and answer")
        {
            Inputs = [new("source", InputCount.Optional)],
            Outputs = ["questions.parquet", "graph.json"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Edges < 1)
            yield return new ParameterProblem("edges", "must be at least 1");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var all = io.HasInput("source")
            ? QaFile.Read(io.Input("source"), "contracts")
            : ContractGenerator.Generate(new Seed(parameters.Seed), ContractGraph.Sample);
        var edges = ContractGraph.Of(all);
        if (edges.Count == 0)
            throw new InputException(io.Input("source"), "names no contract", "every row needs an edge such as A_B");
        if (parameters.Edges > edges.Count)
            throw new StageFailedException($"{parameters.Edges} contracts are asked for, and there are {edges.Count}");
        var kept = edges.Take(parameters.Edges ?? edges.Count).ToList();
        var rows = all.Where(r => kept.Any(e => e.Id == r.Group)).ToList();
        ParquetTable.Write(io.Output("questions.parquet"), rows);
        File.WriteAllText(io.Output("graph.json"), Graph(kept, rows));
        io.Metric("rows", rows.Count);
        io.Metric("edges", kept.Count);
    }

    // Who contracts with whom, and every answer, so that answers can be checked without asking.
    private static string Graph(IReadOnlyList<ContractEdge> edges, IReadOnlyList<QaRow> rows) =>
        new JsonArray([
            .. edges.Select(e => new JsonObject
            {
                ["id"] = e.Id,
                ["kind"] = e.Kind == ContractKind.Sales ? "sales" : "employment",
                ["from"] = e.From,
                ["to"] = e.To,
                ["answers"] = new JsonObject(
                    rows.Where(r => r.Group == e.Id).Select(r => KeyValuePair.Create(r.Id, (JsonNode?)r.Answer))
                ),
            }),
        ]).ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";
}
