using EditUnlearn.Models;

namespace EditUnlearn.Evaluation;

/// <summary>
/// Where the true answer's tokens stand while the model says its own: the paper's way of ranking, and confidence in
/// what is said.
/// </summary>
/// <remarks>
/// Source: the evaluation code of PISTOL (Qiu et al., 2024), which the paper uses; docs/metrics.md, "Probability" and
/// "MRR and Hit-Rate". The logits of a generation are read back from its text in one pass. In the paper's code a
/// finished row goes on in its batch, fed with EOS, until the longest row stops; steps after that are rows of zeros,
/// where a token's rank is its id + 1. That dependence on the batch is reproduced here, for batches of 16 in the order
/// of the data.
/// </remarks>
internal static class FreeRunning
{
    /// <summary>Batch of the paper's evaluation.</summary>
    public const int BatchRows = 16;

    /// <summary>Rows of a split that the paper's evaluation reads.</summary>
    public const int FirstRows = 200;

    /// <summary>A question that was answered.</summary>
    /// <param name="Prompt">Token ids, BOS first.</param>
    /// <param name="Said">What the model said.</param>
    /// <param name="Target">The true answer in context, without EOS.</param>
    /// <param name="Alone">The true answer encoded by itself.</param>
    /// <param name="Batch">Which batch of the paper's evaluation it is in; null where that leaves it out.</param>
    /// <param name="Group">See <see cref="LogitProbe.Row"/>.</param>
    public sealed record Answered(
        IReadOnlyList<int> Prompt,
        Generated Said,
        IReadOnlyList<int> Target,
        IReadOnlyList<int> Alone,
        (string Split, int Number)? Batch,
        string Group = ""
    );

    /// <summary>What was seen along one answer.</summary>
    /// <param name="LogProbabilities">Of each token said.</param>
    /// <param name="Ranks">Of each target at its step; 0 where the answer had ended.</param>
    /// <param name="CompatRanks">Of each stand-alone target in its batch; empty without one.</param>
    /// <param name="CompatFilteredRanks">The same after the filter.</param>
    public sealed record Seen(
        IReadOnlyList<double> LogProbabilities,
        IReadOnlyList<int> Ranks,
        IReadOnlyList<int> CompatRanks,
        IReadOnlyList<int> CompatFilteredRanks
    );

    /// <summary>Reads all rows.</summary>
    /// <param name="model">The model, with its patch applied.</param>
    /// <param name="rows">All rows of a split together: batches are made of them.</param>
    /// <param name="filter">Of the family.</param>
    /// <param name="padId">What a finished row is fed: EOS.</param>
    /// <param name="batchRows">Rows of one pass; no result depends on it.</param>
    /// <param name="tap">Intervention.</param>
    /// <param name="cancelled">Looked at between passes.</param>
    public static IReadOnlyList<Seen> Read(
        CausalLm model,
        IReadOnlyList<Answered> rows,
        SamplingFilter? filter,
        int padId,
        int batchRows = 64,
        ForwardTap? tap = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        var lengths = rows.Where(r => r.Batch is not null)
            .GroupBy(r => r.Batch!.Value)
            .ToDictionary(g => g.Key, g => g.Max(r => Steps(r.Said)));
        var plans = rows.Select(r => Plan(r, r.Batch is { } b ? lengths[b] : 0, padId)).ToList();
        var readings = LogitProbe.Read(model, [.. plans.Select(p => p.Row)], filter, batchRows, tap, cancelled);
        return [.. rows.Select((r, i) => Seen1(r, plans[i], readings[i]))];
    }

    /// <summary>Steps a generation took: one for each token, and one for the stop token.</summary>
    private static int Steps(Generated said) => said.Ids.Count + (said.Reason == StopReason.StopToken ? 1 : 0);

    private sealed record Planned(LogitProbe.Row Row, int Free, int Compat);

    private static Planned Plan(Answered row, int batchSteps, int padId)
    {
        var own = Steps(row.Said);
        var free = Math.Min(row.Target.Count, own);
        var compat = row.Batch is null ? 0 : Math.Min(row.Alone.Count, batchSteps);
        // The logits of step i stand at the token before it: the prompt's last, or what was said or fed at step i - 1.
        var fed = Math.Max(row.Said.Ids.Count, compat - 1);
        int[] ids = [.. row.Prompt, .. row.Said.Ids, .. Enumerable.Repeat(padId, fed - row.Said.Ids.Count)];
        LogitProbe.Point At(int step, int target, LogitProbe.Want want) =>
            new(row.Prompt.Count - 1 + step, target, want);
        LogitProbe.Point[] points =
        [
            .. row.Said.Ids.Select((id, i) => At(i, id, LogitProbe.Want.Probability)),
            .. row.Target.Take(free).Select((id, i) => At(i, id, LogitProbe.Want.Rank)),
            .. row.Alone.Take(compat).Select((id, i) => At(i, id, LogitProbe.Want.FilteredRank)),
        ];
        return new Planned(new LogitProbe.Row(ids, row.Prompt.Count, points, row.Group), free, compat);
    }

    private static Seen Seen1(Answered row, Planned plan, IReadOnlyList<LogitProbe.Reading> readings)
    {
        var said = row.Said.Ids.Count;
        var compat = readings.Skip(said + plan.Free).ToList();
        int[] zeros = row.Batch is null ? [] : [.. row.Alone.Skip(plan.Compat).Select(id => id + 1)];
        return new Seen(
            [.. readings.Take(said).Select(r => r.LogProbability)],
            [
                .. readings.Skip(said).Take(plan.Free).Select(r => r.Rank),
                .. Enumerable.Repeat(0, row.Target.Count - plan.Free),
            ],
            [.. compat.Select(r => r.Rank), .. zeros],
            [.. compat.Select(r => r.FilteredRank), .. zeros]
        );
    }
}
