using System.Globalization;
using System.Text;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Figures;

namespace EditUnlearn.Reports;

/// <summary>Scores as CSV: all of them, and what the paper's tables have no column for.</summary>
public static class ScoreCsv
{
    /// <summary>
    /// Every run, split, metric and profile, a line each, in an order that does not depend on the input's.
    /// </summary>
    public static string All(IEnumerable<CellScore> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        var csv = new StringBuilder(
            "model,set,data,size,method,target,merge,split,profile,metric,mean,se,ci_low,ci_high,n,excluded,diverged\n"
        );
        foreach (
            var s in Ordered(scores)
                .ThenBy(s => s.Split, StringComparer.Ordinal)
                .ThenBy(s => s.Profile, StringComparer.Ordinal)
                .ThenBy(s => s.Metric, StringComparer.Ordinal)
        )
            csv.AppendJoin(
                    ',',
                    Run(s),
                    s.Split,
                    s.Profile,
                    s.Metric,
                    Text(s.Mean),
                    Text(s.StandardError),
                    Text(s.CiLow),
                    Text(s.CiHigh),
                    s.Count.ToString(CultureInfo.InvariantCulture),
                    s.Excluded.ToString(CultureInfo.InvariantCulture),
                    s.Diverged ? "1" : "0"
                )
                .Append('\n');
        return csv.ToString();
    }

    /// <summary>
    /// A line a run: score, distance to the ideal, refusals on both sides, what is kept of held-out phrasings, of rows
    /// that methods may train on and of all kept rows, Rouge1 F1 and length.
    /// </summary>
    /// <remarks>
    /// Where nothing was set apart from methods, those that train on retain rows are scored on rows they saw, and the
    /// columns of trained and of all kept rows are empty.
    /// </remarks>
    public static string Beyond(IEnumerable<CellScore> scores, string profile)
    {
        ArgumentNullException.ThrowIfNull(scores);
        var csv = new StringBuilder(
            "model,set,data,size,method,target,merge,score,distance_to_ideal,refusal_forget,refusal_retain,"
                + "rouge1_heldout,rouge1_retain_trained,rouge1_retain_all,"
                + "rouge1_f1_forget,rouge1_f1_retain,length_forget,length_retain,diverged\n"
        );
        foreach (var run in Ordered(scores.Where(s => s.Profile == profile)).GroupBy(s => (s.Model, s.Set, s.Method)))
        {
            var means = run.ToDictionary(s => (s.Split, s.Metric), s => s.Mean);
            double? Of(string split, string metric) => means.GetValueOrDefault((split, metric));
            var (f, r) = (Of(SplitNames.Forget, MetricNames.Rouge1), Of(SplitNames.Retain, MetricNames.Rouge1));
            csv.AppendJoin(
                    ',',
                    Run(run.First()),
                    Text(1 - f + r),
                    Text(f is { } a && r is { } b ? FigureCatalog.DistanceToIdeal(a, b) : null),
                    Text(Of(SplitNames.Forget, MetricNames.Refusal)),
                    Text(Of(SplitNames.Retain, MetricNames.Refusal)),
                    Text(Of(SplitNames.HeldOut, MetricNames.Rouge1)),
                    Text(Of(SplitNames.RetainTrained, MetricNames.Rouge1)),
                    Text(Of(SplitNames.RetainAll, MetricNames.Rouge1)),
                    Text(Of(SplitNames.Forget, MetricNames.Rouge1F1)),
                    Text(Of(SplitNames.Retain, MetricNames.Rouge1F1)),
                    Text(Of(SplitNames.Forget, MetricNames.Length)),
                    Text(Of(SplitNames.Retain, MetricNames.Length)),
                    run.Any(s => s.Diverged) ? "1" : "0"
                )
                .Append('\n');
        }
        return csv.ToString();
    }

    private static IOrderedEnumerable<CellScore> Ordered(IEnumerable<CellScore> scores) =>
        scores
            .OrderBy(s => s.Model, StringComparer.Ordinal)
            .ThenBy(s => s.Data, StringComparer.Ordinal)
            .ThenBy(s => s.Size)
            .ThenBy(s => s.Merge)
            .ThenBy(s => s.Set, StringComparer.Ordinal)
            .ThenBy(s => s.Method, StringComparer.Ordinal);

    private static string Run(CellScore s) =>
        string.Join(
            ',',
            Csv.Quote(s.Model),
            Csv.Quote(s.Set),
            Csv.Quote(s.Data),
            s.Size.ToString(CultureInfo.InvariantCulture),
            Csv.Quote(s.Method),
            s.Target,
            s.Merge.ToString(CultureInfo.InvariantCulture)
        );

    private static string Text(double? x) => x?.ToString("R", CultureInfo.InvariantCulture) ?? "";
}
