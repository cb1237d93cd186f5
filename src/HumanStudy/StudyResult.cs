using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>
/// What a study says: every rating, means with intervals, differences of methods, agreement. Source: evaluation
/// specification, sections 10.3 and 10.4.
/// </summary>
/// <param name="Import">What it stands on.</param>
/// <param name="Ratings">One a rating and method.</param>
/// <param name="Means">By method, measure and raters.</param>
/// <param name="Pairs">By pair of methods, measure and raters.</param>
/// <param name="Agreement">By measure and raters.</param>
public sealed record StudyResult(
    StudyImport Import,
    IReadOnlyList<RatingRow> Ratings,
    IReadOnlyList<RatingMean> Means,
    IReadOnlyList<RatingPair> Pairs,
    IReadOnlyList<RatingAgreement> Agreement
)
{
    /// <summary>Name of the ratings of everybody.</summary>
    public const string AllRaters = "all";

    /// <summary>Name of the ratings without those of flagged raters.</summary>
    public const string Unflagged = "unflagged";

    /// <summary>Evaluates what came back.</summary>
    /// <param name="import">Checked ratings.</param>
    /// <param name="excludeFlagged">Evaluate a second time without flagged raters; both results are kept.</param>
    public static StudyResult Of(StudyImport import, bool excludeFlagged)
    {
        ArgumentNullException.ThrowIfNull(import);
        var (means, pairs, agreement) = (new List<RatingMean>(), new List<RatingPair>(), new List<RatingAgreement>());
        foreach (var raters in excludeFlagged ? (string[])[AllRaters, Unflagged] : [AllRaters])
        {
            var ratings = import.Ratings.Where(r => raters == AllRaters || !import.Flagged.Contains(r.Rater)).ToList();
            var part = new Part(import.Key, ratings, raters);
            means.AddRange(part.Means());
            pairs.AddRange(part.Pairs());
            agreement.AddRange(HumanStudy.Agreement.Of(ratings, raters));
        }
        return new StudyResult(import, Rows(import), means, pairs, agreement);
    }

    private static List<RatingRow> Rows(StudyImport import)
    {
        var items = import.Key.Items.ToDictionary(i => i.Code, StringComparer.Ordinal);
        var sources = import.Key.Sources.ToDictionary(s => s.System, StringComparer.Ordinal);
        return
        [
            .. from rating in import.Ratings
            let item = items[rating.Code]
            from system in item.Systems
            let source = sources[system]
            select new RatingRow
            {
                Rater = rating.Rater,
                Code = rating.Code,
                Id = item.Id,
                Model = source.Model,
                Set = source.Set,
                Method = source.Method,
                Variant = source.Variant,
                Split = import.Key.Split,
                ForgetQuality = rating.ForgetQuality,
                Entailment = rating.Entailment,
                Trustworthiness = rating.Trustworthiness,
                Flagged = import.Flagged.Contains(rating.Rater),
                Comment = rating.Comment,
            },
        ];
    }

    // The ratings of some raters, by system.
    private sealed class Part
    {
        private readonly StudyKey _key;
        private readonly string _raters;
        private readonly Dictionary<string, List<(string Id, SheetRating Rating)>> _of;
        private readonly List<string> _names,
            _questions;

        public Part(StudyKey key, List<SheetRating> ratings, string raters)
        {
            (_key, _raters) = (key, raters);
            var items = key.Items.ToDictionary(i => i.Code, StringComparer.Ordinal);
            _of = key.Sources.ToDictionary(
                s => s.System,
                s =>
                    ratings
                        .Where(r => items[r.Code].Systems.Contains(s.System))
                        .Select(r => (items[r.Code].Id, r))
                        .ToList(),
                StringComparer.Ordinal
            );
            _names = [.. ratings.Select(r => r.Rater).Distinct()];
            _questions = [.. key.Items.Select(i => i.Id).Distinct()];
        }

        public IEnumerable<RatingMean> Means() =>
            from source in _key.Sources
            from measure in Measures.All
            let rated = _of[source.System]
            let counted = rated
                .Select(r => (r.Rating.Rater, r.Id, Value: Measures.Of(measure, r.Rating)))
                .Where(r => r.Value is not null)
                .Select(r => (r.Rater, r.Id, Value: r.Value!.Value))
                .ToList()
            let interval = TwoWayBootstrap.Interval(
                counted,
                _names,
                _questions,
                new Seed(_key.Seed).Stream($"study/bootstrap/{_raters}/{measure}/{source.System}")
            )
            select new RatingMean
            {
                Model = source.Model,
                Set = source.Set,
                Method = source.Method,
                Variant = source.Variant,
                Split = _key.Split,
                Measure = measure,
                Raters = _raters,
                Mean = counted.Count == 0 ? null : counted.Average(c => c.Value),
                MeanOfRaterMeans =
                    counted.Count == 0 ? null : counted.GroupBy(c => c.Rater).Average(g => g.Average(c => c.Value)),
                CiLow = interval?.Low,
                CiHigh = interval?.High,
                Counted = counted.Count,
                Rated = rated.Count,
            };

        public IEnumerable<RatingPair> Pairs()
        {
            foreach (var measure in Measures.All)
            {
                var values = _key
                    .Sources.Select(s =>
                        (
                            s.System,
                            Of: _of[s.System]
                                .ToDictionary(r => (r.Rating.Rater, r.Id), r => Measures.Of(measure, r.Rating))
                        )
                    )
                    .ToList();
                var pairs = new List<RatingPair>();
                for (var a = 0; a < values.Count; a++)
                    for (var b = a + 1; b < values.Count; b++)
                    {
                        // Only what the same rater said about both methods' answers to the same question, and only where
                        // both count.
                        var differences = values[a]
                            .Of.Where(p => p.Value is not null && values[b].Of.GetValueOrDefault(p.Key) is not null)
                            .OrderBy(p => p.Key.Rater, StringComparer.Ordinal)
                            .ThenBy(p => p.Key.Id, StringComparer.Ordinal)
                            .Select(p => p.Value!.Value - values[b].Of[p.Key]!.Value)
                            .ToList();
                        pairs.Add(
                            new RatingPair
                            {
                                Measure = measure,
                                Raters = _raters,
                                First = values[a].System,
                                Second = values[b].System,
                                Pairs = differences.Count,
                                Difference = differences.Count == 0 ? null : differences.Average(),
                                P = SignFlip.P(
                                    differences,
                                    new Seed(_key.Seed).Stream(
                                        $"study/signs/{_raters}/{measure}/{values[a].System}/{values[b].System}"
                                    )
                                ),
                            }
                        );
                    }
                foreach (var (pair, holm) in pairs.Zip(SignFlip.Holm([.. pairs.Select(p => p.P)])))
                    yield return pair with
                    {
                        PHolm = holm,
                    };
            }
        }
    }
}
