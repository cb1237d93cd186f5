using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics;
using EditUnlearn.Models.Kernels;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Speed;

/// <summary>
/// <c>-- speed [rounds] [names]</c>: every job in our kernels and over plain library calls in turn, CPU seconds of one
/// thread; the peer's seconds beside them, and the floor that the products alone would take at this machine's peak.
/// </summary>
internal static class SpeedVerb
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Prints the table.</summary>
    /// <param name="arguments">Rounds, 3 when left out, 0 for ours alone; then parts of names.</param>
    /// <returns>The exit code: 0.</returns>
    public static int Run(string[] arguments)
    {
        var rounds = arguments is [var text, ..] ? int.Parse(text, Invariant) : 3;
        var wide = Vector512.IsHardwareAccelerated;
        var peak = rounds == 0 ? double.NaN : Peak(ours: true);
        if (rounds > 0)
            Console.WriteLine(
                string.Create(
                    Invariant,
                    $"products of 2,048: {peak:0} GFLOP/s here, {Peak(ours: false):0} by the library as it is set up\n"
                )
            );
        Console.WriteLine("| job | ours s | library s | library / ours | peer s | peer / ours | must | floor s |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach (
            var job in Jobs.All()
                .Where(j =>
                    arguments.Length < 2 || arguments.Skip(1).Any(a => j.Name.Contains(a, StringComparison.Ordinal))
                )
        )
        {
            using var model = (job.Model ?? Jobs.Model)();
            using var library = model.OverLibrary();
            job.Run(model);
            if (rounds == 0) // for a profiler
            {
                var runs = Enumerable.Range(0, 5).Select(_ => Time(() => job.Run(model))).ToList();
                Console.WriteLine(string.Create(Invariant, $"{job.Name}: {Median(runs):0.000} s"));
                continue;
            }
            var times = Enumerable
                .Range(0, rounds)
                .Select(_ => (Library: Time(() => job.Run(library)), Ours: Time(() => job.Run(model))))
                .ToList();
            var (ours, plain) = (Median(times.Select(t => t.Ours)), Median(times.Select(t => t.Library)));
            var peer = wide ? job.Peer.Avx512 : job.Peer.Avx2;
            Console.WriteLine(
                string.Create(
                    Invariant,
                    $"| {job.Name}{Rate(job.Tokens, ours)} | {ours:0.000} | {plain:0.000} | {plain / ours:0.0} "
                        + $"| {peer:0.00} | {peer / ours:0.0} | {job.Must} | {job.Flops / peak / 1e9:0.000} |"
                )
            );
        }
        return 0;
    }

    private static string Rate(long? tokens, double seconds) =>
        tokens is { } count ? string.Create(Invariant, $" ({count / seconds:#,0} tokens/s)") : "";

    private static double Median(IEnumerable<double> times)
    {
        var sorted = times.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private static double Time(Action what)
    {
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        what();
        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds;
    }

    // GFLOP/s.
    private static double Peak(bool ours)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        const int Size = 2048;
        Tensor a = ones(Size, Size),
            b = ones(Size, Size),
            c = zeros(Size, Size);
        double Once() =>
            Time(() =>
            {
                if (ours)
                    MatrixProduct.Compute(
                        Size,
                        Size,
                        Size,
                        Memory.Rows(a, Size),
                        Memory.Rows(b, Size).Transposed,
                        Memory.Rows(c, Size)
                    );
                else
                    _ = matmul(a, b.t());
            });
        Once();
        return 2.0 * Size * Size * Size / 1e9 / Enumerable.Range(0, 5).Min(_ => Once());
    }
}
