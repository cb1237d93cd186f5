using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>
/// Whether paired differences could be chance: under the null hypothesis each may as well have the other sign.
/// </summary>
internal static class SignFlip
{
    /// <summary>Permutations drawn where not all can be tried.</summary>
    public const int Draws = 10_000;

    /// <summary>
    /// Two-sided p of the mean difference: exact where there are no more sign patterns than draws, else (1 + hits) / (1
    /// + draws).
    /// </summary>
    /// <param name="differences">One a pair.</param>
    /// <param name="stream">Of the draws.</param>
    /// <param name="draws">How many permutations.</param>
    public static double? P(IReadOnlyList<double> differences, SplitMix64 stream, int draws = Draws)
    {
        ArgumentNullException.ThrowIfNull(differences);
        ArgumentNullException.ThrowIfNull(stream);
        if (differences.Count == 0)
            return null;
        // A zero has no sign to flip; ratings are whole numbers, so sums of the others are exact.
        var moving = differences.Where(d => d != 0).ToArray();
        var seen = Math.Abs(moving.Sum());
        if (moving.Length < 31 && 1 << moving.Length <= draws)
        {
            var patterns = 1 << moving.Length;
            return Enumerable
                    .Range(0, patterns)
                    .Count(p => Math.Abs(moving.Select((d, i) => (p >> i & 1) == 0 ? d : -d).Sum()) >= seen)
                / (double)patterns;
        }
        var hits = 0;
        for (var k = 0; k < draws; k++)
        {
            double sum = 0;
            ulong bits = 0;
            for (var i = 0; i < moving.Length; i++)
            {
                if (i % 64 == 0)
                    bits = stream.Next();
                sum += (bits & 1) == 0 ? moving[i] : -moving[i];
                bits >>= 1;
            }
            if (Math.Abs(sum) >= seen)
                hits++;
        }
        return (1.0 + hits) / (1 + draws);
    }

    /// <summary>
    /// Holm's correction: the smallest p times their number, the next times one less, never falling, at most 1.
    /// </summary>
    /// <remarks>Source: Holm (1979), "A simple sequentially rejective multiple test procedure".</remarks>
    public static IReadOnlyList<double?> Holm(IReadOnlyList<double?> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var order = values.Index().Where(v => v.Item is not null).OrderBy(v => v.Item).ThenBy(v => v.Index).ToList();
        var corrected = new double?[values.Count];
        double least = 0;
        foreach (var (rank, (index, p)) in order.Index())
            corrected[index] = least = Math.Max(least, Math.Min(1, (order.Count - rank) * p!.Value));
        return corrected;
    }
}
