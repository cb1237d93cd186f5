using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Models.Kernels;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Speed;

/// <summary>
/// <c>-- products</c>: the rate of products with packed weights that do not stay in the cache, as the blocks of a real
/// model do not from one pass to the next, by the number of rows; beside it the library's, and ours of one matrix that
/// stays there.
/// </summary>
internal static class ProductsVerb
{
    private const int Inner = 576,
        Outputs = 1536,
        Matrices = 90; // 318 MB
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Prints a table in GFLOP/s of one thread.</summary>
    /// <returns>The exit code: 0.</returns>
    public static int Run()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        set_num_threads(1);
        var weights = Enumerable.Range(0, Matrices).Select(_ => randn(Outputs, Inner)).ToList();
        var packed = weights.Select(w => Linear.Pack(w, back: false)).ToList();
        Console.WriteLine("| rows | ours, all weights | ours, one weight | library, all weights |");
        Console.WriteLine("|---:|---:|---:|---:|");
        foreach (var rows in (int[])[1, 6, 12, 24, 36, 64, 108, 216, 432])
        {
            var x = randn(rows, Inner);
            var all = new List<double>();
            var one = new List<double>();
            var library = new List<double>();
            for (var round = 0; round < 5; round++)
            {
                all.Add(Rate(rows, i => Linear.OwnProduct(x, weights[i], packed[i])));
                one.Add(Rate(rows, _ => Linear.OwnProduct(x, weights[0], packed[0])));
                library.Add(Rate(rows, i => nn.functional.linear(x, weights[i])));
            }
            Console.WriteLine(
                string.Create(Invariant, $"| {rows} | {all.Max():0} | {one.Max():0} | {library.Max():0} |")
            );
        }
        foreach (var matrix in packed)
            matrix.Dispose();
        return 0;
    }

    private static double Rate(int rows, Func<int, Tensor> product)
    {
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < Matrices; i++)
            product(i).Dispose();
        return 2.0 * rows * Inner * Outputs * Matrices / clock.Elapsed.TotalSeconds / 1e9;
    }
}
