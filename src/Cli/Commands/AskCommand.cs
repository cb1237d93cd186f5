using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>ask</c>: a model's own words, before and after an edit.</summary>
internal sealed class AskCommand(Stopping stopping)
{
    private const int BatchRows = 64;

    /// <summary>Asks questions of a model folder or of a cell of the study.</summary>
    [Command(
        "ask",
        Description = "Ask a model questions, and with --patch or --cell show the answers before and after"
    )]
    public int Ask(
        [Argument(Description = "Questions; none reads them from the terminal, one a line")] string[]? questions = null,
        [Option("model", Description = "A model folder")] string? model = null,
        [Option("patch", Description = "A patch to put on the model")] string? patch = null,
        [Option("adapter", Description = "An adapter to put on the model: a folder as peft writes it")]
            string? adapter = null,
        [Option(
            "cell",
            Description = "A cell of the study with a patch or a model, such as 'apply[llama2,facts-40,rome]'"
        )]
            string? cell = null,
        [Option("file", Description = "A question file, JSON Lines")] string? file = null,
        [Option("max-new", Description = "Most new tokens of an answer")] int maxNew = 200,
        [Option("template", Description = "Name or file of a chat template; the checkpoint's own when left out")]
            string? template = null,
        [Option("official-template", Description = "With the system text the model's authors put first")]
            bool official = false,
        [Option("device", Description = "auto, cpu, cuda, cuda:<number>")] string device = DeviceNames.Auto,
        [Option("dtype", Description = "auto, float32, bfloat16, float16")] string dtype = DeviceNames.Auto,
        [Option("profile", Description = "With --cell: a profile, a file of profiles/")] string? profile = null,
        [Option("set", Description = "With --cell: change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks()
            .That(
                (model is null) != (cell is null),
                "ask",
                $"needs either --model or --cell",
                "--model a folder, --cell a cell of the study"
            )
            .That(patch is null || adapter is null, "--adapter", $"cannot be given together with --patch")
            .That(
                (patch ?? adapter) is null || cell is null,
                "--patch",
                $"cannot be given together with --cell, which has its own"
            )
            .AtLeast("--max-new", maxNew, 1)
            .Demand();

        var compute = Compute.Of(device, dtype);
        var (folder, edit) = cell is null ? (model!, patch ?? adapter) : OfCell(cell, profile, set);
        using var change = edit is null ? null : ModelPatch.Load(edit);
        // A cell's model is asked as the study asked it.
        template ??= cell is null ? null : ChatTemplate.OfFamily;
        using var checkpoint = Opening.Checkpoint(folder, compute, template, official, stopping.Token);
        var given = (questions ?? []).Concat(file is null ? [] : QaFile.Read(file).Select(q => q.Question)).ToList();
        if (given.Count > 0)
        {
            Print(given, Answers(checkpoint, change, edit, given, maxNew), json);
            return ExitCodes.Done;
        }
        foreach (var question in Typed())
        {
            if (stopping.Token.IsCancellationRequested)
                break;
            Print([question], Answers(checkpoint, change, edit, [question], maxNew), json);
        }
        return ExitCodes.Done;
    }

    private List<(string Before, string? After)> Answers(
        Checkpoint checkpoint,
        ModelPatch? patch,
        string? patchFolder,
        IReadOnlyList<string> questions,
        int maxNew
    )
    {
        var before = Said(checkpoint, questions, maxNew, null);
        if (patch is null)
            return [.. before.Select(b => (b, (string?)null))];
        using var applied = patch.ApplyTo(checkpoint.Model, patchFolder!);
        return [.. before.Zip(Said(checkpoint, questions, maxNew, patch.Tap), (b, a) => (b, (string?)a))];
    }

    private IReadOnlyList<string> Said(
        Checkpoint checkpoint,
        IReadOnlyList<string> questions,
        int maxNew,
        ForwardTap? tap
    )
    {
        PromptLimits.Check(checkpoint, questions.Select((q, i) => ($"question {i + 1}", q)));
        using var counter = new Counter("ask");
        var options = new GreedyDecoder.Options
        {
            MaxNewTokens = maxNew,
            BatchRows = BatchRows,
            StopIds = checkpoint.StopIds,
            Tap = tap,
        };
        var written = GreedyDecoder.Decode(
            checkpoint.Model,
            [.. questions.Select(checkpoint.Prompt)],
            options,
            done => counter.Report(done, questions.Count),
            stopping.Token
        );
        return [.. written.Select(w => checkpoint.Decode(w.Ids))];
    }

    private static void Print(IReadOnlyList<string> questions, List<(string Before, string? After)> answers, bool json)
    {
        if (json)
        {
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["answers"] = new JsonArray([
                        .. questions.Zip(
                            answers,
                            (q, a) =>
                                a.After is null
                                    ? new JsonObject { ["question"] = q, ["answer"] = a.Before }
                                    : new JsonObject
                                    {
                                        ["question"] = q,
                                        ["before"] = a.Before,
                                        ["after"] = a.After,
                                    }
                        ),
                    ]),
                }
            );
            return;
        }
        foreach (var (question, (before, after)) in questions.Zip(answers))
        {
            if (questions.Count > 1)
                Console.Out.WriteLine(question);
            Console.Out.WriteLine(after is null ? before : $"  before: {before}\n  after:  {after}");
        }
    }

    private static IEnumerable<string> Typed()
    {
        while (true)
        {
            if (!Console.IsInputRedirected)
                Console.Error.Write("? ");
            if (Console.In.ReadLine() is not { } line)
                yield break;
            if (!string.IsNullOrWhiteSpace(line))
                yield return line.Trim();
        }
    }

    // The model a cell worked on and, where it made one, its patch.
    private static (string Model, string? Patch) OfCell(string name, string? profile, string[]? set)
    {
        var study = Study.Open(profile, set);
        var named = Targets.Named(study.Plan, [name]);
        if (named.Count > 1)
            throw new InputException(
                name,
                $"means {named.Count} cells",
                "name one: " + string.Join(", ", named.Take(4).Select(c => c.Id))
            );
        var status = Status.Of(study.Plan, study.Store, study.Keys).ToDictionary(s => s.Cell.Id);
        string Result(CellId id, string output)
        {
            if (status[id].State != CellState.UpToDate)
                throw new InputException(
                    id.Text,
                    "has no result for the present settings: " + Format.Reasons(status[id].Reasons),
                    $"eu-stage repro '{id}'"
                );
            study.Store.CheckSizes(status[id].Key!);
            return Path.Combine(study.Store.ResultFolder(status[id].Key!), output);
        }
        var chosen = named[0];
        if (chosen.Stage.Info.Outputs.Contains(ModelName))
            return (Result(chosen.Id, ModelName), null);
        if (chosen.Inputs.OfType<CellOutputInput>().FirstOrDefault(i => i.Name == ModelName) is not { } model)
            throw new InputException(name, "has no model", "name a cell of apply, pretrain or finetune");
        var makesPatch = chosen.Stage.Info.Outputs.Contains(PatchName);
        return (Result(model.Cell, model.Output), makesPatch ? Result(chosen.Id, PatchName) : null);
    }

    private const string ModelName = "model",
        PatchName = "patch";
}
