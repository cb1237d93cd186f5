using System.Globalization;
using static System.Globalization.UnicodeCategory;

namespace EditUnlearn.Models.Tokenizers.Patterns;

/// <summary>The classes of characters that patterns name: <c>\s</c>, <c>\p{Lu}</c>, <c>[:alpha:]</c>.</summary>
/// <remarks>
/// Source: Unicode 15, UAX 44, and the documentation of Oniguruma, whose patterns these files hold. .NET knows the
/// general categories; of the scripts only those that published tokenizers name are listed.
/// </remarks>
internal static class CharClasses
{
    // Letters in circles and squares are no letters by category, but they are alphabetic.
    private static readonly (int, int)[] OtherAlphabetic =
    [
        (0x24B6, 0x24E9),
        (0x1F130, 0x1F149),
        (0x1F150, 0x1F169),
        (0x1F170, 0x1F189),
    ];

    private static readonly Dictionary<string, UnicodeCategory[]> Categories = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Lu"] = [UppercaseLetter],
        ["Ll"] = [LowercaseLetter],
        ["Lt"] = [TitlecaseLetter],
        ["Lm"] = [ModifierLetter],
        ["Lo"] = [OtherLetter],
        ["LC"] = [UppercaseLetter, LowercaseLetter, TitlecaseLetter],
        ["L"] = [UppercaseLetter, LowercaseLetter, TitlecaseLetter, ModifierLetter, OtherLetter],
        ["Mn"] = [NonSpacingMark],
        ["Mc"] = [SpacingCombiningMark],
        ["Me"] = [EnclosingMark],
        ["M"] = [NonSpacingMark, SpacingCombiningMark, EnclosingMark],
        ["Nd"] = [DecimalDigitNumber],
        ["Nl"] = [LetterNumber],
        ["No"] = [OtherNumber],
        ["N"] = [DecimalDigitNumber, LetterNumber, OtherNumber],
        ["Pc"] = [ConnectorPunctuation],
        ["Pd"] = [DashPunctuation],
        ["Ps"] = [OpenPunctuation],
        ["Pe"] = [ClosePunctuation],
        ["Pi"] = [InitialQuotePunctuation],
        ["Pf"] = [FinalQuotePunctuation],
        ["Po"] = [OtherPunctuation],
        ["P"] =
        [
            ConnectorPunctuation,
            DashPunctuation,
            OpenPunctuation,
            ClosePunctuation,
            InitialQuotePunctuation,
            FinalQuotePunctuation,
            OtherPunctuation,
        ],
        ["Sm"] = [MathSymbol],
        ["Sc"] = [CurrencySymbol],
        ["Sk"] = [ModifierSymbol],
        ["So"] = [OtherSymbol],
        ["S"] = [MathSymbol, CurrencySymbol, ModifierSymbol, OtherSymbol],
        ["Zs"] = [SpaceSeparator],
        ["Zl"] = [LineSeparator],
        ["Zp"] = [ParagraphSeparator],
        ["Z"] = [SpaceSeparator, LineSeparator, ParagraphSeparator],
        ["Cc"] = [Control],
        ["Cf"] = [Format],
        ["Cs"] = [Surrogate],
        ["Co"] = [PrivateUse],
        ["Cn"] = [OtherNotAssigned],
        ["C"] = [Control, Format, Surrogate, PrivateUse, OtherNotAssigned],
    };

    private static readonly Dictionary<string, string> LongNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L",
        ["UppercaseLetter"] = "Lu",
        ["LowercaseLetter"] = "Ll",
        ["TitlecaseLetter"] = "Lt",
        ["ModifierLetter"] = "Lm",
        ["OtherLetter"] = "Lo",
        ["Mark"] = "M",
        ["NonspacingMark"] = "Mn",
        ["SpacingMark"] = "Mc",
        ["EnclosingMark"] = "Me",
        ["Number"] = "N",
        ["DecimalNumber"] = "Nd",
        ["LetterNumber"] = "Nl",
        ["OtherNumber"] = "No",
        ["Punctuation"] = "P",
        ["Symbol"] = "S",
        ["MathSymbol"] = "Sm",
        ["CurrencySymbol"] = "Sc",
        ["Separator"] = "Z",
        ["SpaceSeparator"] = "Zs",
        ["Other"] = "C",
        ["Control"] = "Cc",
        ["Format"] = "Cf",
    };

    private static readonly Dictionary<string, (int, int)[]> Scripts = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Han"] =
        [
            (0x2E80, 0x2E99),
            (0x2E9B, 0x2EF3),
            (0x2F00, 0x2FD5),
            (0x3005, 0x3005),
            (0x3007, 0x3007),
            (0x3021, 0x3029),
            (0x3038, 0x303B),
            (0x3400, 0x4DBF),
            (0x4E00, 0x9FFF),
            (0xF900, 0xFA6D),
            (0xFA70, 0xFAD9),
            (0x16FE2, 0x16FE3),
            (0x16FF0, 0x16FF1),
            (0x20000, 0x2A6DF),
            (0x2A700, 0x2B739),
            (0x2B740, 0x2B81D),
            (0x2B820, 0x2CEA1),
            (0x2CEB0, 0x2EBE0),
            (0x2F800, 0x2FA1D),
            (0x30000, 0x3134A),
            (0x31350, 0x323AF),
        ],
        ["Hiragana"] =
        [
            (0x3041, 0x3096),
            (0x309D, 0x309F),
            (0x1B001, 0x1B11F),
            (0x1B132, 0x1B132),
            (0x1B150, 0x1B152),
            (0x1F200, 0x1F200),
        ],
        ["Katakana"] =
        [
            (0x30A1, 0x30FA),
            (0x30FD, 0x30FF),
            (0x31F0, 0x31FF),
            (0x32D0, 0x32FE),
            (0x3300, 0x3357),
            (0xFF66, 0xFF6F),
            (0xFF71, 0xFF9D),
            (0x1AFF0, 0x1AFF3),
            (0x1AFF5, 0x1AFFB),
            (0x1AFFD, 0x1AFFE),
            (0x1B000, 0x1B000),
            (0x1B120, 0x1B122),
            (0x1B155, 0x1B155),
            (0x1B164, 0x1B167),
        ],
        ["Hangul"] =
        [
            (0x1100, 0x11FF),
            (0x302E, 0x302F),
            (0x3131, 0x318E),
            (0x3200, 0x321E),
            (0x3260, 0x327E),
            (0xA960, 0xA97C),
            (0xAC00, 0xD7A3),
            (0xD7B0, 0xD7C6),
            (0xD7CB, 0xD7FB),
            (0xFFA0, 0xFFBE),
            (0xFFC2, 0xFFC7),
            (0xFFCA, 0xFFCF),
            (0xFFD2, 0xFFD7),
            (0xFFDA, 0xFFDC),
        ],
    };

    /// <summary>Unicode's White_Space.</summary>
    public static CharSet Space { get; } =
        new(Bits(SpaceSeparator, LineSeparator, ParagraphSeparator), [(0x09, 0x0D), (0x85, 0x85)]);

    /// <summary>Decimal digits of any script.</summary>
    public static CharSet Digit { get; } = new(Bits(DecimalDigitNumber));

    /// <summary>Numbers of any kind.</summary>
    public static CharSet Number { get; } = new(Bits(Categories["N"]));

    /// <summary>Letters, marks, decimal digits, connecting punctuation.</summary>
    public static CharSet Word { get; } =
        new(
            Bits([.. Categories["L"], .. Categories["M"], LetterNumber, DecimalDigitNumber, ConnectorPunctuation]),
            OtherAlphabetic
        );

    /// <summary>
    /// The same with the two joiners, as the engine counts that looks at the borders of added tokens.
    /// </summary>
    public static CharSet WordWithJoiners { get; } = new(ranges: [(0x200C, 0x200D)], parts: [Word]);

    /// <summary>Hexadecimal digits.</summary>
    public static CharSet Hex { get; } = new(ranges: [('0', '9'), ('a', 'f'), ('A', 'F')]);

    /// <summary>Punctuation of ASCII, its symbols included, and of all other scripts.</summary>
    public static CharSet Punctuation { get; } =
        new(Bits(Categories["P"]), [('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]);

    /// <summary>Everything but the line feed.</summary>
    public static CharSet NoLineFeed { get; } = new(ranges: [('\n', '\n')], negated: true);

    /// <summary>Everything.</summary>
    public static CharSet All { get; } = new(negated: true);

    /// <summary>Combining marks of every kind.</summary>
    public static CharSet Mark { get; } = new(Bits(Categories["M"]));

    /// <summary>The set of a property's name, or null. Spaces, hyphens and underscores in it do not count.</summary>
    public static CharSet? Find(string name)
    {
        name = string.Concat(name.Where(c => c is not (' ' or '-' or '_')));
        if (name.StartsWith("Is", StringComparison.OrdinalIgnoreCase) && name.Length > 2)
            name = name[2..];
        name = LongNames.GetValueOrDefault(name, name);
        if (Categories.TryGetValue(name, out var categories))
            return new CharSet(Bits(categories));
        if (Scripts.TryGetValue(name, out var ranges))
            return new CharSet(ranges: ranges);
        return Bracket(name);
    }

    /// <summary>The set of a POSIX name, or null.</summary>
    public static CharSet? Bracket(string name) =>
        name.ToLowerInvariant() switch
        {
            "any" => All,
            "space" or "whitespace" => Space,
            "digit" => Digit,
            "word" => Word,
            "xdigit" => Hex,
            "upper" or "uppercase" => new CharSet(Bits(UppercaseLetter)),
            "lower" or "lowercase" => new CharSet(Bits(LowercaseLetter)),
            "alpha" or "alphabetic" => new CharSet(
                Bits([.. Categories["L"], .. Categories["M"], LetterNumber]),
                OtherAlphabetic
            ),
            "alnum" => new CharSet(
                Bits([.. Categories["L"], .. Categories["M"], LetterNumber, DecimalDigitNumber]),
                OtherAlphabetic
            ),
            "punct" => new CharSet(Bits([.. Categories["P"], .. Categories["S"]])),
            "cntrl" => new CharSet(Bits(Control)),
            "blank" => new CharSet(Bits(SpaceSeparator), [('\t', '\t')]),
            "ascii" => new CharSet(ranges: [(0, 0x7F)]),
            _ => null,
        };

    private static uint Bits(params UnicodeCategory[] categories) =>
        categories.Aggregate(0u, (bits, category) => bits | (1u << (int)category));
}
