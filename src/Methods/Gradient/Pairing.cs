using EditUnlearn.Foundation;

namespace EditUnlearn.Methods.Gradient;

/// <summary>Which forget, retain and refusal row meet in each place of a run, drawn once before it starts.</summary>
/// <remarks>
/// An epoch visits every forget row once in random order; each visit draws a fresh retain row and a fresh refusal,
/// uniformly and with replacement. Three independent streams, so a method that uses no retain row sees the forget rows
/// in the same order as one that does. Epochs follow one another without a gap: where the batch size does not divide
/// the forget set, a batch may hold the end of one epoch and the start of the next, and every update sees a full batch.
/// </remarks>
internal static class Pairing
{
    /// <summary>The first <paramref name="count"/> places of the run.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="forgetCount">Rows of the forget set.</param>
    /// <param name="retainCount">Rows of the retain set; 0 where the method has none, then
    /// <see cref="PairedRow.Retain"/> is -1.</param>
    /// <param name="refusalCounts">Refusals to choose from for each forget row; empty where the method has
    /// none.</param>
    /// <param name="count">Number of places.</param>
    public static IReadOnlyList<PairedRow> Draw(
        Seed seed,
        int forgetCount,
        int retainCount,
        IReadOnlyList<int> refusalCounts,
        int count
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(forgetCount);
        ArgumentOutOfRangeException.ThrowIfNegative(retainCount);
        ArgumentNullException.ThrowIfNull(refusalCounts);
        if (refusalCounts.Count > 0 && refusalCounts.Count != forgetCount)
            throw new ArgumentException(
                $"{refusalCounts.Count} refusal lists for {forgetCount} forget rows.",
                nameof(refusalCounts)
            );

        var order = seed.Stream("order");
        var retain = seed.Stream("retain");
        var refusal = seed.Stream("refusal");
        var epoch = Enumerable.Range(0, forgetCount).ToArray();
        var rows = new PairedRow[count];
        for (var i = 0; i < count; i++)
        {
            if (i % forgetCount == 0)
            {
                // From the identity, so that only the stream carries over from one epoch to the next.
                for (var j = 0; j < forgetCount; j++)
                    epoch[j] = j;
                order.Shuffle(epoch);
            }
            var forget = epoch[i % forgetCount];
            rows[i] = new PairedRow(
                forget,
                retainCount > 0 ? retain.Below(retainCount) : -1,
                refusalCounts.Count > 0 ? refusal.Below(refusalCounts[forget]) : -1
            );
        }
        return rows;
    }
}

/// <summary>Indices of the rows that meet in one place of a run.</summary>
/// <param name="Forget">Into the forget set.</param>
/// <param name="Retain">Into the retain set, or -1.</param>
/// <param name="Refusal">Into the refusals of that forget row, or -1.</param>
public readonly record struct PairedRow(int Forget, int Retain, int Refusal);
