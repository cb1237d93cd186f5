using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>
/// Cuts a data set into what is forgotten and what is kept: disjoint, and together everything (docs/data.md, "Splits").
/// </summary>
public static class Splits
{
    /// <summary>
    /// Rows <paramref name="first"/> .. <paramref name="first"/> + <paramref name="size"/> - 1 are forgotten; from 0
    /// on, larger sets hold the smaller ones.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Nothing would be forgotten, nothing kept, or rows are asked for
    /// that do not exist.</exception>
    public static IReadOnlyList<SplitRow> Range(IReadOnlyList<QaRow> rows, int first, int size)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(size, rows.Count);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + size, rows.Count);
        return
        [
            .. rows.Select(
                (r, i) =>
                    new SplitRow
                    {
                        Id = r.Id,
                        Split = i >= first && i < first + size ? SplitNames.Forget : SplitNames.Retain,
                    }
            ),
        ];
    }

    /// <summary>
    /// So many questions drawn at random: shuffled by the stream <c>order</c>, the first ones taken, so that larger
    /// sets hold the smaller ones.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Nothing would be forgotten, or nothing kept.</exception>
    public static IReadOnlyList<SplitRow> Random(IReadOnlyList<QaRow> rows, int size, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(size, rows.Count);
        var order = Enumerable.Range(0, rows.Count).ToList();
        seed.Stream("order").Shuffle(order);
        return Chosen(rows, order.Take(size).Select(i => rows[i].Id));
    }

    /// <summary>All questions of some groups: contracts, or categories.</summary>
    /// <exception cref="InputException">A group does not exist, or nothing would be kept.</exception>
    public static IReadOnlyList<SplitRow> Groups(IReadOnlyList<QaRow> rows, IReadOnlyList<string> groups)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(groups);
        var known = rows.Select(r => r.Group).Distinct().ToList();
        var problems = groups
            .Where(g => !known.Contains(g))
            .Select(g => new InputProblem(
                "groups",
                0,
                0,
                $"the data have no group '{g}'",
                Spelling.Nearest(g, known) is { } near
                    ? $"did you mean '{near}'?"
                    : "known: " + string.Join(", ", known.Take(12))
            ))
            .ToList();
        if (problems.Count > 0)
            throw new InputException(problems);
        return Checked("groups", Chosen(rows, rows.Where(r => groups.Contains(r.Group)).Select(r => r.Id)));
    }

    /// <summary>The questions whose ids are listed.</summary>
    /// <param name="rows">The data.</param>
    /// <param name="ids">To be forgotten.</param>
    /// <param name="file">Where they are listed, for messages.</param>
    /// <exception cref="InputException">An id is unknown or stands twice, or nothing would be forgotten or
    /// kept.</exception>
    public static IReadOnlyList<SplitRow> Listed(IReadOnlyList<QaRow> rows, IReadOnlyList<string> ids, string file)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(ids);
        var known = rows.Select(r => r.Id).ToHashSet(StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var problems = ids.Index()
            .Where(i => !known.Contains(i.Item) || !seen.Add(i.Item))
            .Select(i => new InputProblem(
                file,
                i.Index + 1,
                0,
                known.Contains(i.Item) ? $"'{i.Item}' stands twice" : $"'{i.Item}' is not an id of the data",
                known.Contains(i.Item) ? null
                    : Spelling.Nearest(i.Item, known) is { } near ? $"did you mean '{near}'?"
                    : null
            ))
            .ToList();
        if (problems.Count > 0)
            throw new InputException(problems);
        return Checked(file, Chosen(rows, ids));
    }

    /// <summary>The questions of one split, in the order of the data.</summary>
    public static IReadOnlyList<QaRow> Of(IReadOnlyList<QaRow> rows, IEnumerable<SplitRow> splits, string name)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var ids = splits.Where(s => s.Split == name).Select(s => s.Id).ToHashSet(StringComparer.Ordinal);
        return [.. rows.Where(r => ids.Contains(r.Id))];
    }

    private static List<SplitRow> Chosen(IReadOnlyList<QaRow> rows, IEnumerable<string> forget)
    {
        var ids = forget.ToHashSet(StringComparer.Ordinal);
        return
        [
            .. rows.Select(r => new SplitRow
            {
                Id = r.Id,
                Split = ids.Contains(r.Id) ? SplitNames.Forget : SplitNames.Retain,
            }),
        ];
    }

    private static List<SplitRow> Checked(string file, List<SplitRow> splits)
    {
        if (splits.All(s => s.Split == SplitNames.Retain))
            throw new InputException(file, "nothing would be forgotten");
        return splits.All(s => s.Split == SplitNames.Forget)
            ? throw new InputException(file, "nothing would be kept", "at least one question must stay")
            : splits;
    }
}
