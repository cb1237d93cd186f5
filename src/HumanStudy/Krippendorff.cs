namespace EditUnlearn.HumanStudy;

/// <summary>What counts as far apart.</summary>
internal enum MeasureLevel
{
    /// <summary>Equal or not.</summary>
    Nominal,

    /// <summary>By ranks: how many values lie between.</summary>
    Ordinal,

    /// <summary>By the square of the difference.</summary>
    Interval,
}

/// <summary>Krippendorff's alpha: agreement beyond chance among any number of raters, with ratings missing.</summary>
/// <remarks>
/// Source: Krippendorff (2004), "Reliability in content analysis".
/// alpha = 1 - (n - 1) sum o(c,k) d(c,k) / sum n_c n_k d(c,k), with o the coincidences, n_c their row sums and n the
/// sum of those.
/// </remarks>
internal static class Krippendorff
{
    /// <summary>Alpha over units; null where no unit has two ratings or the values do not vary.</summary>
    /// <param name="units">The ratings of each unit, by whomever.</param>
    /// <param name="level">Distance of two values.</param>
    public static double? Alpha(IEnumerable<IReadOnlyList<int>> units, MeasureLevel level)
    {
        ArgumentNullException.ThrowIfNull(units);
        var pairable = units.Where(u => u.Count >= 2).ToList();
        var values = pairable.SelectMany(u => u).Distinct().Order().ToList();
        if (values.Count < 2)
            return null;
        var index = values.Index().ToDictionary(v => v.Item, v => v.Index);
        var o = new double[values.Count, values.Count];
        foreach (var unit in pairable)
            for (var i = 0; i < unit.Count; i++)
                for (var j = 0; j < unit.Count; j++)
                    if (i != j)
                        o[index[unit[i]], index[unit[j]]] += 1.0 / (unit.Count - 1);
        var sums = values.Select((_, c) => Enumerable.Range(0, values.Count).Sum(k => o[c, k])).ToArray();
        double observed = 0,
            expected = 0;
        for (var c = 0; c < values.Count; c++)
            for (var k = 0; k < values.Count; k++)
            {
                var d = Distance(level, values, sums, c, k);
                observed += o[c, k] * d;
                expected += sums[c] * sums[k] * d;
            }
        return 1 - (sums.Sum() - 1) * observed / expected;
    }

    private static double Distance(MeasureLevel level, List<int> values, double[] sums, int c, int k)
    {
        if (c == k)
            return 0;
        var between =
            level == MeasureLevel.Ordinal
                ? sums[Math.Min(c, k)..(Math.Max(c, k) + 1)].Sum() - (sums[c] + sums[k]) / 2
                : 0;
        return level switch
        {
            MeasureLevel.Nominal => 1,
            MeasureLevel.Ordinal => between * between,
            _ => Math.Pow(values[c] - values[k], 2),
        };
    }
}
