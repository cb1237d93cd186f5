using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>
/// Who rates what: every item by the same number of raters, loads alike, every rater sees every method equally often.
/// </summary>
internal static class Assignment
{
    /// <summary>For each rater the items, in the order of <paramref name="items"/>.</summary>
    /// <param name="items">To be rated.</param>
    /// <param name="raters">How many raters there are.</param>
    /// <param name="perItem">Raters of an item; null for all.</param>
    /// <param name="seed">Of the draws.</param>
    public static IReadOnlyList<IReadOnlyList<StudyItem>> Of(
        IReadOnlyList<StudyItem> items,
        int raters,
        int? perItem,
        Seed seed
    )
    {
        ArgumentNullException.ThrowIfNull(items);
        var rates = new bool[raters, items.Count];
        if (perItem is not { } r || r == raters)
        {
            for (var i = 0; i < items.Count; i++)
                for (var k = 0; k < raters; k++)
                    rates[k, i] = true;
        }
        else
        {
            Deal(items, raters, r, seed, rates);
            Even(items, raters, rates);
        }
        return
        [
            .. Enumerable
                .Range(0, raters)
                .Select(k => (IReadOnlyList<StudyItem>)[.. items.Where((_, i) => rates[k, i])]),
        ];
    }

    // Round and round the table, method by method: loads differ by at most one, and so do the counts of every method.
    private static void Deal(IReadOnlyList<StudyItem> items, int raters, int perItem, Seed seed, bool[,] rates)
    {
        var seats = Enumerable.Range(0, raters).ToList();
        seed.Stream("study/seats").Shuffle(seats);
        var next = 0;
        foreach (
            var group in Enumerable
                .Range(0, items.Count)
                .GroupBy(i => string.Join('+', items[i].Systems), StringComparer.Ordinal)
                .OrderBy(g => g.Key, StringComparer.Ordinal)
        )
        {
            var order = group.ToList();
            seed.Stream($"study/deal/{group.Key}").Shuffle(order);
            foreach (var item in order)
                for (var k = 0; k < perItem; k++)
                    rates[seats[next++ % raters], item] = true;
        }
    }

    // Items that several methods share upset the counts a little: swap between two raters while that brings a count
    // nearer to the others.
    private static void Even(IReadOnlyList<StudyItem> items, int raters, bool[,] rates)
    {
        var methods = items.SelectMany(i => i.Systems).Distinct().Order(StringComparer.Ordinal).ToList();
        var of = items.Select(i => i.Systems.Select(s => methods.IndexOf(s)).ToArray()).ToList();
        var count = new int[raters, methods.Count];
        for (var k = 0; k < raters; k++)
            for (var i = 0; i < items.Count; i++)
                if (rates[k, i])
                    foreach (var m in of[i])
                        count[k, m]++;

        // Change of the sum of squared counts of one rater who hands over item a for item b.
        int Gain(int k, int a, int b) =>
            of[a].Except(of[b]).Sum(m => 1 - 2 * count[k, m]) + of[b].Except(of[a]).Sum(m => 1 + 2 * count[k, m]);
        void Move(int k, int gives, int takes)
        {
            (rates[k, gives], rates[k, takes]) = (false, true);
            foreach (var m in of[gives])
                count[k, m]--;
            foreach (var m in of[takes])
                count[k, m]++;
        }
        bool Uneven(int k) =>
            Enumerable.Range(0, methods.Count).Select(m => count[k, m]).ToList() is { Count: > 0 } c
            && c.Max() - c.Min() > 1;
        bool Better()
        {
            for (var k = 0; k < raters; k++)
            {
                if (!Uneven(k))
                    continue;
                for (var l = 0; l < raters; l++)
                    for (var a = 0; a < items.Count; a++)
                    {
                        if (!rates[k, a] || rates[l, a])
                            continue;
                        for (var b = 0; b < items.Count; b++)
                            if (rates[l, b] && !rates[k, b] && Gain(k, a, b) + Gain(l, b, a) < 0)
                            {
                                Move(k, a, b);
                                Move(l, b, a);
                                return true;
                            }
                    }
            }
            return false;
        }
        // Each swap lowers a sum of squares, so this ends; the bound is for studies of absurd size.
        for (var swaps = 0; swaps < 10_000 && Better(); swaps++) { }
    }
}
