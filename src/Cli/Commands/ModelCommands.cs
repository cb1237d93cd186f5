using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Inspection;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using Spectre.Console;
using static TorchSharp.torch;

namespace EditUnlearn.Cli.Commands;

/// <summary>Looks into a checkpoint: <c>model logits</c>, <c>generate</c>, <c>info</c>, <c>convert</c>.</summary>
internal sealed class ModelCommands(Stopping stopping)
{
    /// <summary>Logits of given token ids.</summary>
    [Command("logits", Description = "Write the logits of token ids, for comparison with another implementation")]
    public int Logits(
        [Option("model", Description = "A model folder")] string model,
        [Option("ids", Description = "A JSON array of arrays of token ids")] string ids,
        [Option("out", Description = "Safetensors file to write: logits.<i> [T, V], float32")] string output,
        [Option("hidden", Description = "Add hidden.<i>.<block> [T, D], hidden.<i>.embed and hidden.<i>.final_norm")]
            bool hidden = false,
        [Option("device", Description = "auto, cpu, cuda, cuda:<number>")] string device = DeviceNames.Auto,
        [Option("dtype", Description = "auto, float32, bfloat16, float16")] string dtype = DeviceNames.Auto
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks().File("--out", output).Demand();
        using var weights = Opening.Weights(model, Compute.Of(device, dtype), stopping.Token);
        var sequences = TokenFile.Read(ids, weights.Config.VocabSize);
        WarnBeyond(weights.Config, sequences.Max(s => s.Count));
        using (var counter = new Counter("logits"))
            LogitsFile.Write(
                output,
                weights,
                sequences,
                hidden,
                done => counter.Report(done, sequences.Count),
                stopping.Token
            );
        Console.Out.WriteLine($"{sequences.Count} sequences in {output}");
        return ExitCodes.Done;
    }

    /// <summary>Greedy continuation of ids or of a question.</summary>
    [Command(
        "generate",
        Description = "Continue greedily: exact ids with --ids, a question in the model's chat template with --prompt"
    )]
    public int Generate(
        [Option("model", Description = "A model folder")] string model,
        [Option(
            "ids",
            Description = "A JSON array of arrays of token ids; "
                + "exactly --max-new ids follow each unless --stop is given"
        )]
            string? ids = null,
        [Option("prompt", Description = "A question; the answer ends at a stop token")] string? prompt = null,
        [Option("out", Description = "JSON file for the new ids, one array a sequence")] string? output = null,
        [Option("max-new", Description = "Most new tokens")] int maxNew = 200,
        [Option("stop", Description = "With --ids: end at the model's stop tokens, which are left out")]
            bool stop = false,
        [Option(
            "template",
            Description = "With --prompt: name or file of a chat template; the checkpoint's own when left out"
        )]
            string? template = null,
        [Option("official-template", Description = "With --prompt: with the system text the model's authors put first")]
            bool official = false,
        [Option("device", Description = "auto, cpu, cuda, cuda:<number>")] string device = DeviceNames.Auto,
        [Option("dtype", Description = "auto, float32, bfloat16, float16")] string dtype = DeviceNames.Auto
    )
    {
        CommandOutcome.Reached = true;
        new OptionChecks()
            .That(
                (ids is null) != (prompt is null),
                "model generate",
                $"needs either --ids or --prompt",
                "--ids for exact token ids, --prompt for a question"
            )
            .That(ids is null || output is not null, "--out", $"is missing: --ids writes its result to a file")
            .AtLeast("--max-new", maxNew, 1)
            .File("--out", output)
            .Demand();
        return ids is not null
            ? Continue(model, ids, output!, maxNew, stop, Compute.Of(device, dtype))
            : Answer(model, prompt!, output, maxNew, template, official, Compute.Of(device, dtype));
    }

    private int Continue(string folder, string ids, string output, int maxNew, bool stop, Compute compute)
    {
        using var model = Opening.Weights(folder, compute, stopping.Token);
        var prompts = TokenFile.Read(ids, model.Config.VocabSize);
        WarnBeyond(model.Config, prompts.Max(p => p.Count) + maxNew);
        using var counter = new Counter("generate");
        var written = GreedyDecoder.Decode(
            model,
            prompts,
            new GreedyDecoder.Options { MaxNewTokens = maxNew, StopIds = stop ? null : [] },
            done => counter.Report(done, prompts.Count),
            stopping.Token
        );
        TokenFile.Write(output, written.Select(w => w.Ids));
        Console.Out.WriteLine($"{prompts.Count} sequences in {output}");
        return ExitCodes.Done;
    }

