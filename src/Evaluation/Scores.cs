using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;

namespace EditUnlearn.Evaluation;

/// <summary>From evidence to numbers: a row per question and metric, then means that never travel without them.</summary>
public static class Scores
{
    /// <summary>Every metric of every row.</summary>
    public static IReadOnlyList<ScoreRow> Of(IEnumerable<AnswerRow> answers) =>
    [
        .. answers.SelectMany(a => MetricCatalog.All.Select(m => new ScoreRow
        {
            Model = a.Model, Set = a.Set, Method = a.Method, Split = a.Split, Id = a.Id, Metric = m.Name, Value = m.Of(a),
        })),
    ];

    /// <summary>Means by model, set, method, split and metric, in order of first appearance.</summary>
    public static IReadOnlyList<CellScore> Means(IEnumerable<ScoreRow> rows) =>
    [
        .. rows.GroupBy(r => (r.Model, r.Set, r.Method, r.Split, r.Metric)).Select(g =>
        {
            var values = g.Where(r => r.Value is not null).Select(r => r.Value!.Value).ToList();
            var mean = values.Count == 0 ? 0 : values.Average();
            var variance = values.Count < 2 ? 0 : values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1);
            return new CellScore
            {
                Model = g.Key.Model, Set = g.Key.Set, Method = g.Key.Method, Split = g.Key.Split, Metric = g.Key.Metric,
                Mean = mean, StandardError = values.Count < 2 ? 0 : Math.Sqrt(variance / values.Count), Count = values.Count, Excluded = g.Count() - values.Count,
            };
        }),
    ];
}
