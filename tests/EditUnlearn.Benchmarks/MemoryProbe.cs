using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// Compares what the planner says a training run needs with what a process of its own was seen to hold: <c>--
/// memory</c>, or one size with <c>-- memory 0</c>.
/// </summary>
/// <remarks>
/// The processes have the environment of the pool's workers, because the allocator's settings are part of what is
/// measured. Exit code 1 where a case is further off than 15 %.
/// </remarks>
internal static class MemoryProbe
{
    private const double Allowed = 0.15;
    private const int Steps = 3,
        Answer = 12;

    // Tokens of all rows are few against the width, so that a case takes seconds and tensors still outweigh the
    // runtime.
    private static readonly (int Width, int Mlp, int Layers, int Vocabulary, int Batch, int Tokens)[] Sizes =
    [
        (256, 1024, 6, 4096, 16, 96),
        (512, 1536, 8, 8192, 16, 64),
        (768, 2304, 10, 16384, 8, 64),
    ];

    private static readonly (string Method, Trainable Moves, bool Recompute)[] Cases =
    [
        ("ga", Trainable.Full, false),
        ("gd", Trainable.Full, false),
        ("gd", Trainable.Full, true),
        ("kl", Trainable.Full, false),
        ("idk", Trainable.Full, false),
        ("gd", Trainable.Lora, false),
        ("gd", Trainable.Lora, true),
        ("kl", Trainable.Lora, true),
    ];

    /// <summary>Runs all sizes, or one of them, or one case where called by itself.</summary>
    public static int Run(string[] arguments)
    {
        if (arguments is [var index, var method, var trainable, var recompute])
            return Child(
                int.Parse(index, CultureInfo.InvariantCulture),
                method,
                Enum.Parse<Trainable>(trainable),
                bool.Parse(recompute)
            );
        IEnumerable<int> sizes = arguments is [var only]
            ? [int.Parse(only, CultureInfo.InvariantCulture)]
            : Enumerable.Range(0, Sizes.Length);
        Console.WriteLine(
            "| D, F, L, V; B x T | method | moves | blocks | planned MiB | seen MiB | seen / planned | tokens/s |"
        );
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        var worst = 0.0;
        foreach (var i in sizes)
            foreach (var (name, moves, again) in Cases)
            {
                var start = new ProcessStartInfo(
                    "dotnet",
                    [typeof(MemoryProbe).Assembly.Location, "memory", $"{i}", name, $"{moves}", $"{again}"]
                )
                {
                    RedirectStandardOutput = true,
                };
                WorkerPool.Prepare(start, 1);
                using var process = Process.Start(start)!;
                var output = process.StandardOutput.ReadToEnd().Trim();
                process.WaitForExit();
                if (process.ExitCode != 0)
                    return process.ExitCode;
                var parts = output.Split(' ').Select(p => double.Parse(p, CultureInfo.InvariantCulture)).ToArray();
                var s = Sizes[i];
                worst = Math.Max(worst, Math.Abs(parts[1] / parts[0] - 1));
                var shape = $"{s.Width}, {s.Mlp}, {s.Layers}, {s.Vocabulary}; {s.Batch} x {s.Tokens}";
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {shape} | {name} | {moves} | "
                            + $"{(again ? "recomputed" : "kept")} | {parts[0]:0} | {parts[1]:0} | "
                            + $"{parts[1] / parts[0]:0.00} | {parts[2]:0} |"
                    )
                );
            }
        return worst <= Allowed ? 0 : 1;
    }

    private static int Child(int index, string name, Trainable moves, bool recompute)
    {
        var s = Sizes[index];
        var config = new ModelConfig
        {
            Family = "llama2",
            VocabSize = s.Vocabulary,
            HiddenSize = s.Width,
            IntermediateSize = s.Mlp,
            Layers = s.Layers,
            Heads = s.Width / 64,
            KvHeads = s.Width / 64,
            HeadDim = 64,
            MaxPositions = 512,
        };
        var draw = new Seed(2).Stream("rows");
        TokenRow[] Rows(int count) =>
            [
                .. Enumerable
                    .Range(0, count)
                    .Select(_ => new TokenRow(
                        [1, .. Enumerable.Range(0, s.Tokens - 1).Select(_ => 3 + draw.Below(s.Vocabulary - 3))],
                        s.Tokens - Answer
                    )),
            ];
        var inputs = new MethodInputs
        {
            Forget = Rows(2 * s.Batch),
            Retain = Rows(2 * s.Batch),
            Refusals = [.. Rows(2 * s.Batch).Select(r => (IReadOnlyList<TokenRow>)[r])],
        };
        var method = Method(name, s.Batch, moves, recompute);
        using var model = CausalLm.Random(config, new Seed(1));
        // What making the model took must not count: give it back, then start the peak anew.
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        File.WriteAllText("/proc/self/clear_refs", "5");
        var clock = Stopwatch.StartNew();
        var tokens = 0L;
        method.Edit(model, inputs with { Trained = r => tokens = r.Curve.Sum(p => p.Tokens) }, new Seed(3)).Dispose();
        var seconds = clock.Elapsed.TotalSeconds;
        var peak = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        var seen = long.Parse(peak.AsSpan(6).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) / 1024.0;
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{method.MemoryFor(config, inputs).Total / (double)(1 << 20):0.0} {seen:0.0} {tokens / seconds:0}"
            )
        );
        return 0;
    }

    private static GradientMethod Method(string name, int batch, Trainable moves, bool recompute)
    {
        TrainingOptions options = name switch
        {
            "ga" => new GradientAscent.Options(),
            "gd" => new GradientDifference.Options(),
            "kl" => new KlMinimisation.Options(),
            _ => new RefusalTraining.Options(),
        };
        options = options with
        {
            Trainable = moves,
            GradientCheckpointing = recompute,
            BatchSize = batch,
            Steps = Steps,
        };
        return options switch
        {
            GradientAscent.Options o => new GradientAscent(o),
            GradientDifference.Options o => new GradientDifference(o),
            KlMinimisation.Options o => new KlMinimisation(o),
            var o => new RefusalTraining((RefusalTraining.Options)o),
        };
    }
}
