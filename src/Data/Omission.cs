using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>
/// Leaves rows out of what a model is taught and changes nothing else: what remains keeps its place, and a row that is
/// kept stands where one was left out. For the oracle, the model that never saw what others have to forget.
/// </summary>
public static class Omission
{
    /// <summary>The ids that a list of splits says are to be forgotten.</summary>
    /// <param name="data">What the model would be taught.</param>
    /// <param name="splits">Which of it is forgotten.</param>
    /// <param name="file">Where the splits come from, for messages.</param>
    /// <exception cref="InputException">Nothing is to be forgotten, nothing would be left, or a question is not among
    /// the data.</exception>
    public static IReadOnlySet<string> Ids(IReadOnlyList<QaRow> data, IReadOnlyList<SplitRow> splits, string file)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(splits);
        var ids = splits.Where(s => s.Split == SplitNames.Forget).Select(s => s.Id).ToHashSet(StringComparer.Ordinal);
        if (ids.Count == 0)
            throw new InputException(file, "no question is to be forgotten", "the split 'forget' must have one");
        var known = data.Select(q => q.Id).ToHashSet(StringComparer.Ordinal);
        if (ids.Where(i => !known.Contains(i)).Order(StringComparer.Ordinal).FirstOrDefault() is { } stranger)
            throw new InputException(
                file,
                $"'{stranger}' shall be left out, but the model is not taught it here",
                "facts are left out of pretraining, what is taught afterwards is left out of finetuning: look at the "
                    + "'version' of the forget set"
            );
        return ids.Count < known.Count
            ? ids
            : throw new InputException(file, "every question would be left out", "at least one must stay");
    }

    /// <summary>
    /// As many rows as before: in the place of each that is left out stands one that is kept, no kept row twice more
    /// than another.
    /// </summary>
    /// <param name="data">All rows.</param>
    /// <param name="without">Ids of those to leave out; not of all.</param>
    /// <param name="stream">Draws what stands in their place.</param>
    public static IReadOnlyList<QaRow> Fill(IReadOnlyList<QaRow> data, IReadOnlySet<string> without, SplitMix64 stream)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(without);
        ArgumentNullException.ThrowIfNull(stream);
        var kept = data.Where(q => !without.Contains(q.Id)).ToList();
        if (kept.Count == 0)
            throw new ArgumentException("No row would be left.", nameof(without));
        stream.Shuffle(kept);
        var next = 0;
        return [.. data.Select(q => without.Contains(q.Id) ? kept[next++ % kept.Count] : q)];
    }
}
