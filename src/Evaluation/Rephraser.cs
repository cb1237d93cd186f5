using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Evaluation;

/// <summary>
/// Asks a model to put questions into other words. What comes back is a candidate; whether it is one of the question's
/// rephrasings is for the filter of Data to say.
/// </summary>
/// <remarks>
/// Greedy first, then samples at temperature 0.8, five tries a question (docs/data.md, "Rephrasings").
/// </remarks>
public static partial class Rephraser
{
    /// <summary>Tries for a question.</summary>
    public const int Tries = 5;

    private const double Temperature = 0.8;
    private const int MaxNewTokens = 160;
    private const string Slot = "{question}",
        Count = "{count}";

    /// <summary>An instruction from a file.</summary>
    /// <exception cref="InputException">It is not there, or has no slot <c>{question}</c>.</exception>
    public static string ReadPrompt(string path)
    {
        if (!File.Exists(path))
            throw new InputException(path, "does not exist", "a text file with the slots {question} and {count}");
        var prompt = File.ReadAllText(path);
        return prompt.Contains(Slot, StringComparison.Ordinal)
            ? prompt
            : throw new InputException(path, $"has no slot {Slot}");
    }

    /// <summary>Candidates of one try for some questions.</summary>
    /// <param name="checkpoint">A model that follows instructions.</param>
    /// <param name="prompt">The instruction, with the slots <c>{question}</c> and, if it asks for several at once,
    /// <c>{count}</c>.</param>
    /// <param name="questions">Id and wording.</param>
    /// <param name="count">Rephrasings to ask for.</param>
    /// <param name="attempt">0 for the greedy one.</param>
    /// <param name="seed">Of the samples; each question and try has a stream of its own.</param>
    /// <param name="progress">Told how many questions have been asked.</param>
    /// <param name="cancelled">Looked at between questions.</param>
    public static IReadOnlyList<IReadOnlyList<string>> Ask(
        Checkpoint checkpoint,
        string prompt,
        IReadOnlyList<(string Id, string Question)> questions,
        int count,
        int attempt,
        Seed seed,
        Action<int>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(questions);
        if (!prompt.Contains(Slot, StringComparison.Ordinal))
            throw new ArgumentException($"The prompt has no slot {Slot}.", nameof(prompt));
        var prompts = questions
            .Select(q =>
                checkpoint.Prompt(
                    prompt
                        .TrimEnd()
                        .Replace(Count, $"{count}", StringComparison.Ordinal)
                        .Replace(Slot, q.Question, StringComparison.Ordinal)
                )
            )
            .ToList();
        var generated =
            attempt == 0
                ? GreedyDecoder.Decode(
                    checkpoint.Model,
                    prompts,
                    new GreedyDecoder.Options { MaxNewTokens = MaxNewTokens },
                    progress,
                    cancelled
                )
                :
                [
                    .. prompts.Select(
                        (p, i) =>
                        {
                            cancelled.ThrowIfCancellationRequested();
                            progress?.Invoke(i);
                            return Sampler.Draw(
                                checkpoint.Model,
                                p,
                                Temperature,
                                MaxNewTokens,
                                seed.Stream($"rephrase/{questions[i].Id}/{attempt}")
                            );
                        }
                    ),
                ];
        return [.. generated.Select(g => Lines(checkpoint.Tokenizer.Decode(g.Ids)))];
    }

    /// <summary>A text's lines without numbers, bullets and quotes around them.</summary>
    public static IReadOnlyList<string> Lines(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return
        [
            .. text.Split('\n')
                .Select(l => Mark().Replace(l.Trim(), "").Trim().Trim('"').Trim())
                .Where(l => l.Length > 0),
        ];
    }

    // "1. ", "2) ", "- ", "* ", "Q: ", "Question: ".
    [GeneratedRegex(@"^(?:\(?\d{1,2}[.):]|[-*\u2022]|Q(?:uestion)?:)\s+", RegexOptions.IgnoreCase)]
    private static partial Regex Mark();
}
