using EditUnlearn.Artifacts;

namespace EditUnlearn.HumanStudy;

/// <summary>How far raters agree (docs/human-study.md, "How the numbers are made").</summary>
internal static class Agreement
{
    /// <summary>
    /// Nominal for forget quality, ordinal and interval for the scales, where what is gated out counts as missing.
    /// </summary>
    /// <param name="ratings">Of ordinary items.</param>
    /// <param name="raters">Whose ratings these are, for the rows.</param>
    public static IReadOnlyList<RatingAgreement> Of(IReadOnlyList<SheetRating> ratings, string raters)
    {
        ArgumentNullException.ThrowIfNull(ratings);
        return
        [
            Row("forgetQuality", r => r.ForgetQuality, MeasureLevel.Nominal),
            Row(Measures.Entailment, r => r.Entailment, MeasureLevel.Ordinal),
            Row(Measures.Entailment, r => r.Entailment, MeasureLevel.Interval),
            Row(Measures.Trustworthiness, r => r.Trustworthiness, MeasureLevel.Ordinal),
            Row(Measures.Trustworthiness, r => r.Trustworthiness, MeasureLevel.Interval),
        ];

        RatingAgreement Row(string measure, Func<SheetRating, int?> value, MeasureLevel level)
        {
            var units = ratings
                .Where(r => value(r) is not null)
                .GroupBy(r => r.Code, r => (r.Rater, Value: value(r)!.Value))
                .Where(u => u.Count() >= 2)
                .Select(u => (IReadOnlyList<(string Rater, int Value)>)[.. u])
                .ToList();
            var correlations = units
                .SelectMany(u => u.Select(r => r.Rater))
                .Distinct()
                .Order(StringComparer.Ordinal)
                .Select(r => RaterRest(units, r))
                .OfType<double>()
                .ToList();
            return new RatingAgreement
            {
                Measure = measure,
                Raters = raters,
                Level = level.ToString().ToLowerInvariant(),
                Alpha = Krippendorff.Alpha(units.Select(u => (IReadOnlyList<int>)[.. u.Select(r => r.Value)]), level),
                PercentAgreement =
                    units.Count == 0 ? null : units.Average(u => ShareAgreeing([.. u.Select(r => r.Value)])),
                RaterRest = correlations.Count == 0 ? null : correlations.Average(),
                Units = units.Count,
                Ratings = units.Sum(u => u.Count),
            };
        }
    }

    /// <summary>
    /// Spearman's correlation of one rater with the mean of the others on the same items; null where fewer than three
    /// are shared or one side does not vary.
    /// </summary>
    public static double? RaterRest(IEnumerable<IReadOnlyList<(string Rater, int Value)>> units, string rater)
    {
        ArgumentNullException.ThrowIfNull(units);
        var pairs = units
            .Where(u => u.Count >= 2 && u.Any(r => r.Rater == rater))
            .Select(u =>
                (
                    Own: (double)u.First(r => r.Rater == rater).Value,
                    Others: u.Where(r => r.Rater != rater).Average(r => r.Value)
                )
            )
            .ToList();
        return pairs.Count < 3 ? null : Spearman([.. pairs.Select(p => p.Own)], [.. pairs.Select(p => p.Others)]);
    }

    /// <summary>Pearson's correlation of mid-ranks; null where one side does not vary.</summary>
    public static double? Spearman(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var (a, b) = (MidRanks(x), MidRanks(y));
        var (meanA, meanB) = (a.Average(), b.Average());
        var covariance = a.Zip(b, (p, q) => (p - meanA) * (q - meanB)).Sum();
        var scale = Math.Sqrt(a.Sum(p => (p - meanA) * (p - meanA)) * b.Sum(q => (q - meanB) * (q - meanB)));
        return scale == 0 ? null : covariance / scale;
    }

    private static double[] MidRanks(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return [.. values.Select(v => values.Count(w => w < v) + (values.Count(w => w == v) + 1) / 2.0)];
    }

    private static double ShareAgreeing(List<int> values)
    {
        var pairs = values.Count * (values.Count - 1) / 2;
        return values.GroupBy(v => v).Sum(g => g.Count() * (g.Count() - 1) / 2) / (double)pairs;
    }
}
