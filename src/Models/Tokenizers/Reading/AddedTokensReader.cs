namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>Reads the list <c>added_tokens</c>.</summary>
internal static class AddedTokensReader
{
    /// <summary>The tokens, with what is wrong noted.</summary>
    public static List<AddedToken> Read(JsonPart root)
    {
        var added = new List<AddedToken>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var part in root.List("added_tokens"))
        {
            var name = part.Text("content");
            var id = part.Find("id")?.AsCount(TokenizerJson.HighestId, "a token id");
            if (string.IsNullOrEmpty(name) || id is null)
            {
                part.Refuse("is no added token with content and id");
                continue;
            }
            if (!names.Add(name))
            {
                part.Refuse($"adds '{JsonPart.Shortened(name)}' a second time");
                continue;
            }
            var special = part.Flag("special");
            added.Add(
                new AddedToken(name, id.Value, special)
                {
                    StripsLeft = part.Flag("lstrip"),
                    StripsRight = part.Flag("rstrip"),
                    WordOnly = part.Flag("single_word"),
                    Normalized = part.Flag("normalized", whenAbsent: !special),
                }
            );
        }
        return added;
    }
}
