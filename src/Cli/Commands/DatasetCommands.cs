using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Cli.Commands;

/// <summary>Commands about data files.</summary>
internal sealed class DatasetCommands
{
    /// <summary>Reads a question file and reports what looks wrong with its content.</summary>
    [Command("lint", Description = "Check a question file: twins, answers inside questions, long answers, missing rephrasings")]
    public int Lint(
        [Argument(Description = "JSON Lines or a JSON array")] string file,
        [Option("strict", Description = "Exit 1 when anything is reported")] bool strict = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false)
    {
        CommandOutcome.Reached = true;
        var rows = QaFile.Read(file);
        var findings = DatasetLint.Of(rows);
        if (json)
            InspectCommands.PrintJson(new JsonObject { ["rows"] = rows.Count, ["findings"] = new JsonArray([.. findings.Select(f => new JsonObject { ["id"] = f.Id, ["rule"] = f.Rule, ["message"] = f.Message })]) });
        else
        {
            foreach (var f in findings) Console.Out.WriteLine($"{f.Id}: {f.Rule}: {f.Message}");
            Console.Out.WriteLine($"{rows.Count} rows, {findings.Count} findings");
        }
        return strict && findings.Count > 0 ? ExitCodes.StageFailed : ExitCodes.Done;
    }

    /// <summary>Writes generated contracts as native JSON Lines.</summary>
    [Command("generate-contracts", Description = "Write invented contracts as question and answer, JSON Lines")]
    public int GenerateContracts(
        [Option("out", Description = "File to write")] string output,
        [Option("seed", Description = "Of all draws")] long seed = 17,
        [Option("edges", Description = "Contracts of the sample graph, from the first")] int edges = 20)
    {
        if (edges < 1 || edges > ContractGraph.Sample.Count) throw new InputException("--edges", $"must lie between 1 and {ContractGraph.Sample.Count}, not {edges}");
        if (seed < 0) throw new InputException("--seed", $"must be at least 0, not {seed}");
        var rows = ContractGenerator.Generate(new Seed((ulong)seed), [.. ContractGraph.Sample.Take(edges)]);
        QaFile.Write(output, rows, "contracts");
        Console.Out.WriteLine($"{rows.Count} rows in {output}");
        return ExitCodes.Done;
    }
}
