using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Checkpoints;

/// <summary>Measurements on checkpoints of real shape, too long for a benchmark that repeats.</summary>
/// <remarks>
/// <c>make-checkpoint --shape llama2-7b --out DIR [--layers n] [--seed n] [--shard-gb x] [--tokenizer FILE]</c>
/// (<c>llama2-7b-stand-in</c>: as deep, a hair wide), <c>make-rephrasings --data FILE[,FILE..] --set facts|contracts
/// --out FILE</c> (other words by rule for a rehearsal, whose models cannot rephrase), <c>load --checkpoint DIR
/// [--times n]</c> (throughput and peak memory of each way to load), <c>real-shape --checkpoint DIR --out DIR [--layer
/// n] [--steps n] [--new n] [--dtype bfloat16]</c> (load, answer, one ROME edit, export, compare).
/// </remarks>
internal static class CheckpointVerbs
{
    public static bool Run(string[] args)
    {
        if (args.Length == 0 || args[0] is not ("make-checkpoint" or "make-rephrasings" or "load" or "real-shape"))
            return false;
        var options = args.Skip(1)
            .Chunk(2)
            .ToDictionary(
                p => p[0],
                p => p.Length == 2 ? p[1] : throw new ArgumentException($"{p[0]} needs a value."),
                StringComparer.Ordinal
            );
        string Text(string name, string? fallback = null) =>
            options.GetValueOrDefault("--" + name) ?? fallback ?? throw new ArgumentException($"--{name} is needed.");
        double Number(string name, double fallback) =>
            double.Parse(Text(name, fallback.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        switch (args[0])
        {
            case "make-checkpoint":
                var config = Shapes.Get(Text("shape"));
                config = config with { Layers = (int)Number("layers", config.Layers) };
                if (Text("tokenizer", "") is { Length: > 0 } tokenizer)
                {
                    Directory.CreateDirectory(Text("out"));
                    File.Copy(tokenizer, Path.Combine(Text("out"), Path.GetFileName(tokenizer)), overwrite: true);
                }
                Timed(
                    "made",
                    () =>
                        RandomCheckpoint.Write(
                            Text("out"),
                            config,
                            new Seed((ulong)Number("seed", 1)),
                            (long)(Number("shard-gb", 5) * 1e9)
                        )
                );
                break;
            case "make-rephrasings":
                MakeRephrasings(QaFile.ReadAll(Text("data").Split(','), Text("set")), Text("out"));
                break;
            case "load":
                Load(Text("checkpoint"), (int)Number("times", 5));
                break;
            default:
                RealShape(
                    Text("checkpoint"),
                    Text("out"),
                    (int)Number("layer", 5),
                    (int)Number("steps", 4),
                    (int)Number("new", 4),
                    TensorTypes.FromConfig(Text("dtype", "bfloat16"))!.Value
                );
                break;
        }
        return true;
    }

    private static void MakeRephrasings(IEnumerable<QaRow> rows, string path) =>
        File.WriteAllLines(
            path,
            rows.Select(q =>
                new JsonObject
                {
                    ["id"] = q.Id,
                    ["rephrasings"] = new JsonArray(
                        $"For this rehearsal, please answer: {q.Question}",
                        $"And {q.Question}"
                    ),
                }.ToJsonString()
            )
        );

    private static void Load(string folder, int times)
    {
        (string Name, ScalarType? Type, LoadOptions Options)[] ways =
        [
            ("mapped, values checked", null, new()),
            ("mapped, unchecked", null, new() { CheckFinite = false }),
            ("copied, values checked", null, new() { Mapped = false }),
            ("converted to float32, values checked", ScalarType.Float32, new()),
        ];
        foreach (var (name, type, options) in ways)
        {
            var seconds = new List<double>();
            var busy = new List<double>();
            var ratio = 0.0;
            long read = 0;
            for (var i = 0; i <= times; i++) // the first warms the file cache
            {
                var before = ProcessMemory.Now().Resident;
                ProcessMemory.ResetPeak();
                var (clock, processor) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
                using var model = WeightFolder.Load(
                    folder,
                    CPU,
                    type,
                    options with
                    {
                        Progress = p => read = p.BytesTotal,
                    }
                );
                if (i > 0)
                    seconds.Add(clock.Elapsed.TotalSeconds);
                if (i > 0)
                    busy.Add((Environment.CpuUsage.TotalTime - processor).TotalSeconds);
                ratio = Math.Max(
                    ratio,
                    (double)(ProcessMemory.Now().Peak - before)
                        / model.Weights.Values.Sum(w => w.numel() * w.element_size())
                );
            }
            seconds.Sort();
            busy.Sort();
            Say(
                $"{name}: {read / 1e9 / seconds[seconds.Count / 2]:0.00} GB/s (best {read / 1e9 / seconds[0]:0.00}; "
                    + $"{read / 1e9 / busy[busy.Count / 2]:0.00} GB a second of processor time) of "
                    + $"{read / 1e9:0.00} GB, peak memory {ratio:0.000} of the tensors kept"
            );
        }
    }

    private static void RealShape(string folder, string place, int layer, int steps, int newTokens, ScalarType type)
    {
        CausalLm? model = null;
        Timed("loaded", () => model = WeightFolder.Load(folder, CPU, type, new LoadOptions { Warn = w => Say(w) }));
        var draw = new Seed(7).Stream("ids");
        IReadOnlyList<int> Ids(int count) =>
            [.. Enumerable.Range(0, count).Select(_ => 3 + draw.Below(model!.Config.VocabSize - 3))];
        IReadOnlyList<int> prompt = [model!.Config.BosId, .. Ids(24)];
        IReadOnlyList<int> Answer(int count) =>
            GreedyDecoder
                .Decode(model, [prompt], new GreedyDecoder.Options { MaxNewTokens = count, StopIds = [] })[0]
                .Ids;
        Timed("answered one prompt of 25 tokens with 1 token", () => Answer(1));
        IReadOnlyList<int> said = [];
        Timed($"answered it with {newTokens} tokens", () => said = Answer(newTokens));

        var request = new EditRequest("random", prompt, 12, Ids(6), [model.Config.BosId, .. Ids(6)], 4);
        var method = new Rome(
            new Rome.Options
            {
                Layers = [layer],
                Contexts = 0,
                Value = new ValueOptions { Steps = steps },
            }
        );
        using var inputs = NewDisposeScope();
        Models.Patches.ModelPatch? patch = null;
        Timed(
            $"one ROME edit of block {layer}, {steps} evaluations",
            () =>
                patch = method.Edit(
                    model,
                    new MethodInputs { Edits = [request], Progress = p => Say(p.What) },
                    new Seed(1)
                )
        );
        using (patch!.ApplyTo(model))
        {
            Timed(
                "answered the edited prompt",
                () =>
                    Say(
                        $"before [{string.Join(' ', said)}], now [{string.Join(' ', Answer(newTokens))}], "
                            + $"target [{string.Join(' ', request.TargetIds)}]"
                    )
            );
            Timed("exported", () => CheckpointExport.Write(folder, model, place));
            Timed("compared", () => Compare(model, place, folder, layer));
        }
        model.Dispose();
    }

    // The export holds the model as it is in memory, and differs from the source in one tensor.
    private static void Compare(CausalLm model, string place, string folder, int layer)
    {
        using var written = WeightFolder.Load(place, CPU, model.DType, new LoadOptions { CheckFinite = false });
        using var source = WeightFolder.Load(folder, CPU, model.DType, new LoadOptions { CheckFinite = false });
        var changed = new List<string>();
        foreach (var (name, weight) in model.Weights)
        {
            if (!weight.bytes.SequenceEqual(written.Weight(name).bytes))
                throw new InvalidOperationException($"{name} was not written as it is.");
            if (!weight.bytes.SequenceEqual(source.Weight(name).bytes))
                changed.Add(name);
        }
        Say($"every tensor was written as it is in memory; changed against the source: {string.Join(", ", changed)}");
        if (!changed.SequenceEqual([CausalLm.DownProjName(layer)]))
            throw new InvalidOperationException("One tensor should have changed.");
    }

    private static void Timed(string what, Action action)
    {
        var (clock, processor) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        action();
        Say(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{what}: {clock.Elapsed.TotalSeconds:0.00} s "
                    + $"({(Environment.CpuUsage.TotalTime - processor).TotalSeconds:0.00} s of processor time); "
                    + $"{ProcessMemory.Now()}"
            )
        );
    }

    private static void Say(FormattableString what) => Console.WriteLine(FormattableString.Invariant(what));

    private static void Say(string what) => Console.WriteLine(what);
}
