using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Artifacts;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Workbench.OwnModel;

namespace EditUnlearn.Cli.Commands;

/// <summary>Commands about data files.</summary>
internal sealed class DatasetCommands(Stopping stopping)
{
    // Of one rule, for people.
    private const int ShownFindings = 40;

    private const string Prompt = "data/prompts/rephrase.own.txt";

    /// <summary>Reads a question file and reports what looks wrong with its content.</summary>
    [Command(
        "lint",
        Description = "Check a question file: twins, answers inside questions, long answers, missing rephrasings"
    )]
    public int Lint(
        [Argument(Description = "JSON Lines or a JSON array")] string file,
        [Option("strict", Description = "Exit 1 when anything is reported")] bool strict = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var rows = QaFile.Read(file);
        var findings = DatasetLint.Of(rows, stopping.Token);
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["rows"] = rows.Count,
                    ["findings"] = new JsonArray([
                        .. findings.Select(f => new JsonObject
                        {
                            ["id"] = f.Id,
                            ["rule"] = f.Rule,
                            ["message"] = f.Message,
                        }),
                    ]),
                }
            );
        else
        {
            foreach (var kind in findings.GroupBy(f => f.Rule))
            {
                foreach (var f in kind.Take(ShownFindings))
                    Console.Out.WriteLine($"{f.Id}: {f.Rule}: {f.Message}");
                if (kind.Skip(ShownFindings).Any())
                    Console.Out.WriteLine($"{kind.Key}: {kind.Count() - ShownFindings} rows more (--json lists all)");
            }
            Console.Out.WriteLine($"{rows.Count} rows, {findings.Count} findings");
        }
        return strict && findings.Count > 0 ? ExitCodes.StageFailed : ExitCodes.Done;
    }

    /// <summary>Turns a question file of another tool into one of ours.</summary>
    [Command(
        "convert",
        Description = "Read a file of EasyEdit, zsRE, CounterFact, Alpaca, ShareGPT or chat messages, and write it "
            + "as a question file"
    )]
    public int Convert(
        [Argument(Description = "A JSON array or JSON Lines")] string file,
        [Option("out", Description = "Question file to write")] string output,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks().File("--out", output).Demand();
        var read = ForeignRows.Open(file);
        AtomicFile.Write(
            output,
            partial => QaFile.Write(partial, read.Questions, Path.GetFileNameWithoutExtension(output))
        );
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["form"] = read.Kind,
                    ["rows"] = read.Questions.Count,
                    ["dropped"] = new JsonObject(
                        read.Dropped.Select(d => KeyValuePair.Create(d.Key, (JsonNode?)d.Value))
                    ),
                }
            );
        else
        {
            Console.Out.WriteLine($"{read.Questions.Count} rows of {read.Kind} in {output}");
            foreach (var (field, count) in read.Dropped)
                Screen.Note($"left out: {field} ({count} rows)");
        }
        return ExitCodes.Done;
    }

    /// <summary>Writes generated contracts as native JSON Lines.</summary>
    [Command("generate-contracts", Description = "Write invented contracts as question and answer, JSON Lines")]
    public int GenerateContracts(
        [Option("out", Description = "File to write")] string output,
        [Option("seed", Description = "Of all draws")] long seed = 17,
        [Option("edges", Description = "Contracts of the sample graph, from the first")] int edges = 20
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks()
            .Between("--edges", edges, 1, ContractGraph.Sample.Count)
            .AtLeast("--seed", seed, 0)
            .File("--out", output)
            .Demand();
        var rows = ContractGenerator.Generate(new Seed((ulong)seed), [.. ContractGraph.Sample.Take(edges)]);
        AtomicFile.Write(output, partial => QaFile.Write(partial, rows, "contracts"));
        Console.Out.WriteLine($"{rows.Count} rows in {output}");
        return ExitCodes.Done;
    }

    /// <summary>Lets a model put the questions of a file into other words.</summary>
    [Command(
        "rephrase",
        Description = "Let an instruct model put questions into other words; those that keep subject and numbers "
            + "and do not tell the answer are kept"
    )]
    public int Rephrase(
        [Argument(Description = "A question file, JSON Lines or a JSON array")] string file,
        [Option("model", Description = "A model folder")] string model,
        [Option("out", Description = "Question file to write, with the field rephrasings: apply and eval read it")]
            string output,
        [Option("count", Description = "Rephrasings a question shall have; those of the file count")] int count = 1,
        [Option(
            "prompt",
            Description = "The instruction, a text file with the slots {question} and {count}; "
                + "data/prompts/rephrase.own.txt when left out"
        )]
            string? prompt = null,
        [Option("seed", Description = "Of the samples that follow the greedy try")] long seed = 17,
        [Option("device", Description = "auto, cpu, cuda, cuda:<number>")] string device = DeviceNames.Auto,
        [Option("dtype", Description = "auto, float32, bfloat16, float16")] string dtype = DeviceNames.Auto,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks()
            .Between("--count", count, 1, 20)
            .AtLeast("--seed", seed, 0)
            .File("--out", output)
            .That(
                prompt is not null || Study.Shipped(Prompt) is not null,
                "--prompt",
                $"is needed outside a checkout, which brings {Prompt}"
            )
            .Demand();

        var given = QaFile.ReadPlaced(file);
        IReadOnlyList<QaRow> rows = [.. given.Select(g => g.Row)];
        var instruction = Rephraser.ReadPrompt(prompt ?? Study.Shipped(Prompt)!);
        using var checkpoint = Opening.Checkpoint(model, Compute.Of(device, dtype), null, false, stopping.Token);
        var refused = new SortedDictionary<string, int>(StringComparer.Ordinal);
        using (var counter = new Counter("rephrase, tries"))
            rows = OwnWording.Ask(
                checkpoint,
                instruction,
                rows,
                count,
                new Seed((ulong)seed),
                RephraseFilter.Taken(rows),
                refused,
                (done, all) => counter.Report(done, all),
                stopping.Token
            );
        AtomicFile.Write(
            output,
            partial =>
                QaFile.Write(
                    partial,
                    [.. given.Zip(rows, (g, r) => g with { Row = r })],
                    Path.GetFileNameWithoutExtension(output)
                )
        );
        var missing = rows.Where(r => r.Rephrasings.Count < count).Select(r => r.Id).ToList();
        if (json)
        {
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["rows"] = rows.Count,
                    ["missing"] = new JsonArray([.. missing.Select(id => (JsonNode?)id)]),
                    ["refused"] = new JsonObject(refused.Select(r => KeyValuePair.Create(r.Key, (JsonNode?)r.Value))),
                }
            );
            return ExitCodes.Done;
        }
        Console.Out.WriteLine(
            $"{rows.Count} rows in {output}, {missing.Count} with fewer than {count} rephrasings{FirstOf(missing)}"
        );
        if (refused.Count > 0)
            Console.Out.WriteLine("refused: " + string.Join(", ", refused.Select(r => $"{r.Key} {r.Value}")));
        return ExitCodes.Done;
    }

    private static string FirstOf(List<string> missing) =>
        missing.Count == 0 ? "" : ": " + string.Join(", ", missing.Take(10)) + (missing.Count > 10 ? ", .." : "");
}
