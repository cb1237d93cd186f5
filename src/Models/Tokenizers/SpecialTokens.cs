namespace EditUnlearn.Models.Tokenizers;

/// <summary>Tokens that mark turns and ends instead of standing for text.</summary>
/// <param name="Ids">Id of each by its name, such as <c>&lt;|eot_id|&gt;</c>.</param>
/// <param name="BosId">Begins a text, by the tokenizer's own files; null where they do not say.</param>
/// <param name="EosId">Ends a text, by the tokenizer's own files; null where they do not say.</param>
public sealed record SpecialTokens(IReadOnlyDictionary<string, int> Ids, int? BosId = null, int? EosId = null)
{
    /// <summary>The id of that name, or null.</summary>
    public int? Find(string name) => Ids.TryGetValue(name, out var id) ? id : null;
}

/// <summary>A tokenizer whose special tokens have rules of their own in a text.</summary>
internal interface IReadsSpecial
{
    /// <summary>The tokens of a text in which names of special tokens are tokens.</summary>
    IReadOnlyList<TokenSpan> ParseSpecial(string text);
}

/// <summary>
/// Reading of text in which the names of special tokens count as tokens. For text of one's own making only: a user's
/// text could end its turn.
/// </summary>
internal static class SpecialTokenReading
{
    /// <summary>
    /// The tokens of a text; names of special tokens are tokens, and each stretch between them is a text of its own, as
    /// the published tokenizers take it.
    /// </summary>
    public static IReadOnlyList<TokenSpan> ParseSpecial(this ITokenizer tokenizer, string text)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(text);
        if (tokenizer is IReadsSpecial own)
            return own.ParseSpecial(text);
        var spans = new List<TokenSpan>();
        foreach (var (start, length, id) in new NameMatcher(tokenizer.Specials.Ids).Split(text))
            if (id is { } special)
                spans.Add(new TokenSpan(special, start, start + length));
            else
                spans.AddRange(
                    tokenizer
                        .EncodeWithOffsets(text.Substring(start, length))
                        .Select(s => new TokenSpan(s.Id, s.Start + start, s.End + start))
                );
        return spans;
    }
}
