using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>
/// A model's rephrasings that pass the filter: for the study's stage and for a question file of the user's.
/// </summary>
public static class OwnWording
{
    /// <summary>Asks until every question has enough rephrasings or the tries are spent.</summary>
    /// <param name="checkpoint">A model that follows instructions.</param>
    /// <param name="prompt">With the slot <c>{question}</c>.</param>
    /// <param name="rows">The questions; those that have enough are not asked about.</param>
    /// <param name="count">Rephrasings a question shall have.</param>
    /// <param name="seed">Of the samples.</param>
    /// <param name="taken">Wordings of the data set (<see cref="RephraseFilter.Taken"/>); accepted ones are
    /// added.</param>
    /// <param name="refused">Counts of refused candidates by reason; added to.</param>
    /// <param name="progress">Tries made and tries there may be: a question that needs no more counts with all of its
    /// own.</param>
    /// <param name="cancelled">Looked at between questions.</param>
    public static List<QaRow> Ask(
        Checkpoint checkpoint,
        string prompt,
        IReadOnlyList<QaRow> rows,
        int count,
        Seed seed,
        HashSet<string> taken,
        IDictionary<string, int> refused,
        Action<int, int>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        var asked = rows.ToList();
        var all = asked.Count(r => r.Rephrasings.Count < count) * Rephraser.Tries;
        for (var attempt = 0; attempt < Rephraser.Tries; attempt++)
        {
            var open = asked.Index().Where(r => r.Item.Rephrasings.Count < count).ToList();
            if (open.Count == 0)
                break;
            var made = all - open.Count * (Rephraser.Tries - attempt);
            var candidates = Rephraser.Ask(
                checkpoint,
                prompt,
                [.. open.Select(r => (r.Item.Id, r.Item.Question))],
                count,
                attempt,
                seed,
                done => progress?.Invoke(made + done, all),
                cancelled
            );
            foreach (var ((index, row), lines) in open.Zip(candidates))
                asked[index] = RephraseFilter.Accept(row, lines, count, taken, refused);
        }
        return asked;
    }
}
