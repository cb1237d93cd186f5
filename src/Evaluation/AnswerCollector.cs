using EditUnlearn.Artifacts;
using EditUnlearn.Models;

namespace EditUnlearn.Evaluation;

/// <summary>Asks a model and keeps the evidence: text, and log-probability and rank of every token of the true answer.</summary>
public static class AnswerCollector
{
    /// <summary>One question to be asked.</summary>
    /// <param name="Split">The split it is asked for.</param>
    /// <param name="Id">Of the question.</param>
    /// <param name="Question">The wording.</param>
    /// <param name="Answer">The true answer.</param>
    public sealed record Asked(string Split, string Id, string Question, string Answer);

    /// <summary>Asks all questions.</summary>
    /// <param name="checkpoint">The model, with its patch applied.</param>
    /// <param name="questions">In the order of the rows.</param>
    /// <param name="cell">Model, set and method for the rows.</param>
    /// <param name="maxNewTokens">Limit of a generation.</param>
    /// <param name="batchRows">Prompts side by side; no result depends on it.</param>
    /// <param name="tap">Intervention in every pass, for a patch that is more than changed weights.</param>
    /// <param name="progress">Told how many are done, of twice their number.</param>
    /// <param name="cancelled">Looked at between batches.</param>
    public static IReadOnlyList<AnswerRow> Collect(
        Checkpoint checkpoint, IReadOnlyList<Asked> questions, (string Model, string Set, string Method) cell, int maxNewTokens, int batchRows, ForwardTap? tap = null, Action<int>? progress = null,
        CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(questions);
        if (questions.Count == 0) return [];
        var model = checkpoint.Model;
        var generated = GreedyDecoder.Decode(
            model, [.. questions.Select(q => checkpoint.Prompt(q.Question))], new GreedyDecoder.Options { MaxNewTokens = maxNewTokens, BatchRows = batchRows, StopIds = checkpoint.StopIds, Tap = tap }, progress, cancelled);
        var targets = questions.Select(q => checkpoint.Row(q.Question, q.Answer)).ToList();
        var scores = Scorer.Score(model, targets, batchRows, tap, cancelled);
        progress?.Invoke(2 * questions.Count);
        return
        [
            .. questions.Select((q, i) =>
            {
                var text = checkpoint.Decode(generated[i].Ids);
                return new AnswerRow
                {
                    Model = cell.Model, Set = cell.Set, Method = cell.Method, Split = q.Split, Id = q.Id, Question = q.Question, Answer = q.Answer,
                    Generated = text,
                    NewTokens = generated[i].Ids.Count,
                    StopReason = generated[i].Reason == StopReason.Limit ? "limit" : "stopToken",
                    Refused = RefusalPatterns.IsRefusal(text, q.Answer),
                    TargetIds = [.. targets[i].Ids.Skip(targets[i].LabelStart)],
                    LogProbabilities = [.. scores[i].LogProbabilities],
                    Ranks = [.. scores[i].Ranks],
                };
            }),
        ];
    }
}
