using EditUnlearn.Models.Training;

namespace EditUnlearn.Models;

/// <summary>
/// Reads off, by teacher forcing, how probable each target token is and where it stands among all words.
/// </summary>
public static class Scorer
{
    /// <summary>Scores the labels of every row.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">Prompt and target tokens.</param>
    /// <param name="batchRows">Rows of one pass; no result depends on it beyond rounding.</param>
    /// <param name="tap">Intervention; it is told where each row's prompt ends.</param>
    /// <param name="groups">Of each row, see <see cref="LogitProbe.Row"/>; null for one group.</param>
    /// <param name="cancelled">Looked at before every batch.</param>
    public static IReadOnlyList<TargetScores> Score(
        CausalLm model,
        IReadOnlyList<TokenRow> rows,
        int batchRows = 64,
        ForwardTap? tap = null,
        IReadOnlyList<string>? groups = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        var readings = LogitProbe.Read(
            model,
            [
                .. rows.Select(
                    (r, i) => new LogitProbe.Row(r.Ids, r.LabelStart, [.. LogitProbe.Labels(r)], groups?[i] ?? "")
                ),
            ],
            null,
            batchRows,
            tap,
            cancelled
        );
        return [.. readings.Select(TargetScores.Of)];
    }
}

/// <summary>How one row's targets fared.</summary>
/// <param name="LogProbabilities">Natural log-probability of each target token.</param>
/// <param name="Ranks">Rank of each, 1 being the top.</param>
public sealed record TargetScores(IReadOnlyList<double> LogProbabilities, IReadOnlyList<int> Ranks)
{
    /// <summary>Of what was read at a row's labels.</summary>
    public static TargetScores Of(IEnumerable<LogitProbe.Reading> labels) =>
        new([.. labels.Select(r => r.LogProbability)], [.. labels.Select(r => r.Rank)]);
}
