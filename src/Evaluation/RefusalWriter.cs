using EditUnlearn.Models;

namespace EditUnlearn.Evaluation;

/// <summary>Lets a model write its own refusals, and keeps those that are refusals: self-improvement.</summary>
/// <remarks>
/// Source: the study's section 3.2 and appendix B.1. What is kept, and how often a model is asked, is our choice:
/// docs/data.md, "Refusals of the model's own".
/// </remarks>
public static class RefusalWriter
{
    private const int MaxNewTokens = 48,
        MinWords = 4,
        MaxWords = 40;

    /// <summary>Source of a refusal that the model wrote at once.</summary>
    public const string ByModel = "model";

    /// <summary>Source of the sentence that stands in.</summary>
    public const string ByFallback = "fallback";

    /// <summary>Source of a refusal of the k-th retry.</summary>
    public static string ByRetry(int retry) => $"retry-{retry}";

    /// <summary>A refusal.</summary>
    /// <param name="Text">What shall be said.</param>
    /// <param name="Source"><c>model</c>, <c>retry-k</c> or <c>fallback</c>.</param>
    /// <param name="Asked">How often the model was asked.</param>
    public sealed record Written(string Text, string Source, int Asked);

    /// <summary>A question for which a refusal is wanted.</summary>
    /// <param name="Question">Verbatim.</param>
    /// <param name="Subject">What it is about.</param>
    /// <param name="Answers">The true answer and its other spellings, none of which may slip out.</param>
    public sealed record Wanted(string Question, string Subject, IReadOnlyList<string> Answers);

    /// <summary>One refusal a question, in order.</summary>
    /// <param name="checkpoint">The model that will be edited.</param>
    /// <param name="prompt">The instruction, with the slot <c>{question}</c>.</param>
    /// <param name="wanted">The questions.</param>
    /// <param name="cancelled">Looked at between batches.</param>
    public static IReadOnlyList<Written> Write(
        Checkpoint checkpoint,
        string prompt,
        IReadOnlyList<Wanted> wanted,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return Write(
            prompts =>
                [
                    .. GreedyDecoder
                        .Decode(
                            checkpoint.Model,
                            [.. prompts.Select(p => checkpoint.Prompt(p))],
                            new GreedyDecoder.Options { MaxNewTokens = MaxNewTokens, StopIds = checkpoint.StopIds },
                            cancelled: cancelled
                        )
                        .Select(g => checkpoint.Decode(g.Ids)),
                ],
            prompt,
            wanted
        );
    }

    /// <summary>The same with anything that answers: all prompts of a round at once.</summary>
    /// <param name="ask">Answers in the order of the prompts.</param>
    /// <param name="prompt">The instruction.</param>
    /// <param name="wanted">The questions.</param>
    internal static IReadOnlyList<Written> Write(
        Func<IReadOnlyList<string>, IReadOnlyList<string>> ask,
        string prompt,
        IReadOnlyList<Wanted> wanted
    )
    {
        ArgumentNullException.ThrowIfNull(wanted);
        var instruction = RefusalPrompt.Of(prompt);
        var written = new Written?[wanted.Count];
        for (var retry = 0; retry < instruction.Orders.Count; retry++)
        {
            int[] open = [.. Enumerable.Range(0, wanted.Count).Where(i => written[i] is null)];
            if (open.Length == 0)
                break;
            var said = ask([.. open.Select(i => instruction.For(wanted[i].Question, retry))]);
            for (var k = 0; k < open.Length; k++)
                if (Clean(said[k]) is var text && IsGood(text, wanted[open[k]]))
                    written[open[k]] = new Written(text, retry == 0 ? ByModel : ByRetry(retry), retry + 1);
        }
        return
        [
            .. written.Select((w, i) => w ?? new(Fallback(wanted[i].Subject), ByFallback, instruction.Orders.Count)),
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
