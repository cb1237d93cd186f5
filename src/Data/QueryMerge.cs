using EditUnlearn.Artifacts;

namespace EditUnlearn.Data;

/// <summary>Where the edit of a merged query looks its key up.</summary>
public enum MergeLookup
{
    /// <summary>
    /// The last token of the merged text, by taking the whole text as the subject: needs no subjects, and the last
    /// position sees all questions.
    /// </summary>
    LastToken,

    /// <summary>The subject of the last question; the others only stand before it.</summary>
    LastSubject,

    /// <summary>
    /// The subject of every question: as many edits as questions, all of one text with one target. An extension, not
    /// the study's.
    /// </summary>
    EachSubject,
}

/// <summary>One merged query, ready to be edited.</summary>
/// <param name="Request">Question, subject and place of the lookup; its answer is that of all members.</param>
/// <param name="Target">What shall be answered instead.</param>
/// <param name="Members">Ids of the questions in it, in order.</param>
public sealed record MergedQuery(QaRow Request, TargetRow Target, IReadOnlyList<string> Members);

/// <summary>
/// Several queries to be forgotten put into one, edited to one refusal: fewer edits for as many facts.
/// </summary>
/// <remarks>
/// Source: the study's section 3.2; what it leaves open is our choice (docs/methods.md, "Query merging"). Consecutive
/// groups of k in the order of the data, the last one may be short; questions joined by one space, punctuation kept.
/// The target is that of the last question: one draw from the list a group, or the model's own refusal of the question
/// that stands last.
/// </remarks>
public static class QueryMerge
{
    /// <summary>Joins questions.</summary>
    public const string Separator = " ";

    /// <summary>Partition into consecutive groups of <paramref name="size"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="size"/> is not positive.</exception>
    public static IReadOnlyList<IReadOnlyList<QaRow>> Groups(IReadOnlyList<QaRow> forget, int size)
    {
        ArgumentNullException.ThrowIfNull(forget);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        return [.. forget.Chunk(size)];
    }

    /// <summary>The merged queries. With groups of one the questions come back as they are, subjects and all.</summary>
    /// <param name="forget">In the order of the data.</param>
    /// <param name="targets">By question id; a question without one is an error.</param>
    /// <param name="size">Questions in a group, k.</param>
    /// <param name="lookup">Where to edit.</param>
    /// <exception cref="KeyNotFoundException">A group's last question has no target.</exception>
    public static IReadOnlyList<MergedQuery> Of(
        IReadOnlyList<QaRow> forget,
        IReadOnlyDictionary<string, TargetRow> targets,
        int size,
        MergeLookup lookup
    )
    {
        ArgumentNullException.ThrowIfNull(targets);
        return
        [
            .. Groups(forget, size)
                .SelectMany(group =>
                    group.Count == 1
                        ? [new MergedQuery(group[0], targets[group[0].Id], [group[0].Id])]
                        : Merged(group, targets[group[^1].Id], lookup)
                ),
        ];
    }

    private static IEnumerable<MergedQuery> Merged(IReadOnlyList<QaRow> group, TargetRow target, MergeLookup lookup)
    {
        var text = string.Join(Separator, group.Select(q => q.Question));
        // Where each question begins in the merged text.
        var starts = group.Select((_, i) => group.Take(i).Sum(q => q.Question.Length + Separator.Length)).ToList();
        var id = $"{group[0].Id}+{group.Count - 1}";
        var whole = new QaRow
        {
            Id = id,
            Dataset = group[0].Dataset,
            Row = group[0].Row,
            Question = text,
            Answer = string.Join(Separator, group.Select(q => q.Answer)),
            Category = group[^1].Category,
            Group = group[^1].Group,
        };
        List<string> members = [.. group.Select(q => q.Id)];
        MergedQuery At(string key, string subject, int start) =>
            new(whole with { Id = key, Subject = subject, SubjectStart = start }, target with { Id = key }, members);
        return lookup switch
        {
            MergeLookup.LastToken => [At(id, text, 0)],
            MergeLookup.LastSubject => [At(id, group[^1].Subject, starts[^1] + group[^1].SubjectStart)],
            _ => group.Select((q, i) => At($"{id}#{i}", q.Subject, starts[i] + q.SubjectStart)),
        };
    }
}
