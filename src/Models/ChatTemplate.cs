using EditUnlearn.Models.Chat;

namespace EditUnlearn.Models;

/// <summary>
/// How a question becomes a prompt. The answer follows at once, without a space: one there would change the tokens at
/// the border.
/// </summary>
/// <remarks>
/// Templates are data, one file each in <c>Templates/</c>; <see cref="TemplateCatalog"/> reads them. Each
/// names its source.
/// </remarks>
/// <param name="Pattern">Text with the slot <c>{q}</c>, once; no BOS, which the encoder adds once.</param>
public sealed record ChatTemplate(string Pattern)
{
    /// <summary>Stands for the question.</summary>
    public const string Slot = "{q}";

    /// <summary>Asked for in place of a name: the template the study asks the family in.</summary>
    public const string OfFamily = "family";

    /// <summary>Asked for in place of a name: the template that lies in the checkpoint's folder.</summary>
    public const string Own = "own";

    /// <summary>The value of <see cref="Bos"/> that leaves the choice to the model's own files.</summary>
    public const string BosOfConfig = "config";

    /// <summary>What it is called: <c>llama31</c>.</summary>
    public string Name { get; init; } = "";

    /// <summary>Where it comes from.</summary>
    public string Source { get; init; } = "";

    /// <summary>
    /// The publisher's own pattern, default system text included, or null. An option, never the default.
    /// </summary>
    public string? Official { get; init; }

    /// <summary>
    /// Parts of the pattern that are special tokens. They are put in by id where the vocabulary holds them; a question
    /// that spells them stays text.
    /// </summary>
    public IReadOnlyList<string> Marks { get; init; } = [];

    /// <summary>Name of the token that begins a prompt, <c>config</c> for the model's own, null for none.</summary>
    public string? Bos { get; init; } = BosOfConfig;

    /// <summary>
    /// Names of the tokens that end an answer; the first the vocabulary holds is the one that is written.
    /// </summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>
    /// Name of the template to take instead where the vocabulary holds all of <see cref="IfHeld"/> as special tokens;
    /// null for none.
    /// </summary>
    public string? UseInstead { get; init; }

    /// <summary>See <see cref="UseInstead"/>.</summary>
    public IReadOnlyList<string> IfHeld { get; init; } = [];

    /// <summary>
    /// A text that stands in the published templates of the models that this one is for, and in no others; null for
    /// none. A folder whose own template holds it is asked so, whatever its family.
    /// </summary>
    public string? KnownBy { get; init; }

    /// <summary>Whether white space around a question is left out, as many published templates do.</summary>
    public bool Trims { get; init; }

    /// <summary>The prompt text of a question: verbatim, but for what <see cref="Trims"/> leaves out.</summary>
    public string Prompt(string question) => Pattern.Replace(Slot, Asked(question), StringComparison.Ordinal);

    /// <summary>The question as it stands in the prompt.</summary>
    public string Asked(string question) => Trims ? PythonText.Trim(question) : question;

    /// <summary>Characters of the prompt before the question, for finding a subject in it.</summary>
    public int QuestionStart => Pattern.IndexOf(Slot, StringComparison.Ordinal);
}
