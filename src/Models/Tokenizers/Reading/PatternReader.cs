using EditUnlearn.Models.Tokenizers.Patterns;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>Reads a field <c>pattern</c>: <c>{"String": "-"}</c> or <c>{"Regex": "\\d+"}</c>.</summary>
internal static class PatternReader
{
    /// <summary>The pattern, or null with the problem noted.</summary>
    public static TextPattern? Read(JsonPart step)
    {
        if (step.Find("pattern") is not { } part)
        {
            step.Refuse("has no 'pattern'");
            return null;
        }
        if (part.Text("String") is { } text)
            return TextPattern.Literal(text);
        if (part.Text("Regex") is not { } regex)
        {
            part.Refuse($"is {part.Shown()}, neither a String nor a Regex");
            return null;
        }
        try
        {
            return new TextPattern(regex);
        }
        catch (FormatException e)
        {
            part.Refuse($"('{JsonPart.Shortened(regex)}') {e.Message}");
            return null;
        }
    }
}
