using System.Text.RegularExpressions;

namespace EditUnlearn.Evaluation;

/// <summary>The instruction by which a model writes its own refusals: text with examples and a slot.</summary>
/// <remarks>
/// An example is a line <c>Question: ...</c> followed by a line <c>Answer: ...</c>; empty lines may stand between.
/// Where an answer will not do, the model is asked again with the examples in another order.
/// </remarks>
internal sealed partial class RefusalPrompt
{
    /// <summary>Where the question goes.</summary>
    public const string Slot = "{question}";

    /// <summary>Orders besides the written one that are tried.</summary>
    public const int MostRetries = 3;

    private readonly string _text;
    private readonly IReadOnlyList<Match> _examples;

    private RefusalPrompt(string text)
    {
        _text = text;
        _examples = [.. Example().Matches(text).Where(m => !m.Value.Contains(Slot, StringComparison.Ordinal))];
        Orders = [.. Distinct(_examples.Count).Take(MostRetries + 1)];
    }

    /// <summary>The written order first, then that of every retry.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Orders { get; }

    /// <summary>Reads an instruction.</summary>
    /// <exception cref="ArgumentException">It has no slot.</exception>
    public static RefusalPrompt Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Contains(Slot, StringComparison.Ordinal)
            ? new RefusalPrompt(text.TrimEnd())
            : throw new ArgumentException($"The prompt has no slot {Slot}.", nameof(text));
    }

    /// <summary>The instruction for a question.</summary>
    /// <param name="question">Verbatim.</param>
    /// <param name="retry">0 for the written order of the examples, k for that of the k-th retry.</param>
    public string For(string question, int retry)
    {
        ArgumentNullException.ThrowIfNull(question);
        var order = Orders[retry];
        var text = _text;
        // From the end, so that earlier places stay where they are; question and answer move, labels around them stay.
        for (var place = _examples.Count - 1; place >= 0; place--)
        {
            var (here, there) = (_examples[place], _examples[order[place]]);
            text = string.Concat(text.AsSpan(0, here.Index), there.Value, text.AsSpan(here.Index + here.Length));
        }
        return text.Replace(Slot, question, StringComparison.Ordinal);
    }

    // The written order, its rotations, then the reversed order and its rotations: greedy decoding would say the same
    // again to an order that it has seen.
    private static IEnumerable<IReadOnlyList<int>> Distinct(int count)
    {
        int[] written = [.. Enumerable.Range(0, count)];
        return ((int[][])[written, [.. written.Reverse()]])
            .SelectMany(order =>
                Enumerable
                    .Range(0, Math.Max(1, count))
                    .Select(by => (IReadOnlyList<int>)[.. order.Skip(by), .. order.Take(by)])
            )
            .DistinctBy(order => string.Join(' ', order));
    }

    [GeneratedRegex(
        @"^Question: .*\S[ \t]*\r?\n\s*^Answer: .*\S",
        RegexOptions.Multiline | RegexOptions.CultureInvariant
    )]
    private static partial Regex Example();
}