    private int Answer(
        string folder,
        string question,
        string? output,
        int maxNew,
        string? template,
        bool official,
        Compute compute
    )
    {
        using var checkpoint = Opening.Checkpoint(folder, compute, template, official, stopping.Token);
        var prompt = checkpoint.Prompt(question);
        WarnBeyond(checkpoint.Model.Config, prompt.Count + maxNew);
        var written = GreedyDecoder.Decode(
            checkpoint.Model,
            [prompt],
            new GreedyDecoder.Options { MaxNewTokens = maxNew, StopIds = checkpoint.StopIds },
            cancelled: stopping.Token
        )[0];
        if (output is not null)
            TokenFile.Write(output, [written.Ids]);
        Console.Out.WriteLine(checkpoint.Decode(written.Ids));
        if (written.Reason == StopReason.Limit)
            Screen.Note($"stopped at the limit of {maxNew} new tokens");
        return ExitCodes.Done;
    }

    /// <summary>What a model folder holds.</summary>
    [Command("info", Description = "What a model folder holds, without loading its weights")]
    public int Info(
        [Option("model", Description = "A model folder")] string model,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var facts = CheckpointFacts.Of(model);
        if (json)
        {
            InspectCommands.PrintJson(facts.ToJson());
            return ExitCodes.Done;
        }
        var table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("what").AddColumn("value");
        foreach (var (what, value) in facts.Lines(Format.Bytes))
            table.AddRow(new Text(what), new Text(value));
        Screen.Out.Write(table);
        return ExitCodes.Done;
    }

    /// <summary>A copy of a checkpoint in another type or cut into other shards.</summary>
    [Command(
        "convert",
        Description = "Copy a checkpoint to a new folder, in another type of weights or in other shards"
    )]
    public int Convert(
        [Option("model", Description = "A model folder")] string model,
        [Option("out", Description = "Folder to make")] string output,
        [Option("dtype", Description = "float32, bfloat16, float16; the source's own when left out")]
            string? dtype = null,
        [Option(
            "shard-size",
            Description = "Most bytes of a weight file, such as 5GB; the source's shards when left out"
        )]
            string? shardSize = null,
        [Option("adapter", Description = "An adapter of peft, or a patch of weights, to be merged into the copy")]
            string? adapter = null,
        [Option("overwrite", Description = "Replace a model folder that is there")] bool overwrite = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        using var change = adapter is null ? null : ModelPatch.Load(adapter);
        if (change?.Tap is not null)
            throw new InputException(adapter!, "is no change of weights: it cannot be merged");
        // Weights stay in their own type and lie over the source's files: a copy needs hardly any memory.
        var type = dtype is null ? (ScalarType?)null : Compute.Of(DeviceNames.Cpu, dtype).DType;
        long? shardBytes = shardSize is null ? null : Sizes.Parse("--shard-size", shardSize);
        using var source = WeightFolder.Load(
            model,
            Compute.OnCpu.Device,
            null,
            new LoadOptions
            {
                CheckFinite = false,
                MixedTypes = true,
                Warn = w => Screen.Note("warning: " + w),
                Cancelled = stopping.Token,
            }
        );
        using var merged = change?.ApplyTo(source, adapter!);
        ExportReport report;
        using (var counter = new Counter("converting", Format.Bytes))
            report = CheckpointExport.Write(
                model,
                source,
                output,
                new ExportOptions
                {
                    DType = type,
                    ShardBytes = shardBytes,
                    Overwrite = overwrite,
                    Progress = p => counter.Report(p.BytesDone, p.BytesTotal),
                    Cancelled = stopping.Token,
                }
            );
        foreach (var (file, why) in report.LeftOut)
            Screen.Note($"left out: {file}: {why}");
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["folder"] = report.Folder,
                    ["shards"] = new JsonArray([.. report.Shards.Select(s => (JsonNode)s)]),
                    ["bytes"] = report.Bytes,
                    ["carried"] = new JsonArray([.. report.Carried.Select(c => (JsonNode)c)]),
                }
            );
        else
            Console.Out.WriteLine(
                $"{Format.Bytes(report.Bytes)} in {report.Shards.Count} "
                    + $"file{(report.Shards.Count == 1 ? "" : "s")}, {report.Carried.Count} other files carried "
                    + $"along: {report.Folder}"
            );
        return ExitCodes.Done;
    }

    private static void WarnBeyond(ModelConfig config, int tokens)
    {
        if (tokens > config.MaxPositions)
            Screen.Note(
                $"warning: {tokens} tokens are more than the {config.MaxPositions} positions "
                    + "the checkpoint was made for"
            );
    }
}
