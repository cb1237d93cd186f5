using EditUnlearn.Artifacts;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Evaluation;

/// <summary>
/// Asks a model and keeps the evidence: text, and log-probability and rank of every token of the true answer, for both
/// profiles of metrics.
/// </summary>
public static class AnswerCollector
{
    /// <summary>One question to be asked.</summary>
    /// <param name="Split">The split it is asked for.</param>
    /// <param name="Id">Of the question.</param>
    /// <param name="Question">The wording.</param>
    /// <param name="Answer">The true answer.</param>
    /// <param name="Subject">What the question is about.</param>
    /// <param name="Distractors">Wrong answers to be scored beside the true one.</param>
    public sealed record Asked(
        string Split,
        string Id,
        string Question,
        string Answer,
        string Subject = "",
        IReadOnlyList<string>? Distractors = null
    );

    /// <summary>Asks all questions.</summary>
    /// <param name="checkpoint">The model, with its patch applied.</param>
    /// <param name="questions">In the order of the rows.</param>
    /// <param name="cell">Model, set and method for the rows.</param>
    /// <param name="maxNewTokens">Limit of a generation.</param>
    /// <param name="batchRows">Prompts side by side; no result depends on it.</param>
    /// <param name="tap">Intervention in every pass, for a patch that is more than changed weights.</param>
    /// <param name="progress">Told how many are done, of twice their number.</param>
    /// <param name="paperLength">The paper's limit, prompt and answer together, to be kept as a text of its own; null
    /// to leave it out.</param>
    /// <param name="cancelled">Looked at between batches.</param>
    public static IReadOnlyList<AnswerRow> Collect(
        Checkpoint checkpoint,
        IReadOnlyList<Asked> questions,
        (string Model, string Set, string Method) cell,
        int maxNewTokens,
        int batchRows,
        ForwardTap? tap = null,
        Action<int>? progress = null,
        int? paperLength = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(questions);
        if (questions.Count == 0)
            return [];
        var model = checkpoint.Model;
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        // One generation serves both limits: a shorter one is its beginning.
        var longest = paperLength is { } length
            ? prompts.Max(p => Math.Max(maxNewTokens, length - p.Count))
            : maxNewTokens;
        var whole = GreedyDecoder.Decode(
            model,
            prompts,
            new GreedyDecoder.Options
            {
                MaxNewTokens = longest,
                BatchRows = batchRows,
                StopIds = checkpoint.StopIds,
                Tap = tap,
            },
            progress,
            cancelled
        );
        var generated = whole.Select(g => Cut(g, maxNewTokens)).ToList();
        var targets = questions.Select(q => checkpoint.Row(q.Question, q.Answer)).ToList();
        // One pass over the true answers serves both profiles: their labels, and as many positions from the row's
        // first, where the paper's code averages.
        var taught = LogitProbe.Read(
            model,
            [.. targets.Select(t => new LogitProbe.Row(t.Ids, t.LabelStart, [.. LogitProbe.Labels(t), .. Prefix(t)]))],
            null,
            batchRows,
            tap,
            cancelled
        );
        var scores = taught.Select((readings, i) => TargetScores.Of(readings.Take(targets[i].LabelCount))).ToList();
        var orders = Orders(questions);
        var alone = questions.Select(q => checkpoint.Tokenizer.Encode(q.Answer)).ToList();
        var free = FreeRunning.Read(
            model,
            [
                .. questions.Select(
                    (q, i) =>
                        new FreeRunning.Answered(
                            prompts[i],
                            generated[i],
                            [.. Labels(targets[i]).SkipLast(1)],
                            alone[i],
                            Batch(q.Split, orders[i])
                        )
                ),
            ],
            SamplingFilter.Of(model.Config.Family),
            model.Config.EosIds[0],
            batchRows,
            tap,
            cancelled
        );
        var distractors = Distractors(checkpoint, questions, batchRows, tap, cancelled);
        progress?.Invoke(2 * questions.Count);
        return
        [
            .. questions.Select(
                (q, i) =>
                {
                    var text = checkpoint.Decode(generated[i].Ids);
                    return new AnswerRow
                    {
                        Model = cell.Model,
                        Set = cell.Set,
                        Method = cell.Method,
                        Split = q.Split,
                        Order = orders[i],
                        Id = q.Id,
                        Question = q.Question,
                        Subject = q.Subject,
                        Answer = q.Answer,
                        Generated = text,
                        NewTokens = generated[i].Ids.Count,
                        StopReason = generated[i].Reason == StopReason.Limit ? "limit" : "stopToken",
                        Refused = RefusalPatterns.IsRefusal(text, q.Answer),
                        TargetIds = [.. Labels(targets[i])],
                        LogProbabilities = [.. scores[i].LogProbabilities],
                        Ranks = [.. scores[i].Ranks],
                        GeneratedLong = paperLength is { } limit
                            ? checkpoint.Decode(Cut(whole[i], Math.Max(0, limit - prompts[i].Count)).Ids)
                            : null,
                        GeneratedLogProbabilities = [.. free[i].LogProbabilities],
                        PrefixMaxima = [.. taught[i].Skip(targets[i].LabelCount).Select(r => r.Maximum)],
                        FreeRanks = [.. free[i].Ranks],
                        AloneIds = [.. alone[i]],
                        CompatRanks = [.. free[i].CompatRanks],
                        CompatFilteredRanks = [.. free[i].CompatFilteredRanks],
                        DistractorProbabilities = [.. distractors[i]],
                    };
                }
            ),
        ];
    }

    private static IEnumerable<int> Labels(TokenRow row) => row.Ids.Skip(row.LabelStart);

    private static IEnumerable<LogitProbe.Point> Prefix(TokenRow row) =>
        Enumerable
            .Range(0, row.LabelCount)
            .Select(t => new LogitProbe.Point(t, row.Ids[t + 1], LogitProbe.Want.Probability));

    private static Generated Cut(Generated g, int limit) =>
        g.Ids.Count >= limit ? new Generated([.. g.Ids.Take(limit)], StopReason.Limit) : g;

    private static (string Split, int Number)? Batch(string split, int order) =>
        order < FreeRunning.FirstRows ? (split, order / FreeRunning.BatchRows) : null;

    private static List<int> Orders(IReadOnlyList<Asked> questions)
    {
        var next = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. questions.Select(q => (next[q.Split] = next.GetValueOrDefault(q.Split) + 1) - 1)];
    }

    private static List<List<double>> Distractors(
        Checkpoint checkpoint,
        IReadOnlyList<Asked> questions,
        int batchRows,
        ForwardTap? tap,
        CancellationToken cancelled
    )
    {
        var rows = questions.SelectMany(q => (q.Distractors ?? []).Select(d => checkpoint.Row(q.Question, d))).ToList();
        var scores = new Queue<TargetScores>(Scorer.Score(checkpoint.Model, rows, batchRows, tap, cancelled));
        return
        [
            .. questions.Select(q =>
                (q.Distractors ?? [])
                    .Select(_ => Metrics.Probability.PerToken(scores.Dequeue().LogProbabilities)!.Value)
                    .ToList()
            ),
        ];
    }
}
