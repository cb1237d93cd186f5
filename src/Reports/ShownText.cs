namespace EditUnlearn.Reports;

/// <summary>What a model said, as tables show it: on one line, and cut where it does not end.</summary>
internal static class ShownText
{
    /// <summary>Whole characters only: a cut must not leave half a pair.</summary>
    /// <param name="text">With any white space.</param>
    /// <param name="most">Characters to keep.</param>
    public static string Of(string text, int most)
    {
        ArgumentNullException.ThrowIfNull(text);
        var line = string.Join(' ', text.Split((char[])[' ', '\n', '\r', '\t'], StringSplitOptions.RemoveEmptyEntries));
        if (line.Length <= most)
            return line;
        return line[..(char.IsHighSurrogate(line[most - 1]) ? most - 1 : most)] + " ...";
    }
}
