using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Reports.Figures;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Speed;

/// <summary>
/// <c>-- growth [folder [methods]]</c>: how the cost of one edit changes with their number, and that of one token with
/// the length of rows and the size of the model, in CPU seconds: other work on the machine does not count. A flat line
/// is linear growth.
/// </summary>
internal static class GrowthVerb
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;
    private static readonly int[] Counts = [5, 20, 80, 200, 400],
        Lengths = [64, 128, 256, 512];

    /// <summary>Prints two tables and writes <c>growth.svg</c> and <c>growth.png</c>.</summary>
    /// <param name="arguments">The folder, the current one when left out; then names of methods, all when left
    /// out.</param>
    /// <returns>The exit code: 0.</returns>
    public static int Run(string[] arguments)
    {
        var folder = arguments is [var named, ..] ? named : ".";
        using var model = Jobs.Model();
        var edits = new List<Series>();
        Console.WriteLine($"| seconds for edits | {string.Join(" | ", Counts)} |");
        foreach (var method in Jobs.Growing.Where(m => arguments.Length < 2 || arguments.Contains(m)))
        {
            Jobs.Edit(model, method, 2);
            var times = Counts.Select(n => Time(() => Jobs.Edit(model, method, n))).ToList();
            Tell(method, times);
            edits.Add(PerUnit(method, Counts, times, Array.IndexOf(Counts, 20)));
        }
        Console.WriteLine($"\n| seconds for 4,096 tokens in rows of | {string.Join(" | ", Lengths)} |");
        var passes = new List<Series>();
        foreach (
            var (name, width, inner, words, blocks) in new[]
            {
                ("5 M", 256, 704, 4096, 4),
                ("30 M", 512, 1408, 4096, 8),
                ("163 M", 576, 1536, 49152, 30), // 135 M with its output map apart, as these models have it
            }
        )
        {
            using var sized = Jobs.Model(width, inner, words, blocks);
            Step(sized, Lengths[0]); // not measured: memory is new
            var times = Lengths.Select(n => Time(() => Step(sized, n))).ToList();
            Tell(name, times);
            passes.Add(PerUnit(name, [.. Lengths.Select(_ => 1)], times, Array.IndexOf(Lengths, 64)));
        }
        var figure = new Figure(
            "growth",
            "Cost of one edit, and of one token forwards and backwards",
            "Relative to 20 edits and to rows of 64 tokens; flat is linear growth.",
            [
                Panel("edits", "cost of one edit", Counts, edits),
                Panel("tokens of a row", "cost of one token", Lengths, passes),
            ]
        );
        File.WriteAllText(Path.Combine(folder, "growth.svg"), FigureRenderer.Svg(figure));
        File.WriteAllBytes(Path.Combine(folder, "growth.png"), FigureRenderer.Png(figure));
        return 0;
    }

    private static Panel Panel(string x, string y, int[] categories, IReadOnlyList<Series> series) =>
        new(
            PanelKind.Lines,
            y,
            x,
            [.. categories.Select(c => c.ToString(Invariant))],
            0,
            Math.Ceiling(series.SelectMany(s => s.Values).Max(v => v!.Value)),
            series,
            []
        );

    private static Series PerUnit(string name, int[] units, List<double> times, int at) =>
        new(name, [.. times.Select((t, i) => new PlottedValue(t / units[i] / (times[at] / units[at])))]);

    private static void Tell(string name, IEnumerable<double> times) =>
        Console.WriteLine($"| {name} | {string.Join(" | ", times.Select(t => t.ToString("0.00", Invariant)))} |");

    // A loss over 4,096 tokens and its gradients.
    private static void Step(CausalLm model, int length)
    {
        using var scope = NewDisposeScope();
        using var trained = TrainableModel.Of(
            model,
            new TrainableModel.Options { Trainable = Trainable.Full },
            new EditUnlearn.Foundation.Seed(1)
        );
        using var batch = RowBatch.Of(Jobs.Rows(4096 / length, length));
        trained.Backward(trained.Nll(batch).mean());
    }

    private static double Time(Action what)
    {
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        what();
        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds;
    }
}
