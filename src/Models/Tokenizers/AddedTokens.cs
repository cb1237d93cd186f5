namespace EditUnlearn.Models.Tokenizers;

/// <summary>A token that a folder adds to its vocabulary.</summary>
/// <param name="Name">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="Special">Whether it stands for no text. One that is not special is read out of any text, as the
/// published tokenizers do.</param>
internal readonly record struct AddedToken(string Name, int Id, bool Special)
{
    /// <summary>Whether it takes the white space before it along.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Whether it takes the white space behind it along.</summary>
    public bool StripsRight { get; init; }

    /// <summary>Whether it counts only where no letter, digit or mark stands right beside it.</summary>
    public bool WordOnly { get; init; }

    /// <summary>Whether it is looked for in the normalized text, and normalized itself.</summary>
    public bool Normalized { get; init; }
}

/// <summary>The tokens a folder adds to its vocabulary, and its special ones.</summary>
internal sealed class AddedTokens
{
    private readonly HashSet<int> _special;
    private readonly Dictionary<int, string> _plain;

    public AddedTokens(IReadOnlyList<AddedToken> tokens, string? bos = null, string? eos = null)
    {
        var ids = tokens.Where(t => t.Special).ToDictionary(t => t.Name, t => t.Id, StringComparer.Ordinal);
        int? Of(string? name) => name is not null && ids.TryGetValue(name, out var id) ? id : null;
        All = tokens;
        Specials = new SpecialTokens(ids, Of(bos), Of(eos));
        _special = [.. ids.Values];
        _plain = tokens.Where(t => !t.Special).DistinctBy(t => t.Id).ToDictionary(t => t.Id, t => t.Name);
        Plain = new NameMatcher(tokens.Where(t => !t.Special).Select(t => KeyValuePair.Create(t.Name, t.Id)));
        HighestId = tokens.Select(t => t.Id).Append(-1).Max();
    }

    /// <summary>Special and plain ones.</summary>
    public IReadOnlyList<AddedToken> All { get; }

    public SpecialTokens Specials { get; }

    /// <summary>Finds added tokens that are text.</summary>
    public NameMatcher Plain { get; }

    /// <summary>-1 where none is added.</summary>
    public int HighestId { get; }

    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>The text of an added token that is text, or null.</summary>
    public string? TextOf(int id) => _plain.GetValueOrDefault(id);
}
