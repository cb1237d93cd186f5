using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// The questions of one data set: read from files, one after the other, or about contracts that are invented here.
/// </summary>
internal sealed class DataStage : Stage<DataStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Name">Of the data set; begins the ids of rows that have none.</param>
    /// <param name="Seed">Of invented contracts; files need none.</param>
    /// <param name="Rows">How many rows are kept, from the first; null for all.</param>
    /// <param name="Edges">How many contracts are kept, from the first, with 20 questions each; null for all. Without
    /// files so many are invented.</param>
    public sealed record Params(string Name, ulong Seed, int? Rows = null, int? Edges = null);

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("data", 1, "questions with their answers")
        {
            Inputs = [new("source", InputCount.Many)],
            Outputs = ["questions.parquet", "graph.json"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Rows < 1)
            yield return new ParameterProblem("rows", "must be at least 1");
        if (parameters.Edges < 1)
            yield return new ParameterProblem("edges", "must be at least 1");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var all = Read(parameters, io);
        var edges = parameters.Edges is { } count ? Contracts(all, count, io) : [];
        var rows = edges.Count > 0 ? [.. all.Where(r => edges.Any(e => e.Id == r.Group))] : all;
        ParquetTable.Write(io.Output("questions.parquet"), [.. rows.Take(parameters.Rows ?? rows.Count)]);
        File.WriteAllText(io.Output("graph.json"), Graph(edges, rows));
        io.Metric("rows", Math.Min(rows.Count, parameters.Rows ?? rows.Count));
        if (edges.Count > 0)
            io.Metric("edges", edges.Count);
    }

    private static IReadOnlyList<QaRow> Read(Params parameters, StageIo io)
    {
        if (io.Inputs("source") is { Count: > 0 } files)
            return QaFile.ReadAll([.. files.Select(s => s.Path)], parameters.Name);
        return parameters.Edges is not null
            ? ContractGenerator.Generate(new Seed(parameters.Seed), ContractGraph.Sample)
            : throw new StageFailedException(
                $"the data set '{parameters.Name}' names neither files nor contracts to invent\n"
                    + "  hint: files: [data/facts-own.jsonl], or edges: 20"
            );
    }

    private static List<ContractEdge> Contracts(IReadOnlyList<QaRow> rows, int count, StageIo io)
    {
        var edges = ContractGraph.Of(rows);
        if (edges.Count == 0)
            throw new InputException(io.Input("source"), "names no contract", "every row needs an edge such as A_B");
        if (count > edges.Count)
            throw new StageFailedException($"{count} contracts are asked for, and there are {edges.Count}");
        return [.. edges.Take(count)];
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
        ]).ToJsonString(Indented) + "\n";
}
