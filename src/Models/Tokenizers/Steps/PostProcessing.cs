namespace EditUnlearn.Models.Tokenizers.Steps;

/// <summary>
/// What is done to the tokens of a text in the end: tokens around them, and how their places are cut.
/// </summary>
/// <param name="Before">Ids in front of a text.</param>
/// <param name="After">Ids behind it.</param>
/// <param name="Trims">Whether white space at the ends of a token has no place.</param>
/// <param name="KeepsFirstSpace">Whether the first space of a text keeps its place: the tokenizer may have put it
/// there.</param>
internal sealed record PostProcessing(
    IReadOnlyList<int> Before,
    IReadOnlyList<int> After,
    bool Trims = false,
    bool KeepsFirstSpace = false
)
{
    /// <summary>Nothing.</summary>
    public static PostProcessing None { get; } = new([], []);

    /// <summary>The place of a token.</summary>
    /// <param name="span">With its white space.</param>
    /// <param name="token">As the vocabulary spells it; an added token as it stands in the text.</param>
    /// <param name="isFirst">Whether it is the first of the text.</param>
    /// <param name="text">The text: places are cut by whole characters.</param>
    public TokenSpan Trim(TokenSpan span, string token, bool isFirst, string text)
    {
        if (!Trims)
            return span;
        static bool IsSpace(char c) => c == ByteSymbols.All[' '] || char.IsWhiteSpace(c);
        var leading = token.TakeWhile(IsSpace).Count();
        var trailing = token.Reverse().TakeWhile(IsSpace).Count();
        var (start, end) = (span.Start, span.End);
        // One space may be the tokenizer's own; of more than one none is.
        if (leading == 1 && KeepsFirstSpace && (isFirst || start == 0))
            leading = 0;
        for (; leading > 0 && start < end; leading--)
            start += start + 1 < end && char.IsSurrogatePair(text[start], text[start + 1]) ? 2 : 1;
        var last = end;
        for (; trailing > 0 && last > 0; trailing--)
            last -= last > 1 && char.IsSurrogatePair(text[last - 2], text[last - 1]) ? 2 : 1;
        return span with { Start = start, End = trailing > 0 ? end : Math.Max(last, start) };
    }
}
