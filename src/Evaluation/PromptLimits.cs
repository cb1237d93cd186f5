using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Evaluation;

/// <summary>
/// Whether questions fit into a model's positions. Beyond them a model says something, but nothing that it was trained
/// for, and the row would count as forgotten.
/// </summary>
public static class PromptLimits
{
    /// <summary>Refuses questions that do not fit.</summary>
    /// <param name="checkpoint">Of the model.</param>
    /// <param name="questions">To be asked.</param>
    /// <exception cref="InputException">All that are too long.</exception>
    public static void Check(Checkpoint checkpoint, IReadOnlyList<AnswerCollector.Asked> questions)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(questions);
        Check(checkpoint, questions.Select(q => (q.Id, q.Question)));
        CheckRows(checkpoint, questions.Select(q => (q.Id, q.Question, q.Answer)));
    }

    /// <summary>Refuses questions that do not fit together with what is, or shall be, answered.</summary>
    /// <param name="checkpoint">Of the model.</param>
    /// <param name="rows">What to call each, its question and the answer or target.</param>
    /// <exception cref="InputException">All that are too long.</exception>
    public static void CheckRows(Checkpoint checkpoint, IEnumerable<(string Id, string Question, string Answer)> rows)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(rows);
        var most = checkpoint.Model.Config.MaxPositions;
        var problems = rows.Select(r => (r.Id, Count: checkpoint.Row(r.Question, r.Answer).Ids.Count))
            .Where(r => r.Count > most)
            .Select(r => new InputProblem(
                r.Id,
                0,
                0,
                $"question and answer take {r.Count} tokens, but the model has {most} positions",
                "a shorter question or answer"
            ))
            .ToList();
        if (problems.Count > 0)
            throw new InputException(problems);
    }

    /// <summary>The same of any texts.</summary>
    /// <param name="checkpoint">Of the model.</param>
    /// <param name="questions">What to call each, and its text.</param>
    /// <exception cref="InputException">All that are too long.</exception>
    public static void Check(Checkpoint checkpoint, IEnumerable<(string Id, string Question)> questions)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(questions);
        var most = checkpoint.Model.Config.MaxPositions;
        var problems = questions
            .Select(q => (q.Id, Count: checkpoint.Prompt(q.Question).Count))
            .Where(q => q.Count >= most)
            .Select(q => new InputProblem(
                q.Id,
                0,
                0,
                $"the question takes {q.Count} tokens, but the model has {most} positions, answer included",
                "a shorter question"
            ))
            .ToList();
        if (problems.Count > 0)
            throw new InputException(problems);
    }
}
