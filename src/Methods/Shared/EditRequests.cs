using EditUnlearn.Models;

namespace EditUnlearn.Methods.Shared;

/// <summary>Turns questions into token-level edit requests. Source: editing specification, sections 1.2 to 1.4, the corrected reading: ids by character offset, never decoded and encoded again.</summary>
public static class EditRequests
{
    /// <summary>One request.</summary>
    /// <param name="checkpoint">Tokenizer and template.</param>
    /// <param name="id">Of the question.</param>
    /// <param name="question">Verbatim.</param>
    /// <param name="subject">Stands in the question at <paramref name="subjectStart"/>.</param>
    /// <param name="subjectStart">UTF-16 index.</param>
    /// <param name="target">What shall be answered.</param>
    /// <param name="appendEos">Whether EOS is part of the target.</param>
    /// <exception cref="ArgumentException">The subject does not stand there.</exception>
    public static EditRequest FromText(Checkpoint checkpoint, string id, string question, string subject, int subjectStart, string target, bool appendEos)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(subject);
        if (subject.Length == 0 || subjectStart < 0 || subjectStart + subject.Length > question.Length || !question.AsSpan(subjectStart).StartsWith(subject, StringComparison.Ordinal))
            throw new ArgumentException($"{id}: the subject '{subject}' does not stand at {subjectStart} of '{question}'.", nameof(subject));
        var row = checkpoint.Row(question, target, appendEos);
        var prompt = row.Ids.Take(row.LabelStart).ToList();
        var last = TokenAt(checkpoint, checkpoint.Template.Prompt(question), checkpoint.Template.QuestionStart + subjectStart + subject.Length - 1);
        int[] essence = [checkpoint.Model.Config.BosId, .. checkpoint.Tokenizer.Encode(subject + " is a")];
        return new EditRequest(id, prompt, last, [.. row.Ids.Skip(row.LabelStart)], essence, TokenAt(checkpoint, subject + " is a", subject.Length - 1));
    }

    // Index, BOS counted, of the token whose characters include the given one.
    private static int TokenAt(Checkpoint checkpoint, string text, int character)
    {
        var spans = checkpoint.Tokenizer.EncodeWithOffsets(text);
        for (var i = 0; i < spans.Count; i++)
            if (spans[i].Start <= character && character < spans[i].End) return i + 1;
        throw new ArgumentException($"No token of '{text}' holds its character {character}.", nameof(text));
    }
}
