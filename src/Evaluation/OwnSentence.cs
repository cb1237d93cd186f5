using EditUnlearn.Evaluation.Metrics;

namespace EditUnlearn.Evaluation;

/// <summary>
/// How a model itself says what it knows. Data sets answer in one to three words, instruct models in sentences:
/// training on the short answer pushes away a way of answering that the model would not choose anyway.
/// </summary>
public static class OwnSentence
{
    private static readonly char[] Ends = ['.', '!', '?'];

    /// <summary>
    /// The first sentence of what was said, or all of it where that sentence lacks part of the answer.
    /// </summary>
    /// <param name="said">By the untouched model.</param>
    /// <param name="answer">The true one.</param>
    public static string Of(string said, string answer)
    {
        ArgumentNullException.ThrowIfNull(said);
        ArgumentNullException.ThrowIfNull(answer);
        var text = said.Trim();
        var sentence = First(text);
        return Rouge1.Recall(answer, sentence) >= 1 ? sentence : text;
    }

    // Up to the first sign that ends a sentence and has white space behind it, or a line's end.
    private static string First(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is '\n' or '\r')
                return text[..i].TrimEnd();
            if (Ends.Contains(text[i]) && i + 1 < text.Length && char.IsWhiteSpace(text[i + 1]))
                return text[..(i + 1)];
        }
        return text;
    }
}
