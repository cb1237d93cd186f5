using Cocona;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench.OwnModel;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>apply</c>: makes a checkpoint of the user's forget a list of questions.</summary>
internal sealed class ApplyCommand(Stopping stopping)
{
    // What the project ships for people who bring no files of their own; found from anywhere in a checkout.
    private const string Refusals = "data/refusals-own.txt",
        Locality = "data/generic-locality.jsonl";

    /// <summary>Edits a model folder and writes a new one, or the patch.</summary>
    [Command(
        "apply",
        Description = "Make a checkpoint forget questions: writes a new checkpoint, or the patch alone, and a "
            + "report of before and after"
    )]
    public int Apply(
        [Option("method", Description = "ga, gd, kl, dpo, idk, rome, memit, grace, wise or alphaedit")] string method,
        [Option("model", Description = "A model folder; it is only read")] string model,
        [Option("out", Description = "Folder to make")] string output,
        [Option(
            "forget",
            Description = "Questions to forget, JSON Lines with id, question, answer, subject?, target?, rephrasings?"
        )]
            string? forget = null,
        [Option("requests", Description = "The same, each with its own target to be answered instead")]
            string? requests = null,
        [Option(
            "token-requests",
            Description = "Requests as token ids, for exact work without a tokenizer (docs/apply.md)"
        )]
            string? tokenRequests = null,
        [Option(
            "retain",
            Description = "Questions to keep: asked before and after, and trained on by the methods that need them"
        )]
            string? retain = null,
        [Option("holdout", Description = "More questions to keep, which no method sees: asked before and after")]
            string? holdOut = null,
        [Option("patch-only", Description = "Write the patch and its manifest instead of a checkpoint")]
            bool patchOnly = false,
        [Option("report", Description = "JSON file for metrics, answers and the health of every edit")]
            string? report = null,
        [Option("preset", Description = "corrected, reference, or a published preset of the method")]
            string preset = "corrected",
        [Option("method-options", Description = "YAML file with options by their documented names")]
            string? methodOptions = null,
        [Option(
            "family",
            Description = "Whose hyperparameters: llama2, mistral, llama3, llama31; the checkpoint's own when left out"
        )]
            string? family = null,
        [Option(
            "targets",
            Description = "Refusals, one a line, for questions without a target; data/refusals-own.txt when left out"
        )]
            string? targets = null,
        [Option(
            "moments",
            Description = "Second moments of this model, file or folder; made there with --moments-text"
        )]
            string? moments = null,
        [Option(
            "moments-text",
            Description = "Ordinary text to measure them on: one document a line (.txt), or a question file"
        )]
            string? momentsText = null,
        [Option(
            "mom2-samples",
            Description = "Documents they come from: so many are drawn from the text; all of it when left out"
        )]
            int? mom2Samples = null,
        [Option("projector", Description = "Null-space projectors, file or folder; made there from the moments")]
            string? projector = null,
        [Option("contexts", Description = "Context prefixes, file or folder; written there by the model")]
            string? contexts = null,
        [Option(
            "locality",
            Description = "Texts that must not change, for WISE; data/generic-locality.jsonl when left out"
        )]
            string? locality = null,
        [Option("reference", Description = "A second model folder, for options that compare with one")]
            string? reference = null,
        [Option("max-new", Description = "Most new tokens of an answer")] int maxNew = 200,
        [Option("template", Description = "Name or file of a chat template; the checkpoint's own when left out")]
            string? template = null,
        [Option("seed", Description = "Of every draw")] long seed = 17,
        [Option("device", Description = "auto, cpu, cuda, cuda:<number>")] string device = DeviceNames.Auto,
        [Option(
            "dtype",
            Description = "Type the work is done in: auto, float32, bfloat16, float16; the files keep their own"
        )]
            string dtype = DeviceNames.Auto,
        [Option(
            "shard-size",
            Description = "Most bytes of a weight file, such as 5GB; the source's shards when left out"
        )]
            string? shardSize = null,
        [Option("overwrite", Description = "Replace a model or patch folder that is there")] bool overwrite = false,
        [Option('n', Description = "Say what would be done, with the memory and time it should take")]
            bool dryRun = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks().AtLeast("--seed", seed, 0).AtLeast("--mom2-samples", mom2Samples ?? 1, 1).Demand();
        var compute = Compute.Of(device, dtype);
        var edit = OwnModelEdit.Prepare(
            new ApplyRequest
            {
                Method = method,
                Model = model,
                Out = output,
                Forget = forget,
                Requests = requests,
                TokenRequests = tokenRequests,
                Retain = retain,
                HoldOut = holdOut,
                PatchOnly = patchOnly,
                Report = report,
                Preset = preset,
                ReadOptions = methodOptions is null ? null : () => Given(methodOptions),
                Family = family,
                Targets = targets ?? Study.Shipped(Refusals),
                Moments = moments,
                MomentsText = momentsText,
                Mom2Samples = mom2Samples,
                Projector = projector,
                Contexts = contexts,
                Locality = locality ?? Study.Shipped(Locality),
                Reference = reference,
                MaxNewTokens = maxNew,
                Seed = (ulong)seed,
                Compute = compute,
                ShardBytes = shardSize is null ? null : Sizes.Parse("--shard-size", shardSize),
                Overwrite = overwrite,
            }
        );
        if (dryRun)
        {
            Opening.TakeThreads();
            var plan = edit.Plan(TimeModel.Measure(compute));
            if (json)
                InspectCommands.PrintJson(ApplyView.Json(plan));
            else
                ApplyView.Write(Screen.Out, plan, compute);
            return ExitCodes.Done;
        }
        var result = Run(edit, model, compute, template);
        if (json)
            InspectCommands.PrintJson(result.ToJson());
        else
            ApplyView.Write(Screen.Out, result, report);
        return ExitCodes.Done;
    }

    private static GivenOptions Given(string path)
    {
        var file = OptionsFile.Read(path);
        return new GivenOptions(file.Values, (option, message, hint) => file.Problem(path, option, message, hint));
    }

    private ApplyReport Run(OwnModelEdit edit, string model, Compute compute, string? template)
    {
        using var phases = new Phases();
        var listener = new ApplyListener
        {
            Progress = phases.Report,
            Warn = w => Screen.Note("warning: " + w),
            Note = Screen.Note,
            Cancelled = stopping.Token,
        };
        if (edit.IsExact)
        {
            using var weights = Opening.Weights(model, compute, stopping.Token);
            return edit.Run(weights, listener);
        }
        using var checkpoint = Opening.Checkpoint(model, compute, template, false, stopping.Token);
        return edit.Run(checkpoint, listener);
    }

    // A counter for each part of the work; what a method tells of its last step changes with every step and begins
    // none.
    private sealed class Phases : IDisposable
    {
        private Counter? _counter;
        private string _phase = "";

        public void Report(string what, int done, int total)
        {
            var phase = what.Split(" (")[0];
            if (phase != _phase)
            {
                _counter?.Dispose();
                (_counter, _phase) = (new Counter(phase), phase);
            }
            _counter!.Report(done, total);
        }

        public void Dispose() => _counter?.Dispose();
    }
}
