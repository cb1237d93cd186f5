using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Benchmarks;

/// <summary>Compares what the planner says a training run needs with what a process of its own was seen to hold: <c>-- memory</c>.</summary>
internal static class MemoryProbe
{
    private static readonly (int Width, int Mlp, int Layers, int Vocabulary, int Batch, int Tokens)[] Sizes = [(256, 1024, 6, 4096, 16, 96), (512, 1536, 8, 8192, 16, 128), (768, 2304, 10, 16384, 8, 160)];

    /// <summary>Runs all sizes, or one of them where called by itself.</summary>
    public static int Run(string[] arguments)
    {
        if (arguments is [var index, var trainable, var recompute]) return Child(int.Parse(index, CultureInfo.InvariantCulture), Enum.Parse<Trainable>(trainable), bool.Parse(recompute));
        Console.WriteLine("| D, F, L, V; B x T | moves | blocks | planned MiB | seen MiB | seen / planned | tokens/s |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        var worst = 0.0;
        for (var i = 0; i < Sizes.Length; i++)
            foreach (var moves in (Trainable[])[Trainable.Full, Trainable.Lora])
                foreach (var again in (bool[])[false, true])
                {
                    using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(MemoryProbe).Assembly.Location, "memory", $"{i}", $"{moves}", $"{again}"]) { RedirectStandardOutput = true })!;
                    var parts = process.StandardOutput.ReadToEnd().Trim().Split(' ').Select(p => double.Parse(p, CultureInfo.InvariantCulture)).ToArray();
                    process.WaitForExit();
                    var s = Sizes[i];
                    worst = Math.Max(worst, Math.Abs(parts[1] / parts[0] - 1));
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {s.Width}, {s.Mlp}, {s.Layers}, {s.Vocabulary}; {s.Batch} x {s.Tokens} | {moves} | {(again ? "recomputed" : "kept")} | {parts[0]:0} | {parts[1]:0} | {parts[1] / parts[0]:0.00} | {parts[2]:0} |"));
                }
        return worst <= 0.15 ? 0 : 1;
    }

    private static int Child(int index, Trainable moves, bool recompute)
    {
        var s = Sizes[index];
        var config = new ModelConfig { Family = "llama2", VocabSize = s.Vocabulary, HiddenSize = s.Width, IntermediateSize = s.Mlp, Layers = s.Layers, Heads = s.Width / 64, KvHeads = s.Width / 64, HeadDim = 64, MaxPositions = 512 };
        var draw = new Seed(2).Stream("rows");
        TokenRow[] Rows(int count) => [.. Enumerable.Range(0, count).Select(_ => new TokenRow([1, .. Enumerable.Range(0, s.Tokens - 1).Select(_ => 3 + draw.Below(s.Vocabulary - 3))], s.Tokens - 12))];
        var inputs = new MethodInputs { Forget = Rows(2 * s.Batch), Retain = Rows(2 * s.Batch) };
        var method = new GradientDifference(new GradientDifference.Options { Trainable = moves, GradientCheckpointing = recompute, BatchSize = s.Batch, Steps = 3 });
        using var model = CausalLm.Random(config, new Seed(1));
        // What making the model took must not count: give it back, then start the peak anew.
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        File.WriteAllText("/proc/self/clear_refs", "5");
        var clock = Stopwatch.StartNew();
        method.Edit(model, inputs, new Seed(3)).Dispose();
        var seconds = clock.Elapsed.TotalSeconds;
        var peak = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        var seen = long.Parse(peak.AsSpan(6).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) / 1024.0;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{method.MemoryFor(config, inputs).Total / (double)(1 << 20):0.0} {seen:0.0} {3 * 2 * s.Batch * s.Tokens / seconds:0}"));
        return 0;
    }
}
