using System.Diagnostics;
using EditUnlearn.Models.Kernels;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Measures on this machine, in a second and a half, whose products are faster.</summary>
public static class ProductProbe
{
    // Rows, columns, depth: a training batch of a miniature, a few rows, a map of a larger model.
    private static readonly (int Rows, int Outputs, int Width)[] Shapes =
    [
        (1024, 768, 128),
        (64, 768, 128),
        (256, 1536, 576),
    ];

    /// <summary>Rates in GFLOP/s, over all shapes.</summary>
    public static (double Own, double Library) Measure()
    {
        TorchRuntime.Initialise();
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var (flops, own, library) = (0.0, 0.0, 0.0);
        foreach (var (rows, outputs, width) in Shapes)
        {
            Tensor x = ones(rows, width),
                weight = ones(outputs, width);
            flops += 2.0 * rows * outputs * width;
            own += Fastest(() => Linear.OwnProduct(x, weight));
            library += Fastest(() => nn.functional.linear(x, weight));
        }
        return (flops / own / 1e9, flops / library / 1e9);
    }

    private static double Fastest(Func<Tensor> product)
    {
        // Long enough for the runtime to compile what it runs often.
        var best = double.MaxValue;
        for (var all = Stopwatch.StartNew(); all.ElapsedMilliseconds < 250;)
        {
            var clock = Stopwatch.StartNew();
            product().Dispose();
            best = Math.Min(best, clock.Elapsed.TotalSeconds);
        }
        return best;
    }
}
