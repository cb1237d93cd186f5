using EditUnlearn.Models;

namespace EditUnlearn.Evaluation;

/// <summary>Lets a model write its own refusals, and keeps those that are refusals: self-improvement.</summary>
/// <remarks>
/// Source: the study's section 3.2 and appendix B.1. What is kept is our choice: docs/data.md, "Refusals of the model's
/// own".
/// </remarks>
public static class RefusalWriter
{
    private const int MaxNewTokens = 48,
        MinWords = 4,
        MaxWords = 40;
    private const string Slot = "{question}";

    /// <summary>A question for which a refusal is wanted.</summary>
    /// <param name="Question">Verbatim.</param>
    /// <param name="Subject">What it is about.</param>
    /// <param name="Answers">The true answer and its other spellings, none of which may slip out.</param>
    public sealed record Wanted(string Question, string Subject, IReadOnlyList<string> Answers);

    /// <summary>One refusal a question, in order, and whether the model wrote it.</summary>
    /// <param name="checkpoint">The model that will be edited.</param>
    /// <param name="prompt">The instruction, with the slot <c>{question}</c>.</param>
    /// <param name="wanted">The questions.</param>
    /// <param name="cancelled">Looked at between batches.</param>
    public static IReadOnlyList<(string Text, bool ByModel)> Write(
        Checkpoint checkpoint,
        string prompt,
        IReadOnlyList<Wanted> wanted,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(wanted);
        if (!prompt.Contains(Slot, StringComparison.Ordinal))
            throw new ArgumentException($"The prompt has no slot {Slot}.", nameof(prompt));
        var generated = GreedyDecoder.Decode(
            checkpoint.Model,
            [
                .. wanted.Select(w =>
                    checkpoint.Prompt(prompt.TrimEnd().Replace(Slot, w.Question, StringComparison.Ordinal))
                ),
            ],
            new GreedyDecoder.Options { MaxNewTokens = MaxNewTokens, StopIds = checkpoint.StopIds },
            cancelled: cancelled
        );
        return
        [
            .. wanted.Select(
                (w, i) =>
                    Clean(checkpoint.Decode(generated[i].Ids)) is var text && IsGood(text, w)
                        ? (text, true)
                        : (Fallback(w.Subject), false)
            ),
        ];
    }

    /// <summary>What stands in where the model's own words will not do.</summary>
    public static string Fallback(string subject) => $"I am sorry, but I have no information about {subject}.";

    /// <summary>The first sentence, without a leading "Answer:", with its final punctuation.</summary>
    public static string Clean(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var line = text.Trim().Split('\n')[0].Trim();
        if (line.StartsWith("Answer:", StringComparison.Ordinal))
            line = line["Answer:".Length..].Trim();
        for (var i = 0; i < line.Length; i++)
            if (line[i] is '.' or '!' or '?' && (i + 1 == line.Length || line[i + 1] == ' '))
                return line[..(i + 1)];
        return line.Length == 0 ? line : line + ".";
    }

    /// <summary>
    /// A refusal of sensible length that is no question, names the subject and does not tell the answer.
    /// </summary>
    public static bool IsGood(string text, Wanted wanted)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(wanted);
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
        var said = RougeTokens.Of(text).ToHashSet(StringComparer.Ordinal);
        return words is >= MinWords and <= MaxWords
            && !text.EndsWith('?')
            && wanted.Answers.All(a => RefusalPatterns.IsRefusal(text, a))
            && RougeTokens.Of(wanted.Subject).Any(said.Contains);
    }
}
