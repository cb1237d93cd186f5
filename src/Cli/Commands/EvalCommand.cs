using System.Text.Json;
using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Artifacts;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Workbench.OwnModel;

namespace EditUnlearn.Cli.Commands;

/// <summary>
/// <c>eval</c>: the study's metrics on a question file of the user's, for a checkpoint with or without a patch.
/// </summary>
internal sealed class EvalCommand(Stopping stopping)
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Asks every question and takes the means.</summary>
    [Command("eval", Description = "Metrics of a question file for a checkpoint, with or without a patch")]
    public int Eval(
        [Option("model", Description = "A model folder")] string model,
        [Option("questions", Description = "A question file, JSON Lines")] string questions,
        [Option("patch", Description = "A patch to put on the model")] string? patch = null,
        [Option("adapter", Description = "An adapter to put on the model: a folder as peft writes it")]
            string? adapter = null,
        [Option("rephrased", Description = "Also ask every question in its other words")] bool rephrased = false,
        [Option(
            "out",
            Description = "File for what was answered: .parquet holds the evidence, .json means and answers"
        )]
            string? output = null,
        [Option("max-new", Description = "Most new tokens of an answer")] int maxNew = 200,
        [Option("template", Description = "Name or file of a chat template; the checkpoint's own when left out")]
            string? template = null,
        [Option("seed", Description = "Of the bootstrap")] long seed = 17,
        [Option("device", Description = "auto, cpu, cuda, cuda:<number>")] string device = DeviceNames.Auto,
        [Option("dtype", Description = "auto, float32, bfloat16, float16")] string dtype = DeviceNames.Auto,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks()
            .AtLeast("--max-new", maxNew, 1)
            .AtLeast("--seed", seed, 0)
            .That(patch is null || adapter is null, "--adapter", $"cannot be given together with --patch")
            .That(
                output is null || Path.GetExtension(output) is ".parquet" or ".json",
                "--out",
                $"{output} ends in neither .parquet nor .json"
            )
            .File("--out", output)
            .Demand();

        var compute = Compute.Of(device, dtype);
        var rows = Rows(questions, rephrased);
        patch ??= adapter;
        using var change = patch is null ? null : ModelPatch.Load(patch);
        using var checkpoint = Opening.Checkpoint(model, compute, template, false, stopping.Token);
        var asked = OwnQuestions
            .AsWritten("questions", rows)
            .Concat(rephrased ? OwnQuestions.InOtherWords(rows) : [])
            .ToList();
        foreach (var doubt in OwnQuestions.Doubts(checkpoint, asked, maxNew))
            Screen.Note("warning: " + doubt);
        var bootstrap = new Seed((ulong)seed);
        // An adapter can be taken off again by whoever has the files: what the model says then belongs to the answer.
        var without = adapter is null ? null : Answers(checkpoint, asked, MethodNames.Untouched, maxNew, null);
        using var applied = change?.ApplyTo(checkpoint.Model, patch!);
        var method = change is null ? MethodNames.Untouched : "patch";
        var answers = Answers(checkpoint, asked, method, maxNew, change?.Tap);
        var means = OwnQuestions.Means(answers, bootstrap);
        if (without is not null)
        {
            var plain = OwnQuestions.Means(without, bootstrap);
            means = [.. means, .. plain.Select(m => m with { Split = m.Split + " without the adapter" })];
            answers = [.. answers, .. without];
        }
        if (output is not null)
            Write(output, answers, means);
        if (json)
            InspectCommands.PrintJson(Json(means, null));
        else
            ApplyView.Write(Screen.Out, means);
        return ExitCodes.Done;
    }

    private static IReadOnlyList<QaRow> Rows(string questions, bool rephrased)
    {
        var rows = QaFile.Read(questions);
        return rephrased && rows.All(q => q.Rephrasings.Count == 0)
            ? throw new InputException(
                questions,
                "has no rephrasings",
                "leave --rephrased out, or add the field rephrasings"
            )
            : rows;
    }

    private IReadOnlyList<AnswerRow> Answers(
        Checkpoint checkpoint,
        IReadOnlyList<AnswerCollector.Asked> asked,
        string method,
        int maxNew,
        ForwardTap? tap
    )
    {
        using var counter = new Counter("eval");
        return OwnQuestions.Ask(
            checkpoint,
            asked,
            method,
            maxNew,
            tap,
            (done, total) => counter.Report(done, total),
            stopping.Token
        );
    }

    private static void Write(string path, IReadOnlyList<AnswerRow> answers, IReadOnlyList<SplitMeans> means)
    {
        if (Path.GetExtension(path) == ".parquet")
            AtomicFile.Write(path, partial => ParquetTable.Write(partial, [.. answers]));
        else
            AtomicFile.Write(path, Json(means, answers).ToJsonString(Indented) + "\n");
    }

    private static JsonObject Json(IReadOnlyList<SplitMeans> means, IReadOnlyList<AnswerRow>? answers)
    {
        var json = new JsonObject
        {
            ["format"] = "eval/1",
            ["splits"] = new JsonArray([
                .. means.Select(m => new JsonObject
                {
                    ["split"] = m.Split,
                    ["questions"] = m.Questions,
                    ["metrics"] = m.ToJson(),
                }),
            ]),
        };
        if (answers is not null)
            json["answers"] = new JsonArray([
                .. answers.Select(a => new JsonObject
                {
                    ["split"] = a.Split,
                    ["method"] = a.Method,
                    ["id"] = a.Id,
                    ["question"] = a.Question,
                    ["answer"] = a.Answer,
                    ["said"] = a.Generated,
                    ["refused"] = a.Refused,
                }),
            ]);
        return json;
    }
}
