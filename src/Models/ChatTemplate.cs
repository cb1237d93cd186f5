namespace EditUnlearn.Models;

/// <summary>How a question becomes a prompt. The answer follows at once, without a space: one there would change the tokens at the border.</summary>
/// <param name="Pattern">Text with the slot <c>{q}</c>; no BOS, which the encoder adds once.</param>
public sealed record ChatTemplate(string Pattern)
{
    private const string Slot = "{q}";

    /// <summary>The prompt text of a question, verbatim.</summary>
    public string Prompt(string question) => Pattern.Replace(Slot, question, StringComparison.Ordinal);

    /// <summary>Characters of the prompt before the question, for finding a subject in it.</summary>
    public int QuestionStart => Pattern.IndexOf(Slot, StringComparison.Ordinal);
}
