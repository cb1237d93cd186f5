using System.Globalization;
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
    /// <param name="tap">Intervention in every pass, for a patch that is more than changed weights. What it decides at
    /// a prompt it decides once, for the generation and all that is read beside it; where it decides for whole batches,
    /// those hold one split in the order of the questions in every pass.</param>
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
        PromptLimits.Check(checkpoint, questions);
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        using var held = checkpoint.Model.Hold();
        var asking = new Asking(
            checkpoint,
            batchRows,
            tap?.Settle(checkpoint.Model, prompts),
            [.. questions.Select(q => q.Split)],
            cancelled
        );
        // One generation serves both limits: a shorter one is its beginning.
        var longest = paperLength is { } length
            ? prompts.Max(p => Math.Max(maxNewTokens, length - p.Count))
            : maxNewTokens;
        var whole = asking.Generate(prompts, longest, progress);
        var generated = whole.Select(g => Cut(g, maxNewTokens)).ToList();
        var targets = questions.Select(q => checkpoint.Row(q.Question, q.Answer)).ToList();
        var taught = asking.Teach(targets);
        var orders = Orders(questions);
        var alone = questions.Select(q => checkpoint.Tokenizer.Encode(q.Answer)).ToList();
        var free = asking.RunFree(
            questions.Select(
                (q, i) =>
                    new FreeRunning.Answered(
                        prompts[i],
                        generated[i],
                        [.. Labels(targets[i]).SkipLast(1)],
                        alone[i],
                        Batch(q.Split, orders[i]),
                        q.Split
                    )
            )
        );
        var distractors = asking.Distractors(questions);
        progress?.Invoke(2 * questions.Count);

        AnswerRow Row(Asked q, int i)
        {
            var longer = paperLength is { } limit ? Cut(whole[i], Math.Max(0, limit - prompts[i].Count)) : null;
            return RowOf(
                checkpoint,
                q,
                cell,
                new(orders[i], generated[i], longer, targets[i], alone[i], taught[i], free[i], distractors[i])
            );
        }
        return [.. questions.Select(Row)];
    }

    /// <summary>Asks all questions and keeps what was said alone: a third of the work.</summary>
    /// <param name="checkpoint">The model, untouched or with a change of weights applied.</param>
    /// <param name="questions">In the order of the rows.</param>
    /// <param name="cell">Model, set and method for the rows.</param>
    /// <param name="maxNewTokens">Limit of a generation.</param>
    /// <param name="batchRows">Prompts side by side; no result depends on it.</param>
    /// <param name="progress">Told how many are done.</param>
    /// <param name="cancelled">Looked at between batches.</param>
    /// <returns>Rows without probabilities and ranks: metrics that need them have no value.</returns>
    public static IReadOnlyList<AnswerRow> Said(
        Checkpoint checkpoint,
        IReadOnlyList<Asked> questions,
        (string Model, string Set, string Method) cell,
        int maxNewTokens,
        int batchRows,
        Action<int>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(questions);
        var said = GreedyDecoder.Decode(
            checkpoint.Model,
            [.. questions.Select(q => checkpoint.Prompt(q.Question))],
            new GreedyDecoder.Options
            {
                MaxNewTokens = maxNewTokens,
                BatchRows = batchRows,
                StopIds = checkpoint.StopIds,
            },
            progress,
            cancelled
        );
        var orders = Orders(questions);
        return [.. questions.Select((q, i) => TextOf(q, cell, orders[i], said[i], checkpoint.Decode(said[i].Ids)))];
    }

    // Every pass of one collection goes through the same model with the same tap.
    private sealed record Asking(
        Checkpoint Checkpoint,
        int BatchRows,
        ForwardTap? Tap,
        IReadOnlyList<string> Splits,
        CancellationToken Cancelled
    )
    {
        private CausalLm Model => Checkpoint.Model;

        public IReadOnlyList<Generated> Generate(
            IReadOnlyList<IReadOnlyList<int>> prompts,
            int limit,
            Action<int>? progress
        ) =>
            GreedyDecoder.Decode(
                Model,
                prompts,
                new GreedyDecoder.Options
                {
                    MaxNewTokens = limit,
                    BatchRows = BatchRows,
                    StopIds = Checkpoint.StopIds,
                    Tap = Tap,
                    Groups = Splits,
                },
                progress,
                Cancelled
            );

        // One pass over the true answers serves both profiles: their labels, and as many positions from the row's
        // first, where the paper's code averages.
        public IReadOnlyList<IReadOnlyList<LogitProbe.Reading>> Teach(IEnumerable<TokenRow> targets) =>
            LogitProbe.Read(
                Model,
                [
                    .. targets.Select(
                        (t, i) =>
                            new LogitProbe.Row(t.Ids, t.LabelStart, [.. LogitProbe.Labels(t), .. Prefix(t)], Splits[i])
                    ),
                ],
                null,
                BatchRows,
                Tap,
                Cancelled
            );

        public IReadOnlyList<FreeRunning.Seen> RunFree(IEnumerable<FreeRunning.Answered> answered) =>
            FreeRunning.Read(
                Model,
                [.. answered],
                SamplingFilter.Of(Model.Config.Family),
                Model.Config.EosIds[0],
                BatchRows,
                Tap,
                Cancelled
            );

        // The n-th of every question go together, so that each shares its batch with the same questions as before: one
        // that has fewer stands there with its prompt alone.
        public List<List<double>> Distractors(IReadOnlyList<Asked> questions)
        {
            var most = questions.Max(q => q.Distractors?.Count ?? 0);
            var places = Enumerable
                .Range(0, most)
                .SelectMany(n =>
                    questions.Select((q, i) => (Number: n, Question: i, Text: q.Distractors?.ElementAtOrDefault(n)))
                )
                .ToList();
            var scores = Scorer.Score(
                Model,
                [.. places.Select(p => RowOf(questions[p.Question].Question, p.Text))],
                BatchRows,
                Tap,
                [
                    .. places.Select(p =>
                        string.Create(CultureInfo.InvariantCulture, $"{Splits[p.Question]}/{p.Number}")
                    ),
                ],
                Cancelled
            );
            var found = questions.Select(_ => new List<double>()).ToList();
            foreach (var (place, score) in places.Zip(scores).Where(p => p.First.Text is not null))
                found[place.Question].Add(Metrics.Probability.PerToken(score.LogProbabilities)!.Value);
            return found;
        }

        private TokenRow RowOf(string question, string? answer)
        {
            if (answer is not null)
                return Checkpoint.Row(question, answer);
            var prompt = Checkpoint.Prompt(question);
            return new TokenRow(prompt, prompt.Count);
        }
    }

    // All that was read of one question.
    private sealed record Evidence(
        int Order,
        Generated Generated,
        Generated? Longer,
        TokenRow Target,
        IReadOnlyList<int> Alone,
        IReadOnlyList<LogitProbe.Reading> Taught,
        FreeRunning.Seen Free,
        List<double> Distractors
    );

    private static AnswerRow RowOf(
        Checkpoint checkpoint,
        Asked q,
        (string Model, string Set, string Method) cell,
        Evidence seen
    )
    {
        var text = checkpoint.Decode(seen.Generated.Ids);
        var scores = TargetScores.Of(seen.Taught.Take(seen.Target.LabelCount));
        return TextOf(q, cell, seen.Order, seen.Generated, text) with
        {
            TargetIds = [.. Labels(seen.Target)],
            LogProbabilities = [.. scores.LogProbabilities],
            Ranks = [.. scores.Ranks],
            GeneratedLong = seen.Longer is { } longer ? checkpoint.Decode(longer.Ids) : null,
            GeneratedLogProbabilities = [.. seen.Free.LogProbabilities],
            PrefixMaxima = [.. seen.Taught.Skip(seen.Target.LabelCount).Select(r => r.Maximum)],
            FreeRanks = [.. seen.Free.Ranks],
            AloneIds = [.. seen.Alone],
            CompatRanks = [.. seen.Free.CompatRanks],
            CompatFilteredRanks = [.. seen.Free.CompatFilteredRanks],
            DistractorProbabilities = [.. seen.Distractors],
        };
    }

    private static AnswerRow TextOf(
        Asked q,
        (string Model, string Set, string Method) cell,
        int order,
        Generated said,
        string text
    ) =>
        new()
        {
            Model = cell.Model,
            Set = cell.Set,
            Method = cell.Method,
            Split = q.Split,
            Order = order,
            Id = q.Id,
            Question = q.Question,
            Subject = q.Subject,
            Answer = q.Answer,
            Generated = text,
            NewTokens = said.Ids.Count,
            StopReason = said.Reason == StopReason.Limit ? "limit" : "stopToken",
            Refused = RefusalPatterns.IsRefusal(text, q.Answer),
        };

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
}
