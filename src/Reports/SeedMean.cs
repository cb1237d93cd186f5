using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports;

/// <summary>Runs that differ in their seed only, as one number.</summary>
internal static class SeedMean
{
    private const double Normal = 1.96; // of a 95 % interval

    /// <summary>
    /// The mean over the seeds, with the standard deviation over them. The standard error has both parts: that of the
    /// questions, which all seeds share, so that more seeds do not make it smaller, and that of the seeds.
    /// </summary>
    /// <param name="runs">In the order of their seeds.</param>
    /// <param name="place">For messages.</param>
    /// <exception cref="ArgumentException">Two runs have the same seed.</exception>
    public static CellScore Of(IReadOnlyList<CellScore> runs, ScoreKey place)
    {
        foreach (var twice in runs.GroupBy(s => s.Seed).Where(g => g.Count() > 1))
            throw new ArgumentException(
                $"Two scores stand at {place.Model}, {place.Set}, {place.Method}, {place.Split}, {place.Metric}, seed "
                    + $"{twice.Key}: a model that repeats another one needs a seed of its own.",
                nameof(runs)
            );
        if (runs.Count == 1)
            return runs[0];
        var known = runs.Where(s => s.Mean is not null).ToList();
        if (known.Count < 2)
            return known.Count == 1 ? known[0] : runs[0];
        var mean = known.Average(s => s.Mean!.Value);
        var sigma = Math.Sqrt(known.Sum(s => (s.Mean!.Value - mean) * (s.Mean!.Value - mean)) / (known.Count - 1));
        var ofSeeds = sigma / Math.Sqrt(known.Count);
        double? End(Func<CellScore, double?> end, int sign) =>
            known.All(s => end(s) is not null)
                ? mean + sign * double.Hypot(known.Average(s => s.Mean!.Value - end(s)!.Value), Normal * ofSeeds)
                : null;
        return known[0] with
        {
            Mean = mean,
            StandardError = double.Hypot(known.Average(s => s.StandardError), ofSeeds),
            CiLow = End(s => s.CiLow, -1),
            CiHigh = End(s => s.CiHigh, 1),
            Excluded = known.Max(s => s.Excluded),
            Seeds = known.Count,
            Sigma = sigma,
            Diverged = runs.Any(s => s.Diverged),
            FellBack = runs.Any(s => s.FellBack),
        };
    }
}
