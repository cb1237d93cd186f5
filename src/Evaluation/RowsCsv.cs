using System.Globalization;
using System.Text;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;

namespace EditUnlearn.Evaluation;

/// <summary>Every question of a run with its answer and every metric, a line each: what a mean was made of.</summary>
public static class RowsCsv
{
    /// <summary>The text.</summary>
    public static string Of(IReadOnlyList<AnswerRow> answers, IReadOnlyList<ScoreRow> scores)
    {
        ArgumentNullException.ThrowIfNull(answers);
        ArgumentNullException.ThrowIfNull(scores);
        var values = scores.ToDictionary(s => (s.Split, s.Id, s.Metric), s => s.Value);
        var csv = new StringBuilder("split,id,question,answer,generated,stopReason")
            .Append(string.Concat(MetricCatalog.All.Select(m => "," + m.Name)))
            .Append('\n');
        foreach (
            var a in answers
                .OrderBy(a => a.Split, StringComparer.Ordinal)
                .ThenBy(a => a.Order)
                .ThenBy(a => a.Id, StringComparer.Ordinal)
        )
        {
            csv.AppendJoin(
                ',',
                a.Split,
                Csv.Quote(a.Id),
                Csv.Quote(a.Question),
                Csv.Quote(a.Answer),
                Csv.Quote(a.Generated),
                a.StopReason
            );
            foreach (var m in MetricCatalog.All)
                csv.Append(',').Append(values[(a.Split, a.Id, m.Name)]?.ToString("R", CultureInfo.InvariantCulture));
            csv.Append('\n');
        }
        return csv.ToString();
    }
}
