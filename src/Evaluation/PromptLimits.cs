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
