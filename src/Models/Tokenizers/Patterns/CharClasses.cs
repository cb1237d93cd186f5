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

    // Ranges of code points, in hexadecimal digits.
    private static readonly Dictionary<string, string> Scripts = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Han"] =
            "2E80-2E99 2E9B-2EF3 2F00-2FD5 3005 3007 3021-3029 3038-303B 3400-4DBF 4E00-9FFF "
            + "F900-FA6D FA70-FAD9 16FE2-16FE3 16FF0-16FF1 20000-2A6DF 2A700-2B739 2B740-2B81D "
            + "2B820-2CEA1 2CEB0-2EBE0 2F800-2FA1D 30000-3134A 31350-323AF",
        ["Hiragana"] = "3041-3096 309D-309F 1B001-1B11F 1B132 1B150-1B152 1F200",
        ["Katakana"] =
            "30A1-30FA 30FD-30FF 31F0-31FF 32D0-32FE 3300-3357 FF66-FF6F FF71-FF9D 1AFF0-1AFF3 "
            + "1AFF5-1AFFB 1AFFD-1AFFE 1B000 1B120-1B122 1B155 1B164-1B167",
        ["Hangul"] =
            "1100-11FF 302E-302F 3131-318E 3200-321E 3260-327E A960-A97C AC00-D7A3 D7B0-D7C6 "
            + "D7CB-D7FB FFA0-FFBE FFC2-FFC7 FFCA-FFCF FFD2-FFD7 FFDA-FFDC",
    };

    /// <summary>Unicode's White_Space.</summary>
    public static CharSet Space { get; } =
        new(Bits(SpaceSeparator, LineSeparator, ParagraphSeparator), [(0x09, 0x0D), (0x85, 0x85)]);

    /// <summary>Decimal digits of any script.</summary>
    public static CharSet Digit { get; } = new(Bits(DecimalDigitNumber));

    /// <summary>Numbers of any kind.</summary>
    public static CharSet Number { get; } = new(Bits(Categories["N"]));

    /// <summary>What <c>\w</c> is to these patterns: letters, marks, numbers, connecting punctuation.</summary>
    public static CharSet Word { get; } =
        new(Bits([.. Categories["L"], .. Categories["M"], .. Categories["N"], ConnectorPunctuation]), OtherAlphabetic);

    /// <summary>
    /// What it is to the engine that looks at the borders of added tokens: decimal digits and letters that are numbers
    /// instead of all numbers, and the two joiners.
    /// </summary>
    public static CharSet BorderWord { get; } =
        new(
            Bits([.. Categories["L"], .. Categories["M"], LetterNumber, DecimalDigitNumber, ConnectorPunctuation]),
            [.. OtherAlphabetic, (0x200C, 0x200D)]
        );

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
            return new CharSet(ranges: ranges.Split(' ').Select(Range));
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
                Bits([.. Categories["L"], SpacingCombiningMark, LetterNumber]),
                OtherAlphabetic
            ),
            "alnum" => new CharSet(
                Bits([.. Categories["L"], SpacingCombiningMark, LetterNumber, DecimalDigitNumber]),
                OtherAlphabetic
            ),
            "punct" => new CharSet(Bits([.. Categories["P"], .. Categories["S"]])),
            "cntrl" => new CharSet(Bits(Control)),
            "blank" => new CharSet(Bits(SpaceSeparator), [('\t', '\t')]),
            "ascii" => new CharSet(ranges: [(0, 0x7F)]),
            _ => null,
        };

    private static (int From, int To) Range(string range)
    {
        var ends = range.Split('-');
        static int Hex(string digits) =>
            int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return (Hex(ends[0]), Hex(ends[^1]));
    }

    private static uint Bits(params UnicodeCategory[] categories) =>
        categories.Aggregate(0u, (bits, category) => bits | (1u << (int)category));
}
