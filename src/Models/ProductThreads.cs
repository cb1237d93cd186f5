using EditUnlearn.Models.Kernels;

namespace EditUnlearn.Models;

/// <summary>
/// Over how many threads one product may be spread: for whoever has the machine to himself. No bit of a result depends
/// on it, because no value of a product is computed in parts.
/// </summary>
/// <remarks>
/// Belongs to the thread that says so, and not to those that it starts: work that is spread already is not spread
/// again.
/// </remarks>
public static class ProductThreads
{
    /// <summary>More are not asked for: products were measured on two.</summary>
    public const int Useful = 4;

    // Multiply-adds of a thread's share: with fewer, handing it over costs more than it saves.
    private const long Least = 1 << 20;

    // Parts for each thread, so that one which comes late leaves less undone.
    private const int Pieces = 3;

    [ThreadStatic]
    private static Crew? _crew;

    /// <summary>Threads for products of the calling thread; at least 1.</summary>
    public static int Count => (_crew?.Helpers ?? 0) + 1;

    /// <summary>Sets their number until the result is disposed of, by the same thread.</summary>
    /// <param name="threads">1 or less for the calling thread alone.</param>
    public static IDisposable Use(int threads)
    {
        var before = _crew;
        _crew = threads > 1 ? new Crew(threads - 1) : null;
        return new Using(before, _crew);
    }

    /// <summary>Whether a product is worth spreading.</summary>
    /// <param name="size">Multiply-adds.</param>
    internal static bool Spreads(long size) => _crew is not null && size >= 2 * Least;

    /// <summary>Cuts a number into parts of whole units and works on them at the same time.</summary>
    /// <param name="all">The number.</param>
    /// <param name="unit">What is not cut.</param>
    /// <param name="part">Told where a part begins and how much it is.</param>
    internal static void Spread(long all, int unit, Action<long, long> part)
    {
        var units = (all + unit - 1) / unit;
        var parts = (int)Math.Min(units, (long)Count * Pieces);
        _crew!.Run(
            parts,
            i =>
            {
                long from = units * i / parts * unit,
                    to = Math.Min(all, units * (i + 1) / parts * unit);
                part(from, to - from);
            }
        );
    }

    private sealed class Using(Crew? before, Crew? own) : IDisposable
    {
        public void Dispose()
        {
            own?.Dispose();
            _crew = before;
        }
    }
}
