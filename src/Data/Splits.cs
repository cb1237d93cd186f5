using System.Globalization;
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

    /// <summary>
    /// So many questions drawn at random, of every group its share: each group is shuffled by its stream and laid out
    /// evenly along the order of all, of which a stretch is taken. Larger sets hold the smaller ones.
    /// </summary>
    /// <param name="rows">The data.</param>
    /// <param name="first">Of that order, 0-based.</param>
    /// <param name="size">Questions to forget.</param>
    /// <param name="seed">Streams <c>spread/GROUP</c>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Nothing would be forgotten, nothing kept, or rows are asked for
    /// that do not exist.</exception>
    public static IReadOnlyList<SplitRow> Spread(IReadOnlyList<QaRow> rows, int first, int size, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(size, rows.Count);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + size, rows.Count);
        var order = rows.GroupBy(r => r.Group, StringComparer.Ordinal)
            .OrderBy(g => g.Key, StringComparer.Ordinal)
            .SelectMany(group =>
            {
                List<QaRow> shuffled = [.. group];
                seed.Stream("spread/" + group.Key).Shuffle(shuffled);
                return shuffled.Select((r, i) => (Row: r, At: (i + 0.5) / shuffled.Count));
            })
            .OrderBy(r => r.At)
            .Select(r => r.Row.Id);
        return Chosen(rows, order.Skip(first).Take(size));
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

    /// <summary>
    /// The kept questions that methods may train on: those set apart for it, or all where nothing was set apart.
    /// </summary>
    public static IReadOnlyList<QaRow> OpenToMethods(IReadOnlyList<QaRow> rows, IReadOnlyList<SplitRow> splits)
    {
        ArgumentNullException.ThrowIfNull(splits);
        return Of(
            rows,
            splits,
            splits.Any(s => s.Split == SplitNames.RetainTrained) ? SplitNames.RetainTrained : SplitNames.Retain
        );
    }

    /// <summary>
    /// Parts what is kept: a share stays <c>retain</c>, which no method sees, and the others become
    /// <c>retain-trained</c>.
    /// </summary>
    /// <remarks>
    /// The draw looks at the whole data set and at nothing that a forget set says, so a row is on one side for every
    /// set that keeps it. In each group, in the order of the data, one row of every run of 1/share is drawn: no stretch
    /// of a group that a forget set leaves has more of one side than the other by more than a run. What is left of the
    /// groups' ends is run through in the same way.
    /// </remarks>
    /// <param name="rows">All questions.</param>
    /// <param name="splits">What is forgotten and what is kept.</param>
    /// <param name="share">Of the kept questions, from 0 on and below 1; 0 leaves all of them open to methods, and
    /// scored.</param>
    /// <param name="seed">Streams <c>unseen/GROUP</c>, and <c>unseen</c> for the groups' ends.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such share.</exception>
    /// <exception cref="InputException">One of the two parts would be empty.</exception>
    public static IReadOnlyList<SplitRow> SetApart(
        IReadOnlyList<QaRow> rows,
        IReadOnlyList<SplitRow> splits,
        double share,
        Seed seed
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(splits);
        ArgumentOutOfRangeException.ThrowIfNegative(share);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(share, 1);
        if (share == 0)
            return splits;
        // The smaller part is drawn, so that a run of it has room.
        var drawn = Drawn(rows, Math.Min(share, 1 - share), seed);
        List<SplitRow> parted =
        [
            .. splits.Select(s =>
                s.Split == SplitNames.Retain && drawn.Contains(s.Id) != share <= 0.5
                    ? s with
                    {
                        Split = SplitNames.RetainTrained,
                    }
                    : s
            ),
        ];
        foreach (
            var (name, whose) in ((string, string)[])
                [(SplitNames.Retain, "unseen"), (SplitNames.RetainTrained, "open to methods")]
        )
            if (parted.All(s => s.Split != name))
                throw new InputException(
                    "unseen",
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"a share of {share} leaves no row {whose} of {splits.Count(s => s.Split == SplitNames.Retain)}"
                    ),
                    "another share, a smaller forget set or more questions"
                );
        return parted;
    }

    private static HashSet<string> Drawn(IReadOnlyList<QaRow> rows, double share, Seed seed)
    {
        var (drawn, ends) = (new HashSet<string>(StringComparer.Ordinal), new List<QaRow>());
        foreach (var group in rows.GroupBy(r => r.Group, StringComparer.Ordinal))
            ends.AddRange(OnePerRun([.. group], share, seed.Stream("unseen/" + group.Key), drawn));
        _ = OnePerRun(ends, share, seed.Stream("unseen"), drawn);
        return drawn;
    }

    // Draws one row of each run; gives back the rows behind the last whole run.
    private static IReadOnlyList<QaRow> OnePerRun(
        IReadOnlyList<QaRow> rows,
        double share,
        SplitMix64 draw,
        HashSet<string> drawn
    )
    {
        var from = 0;
        for (var run = 1; End(run) <= rows.Count; run++)
        {
            drawn.Add(rows[from + draw.Below(End(run) - from)].Id);
            from = End(run);
        }
        return [.. rows.Skip(from)];

        // A share such as 0.1 is not exact: 10 rows must still be a run.
        int End(int run) => (int)Math.Ceiling(run / share - 1e-9);
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
