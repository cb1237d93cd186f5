using System.Globalization;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Text as Python takes it: by code points, with its white space, cases and quotes.</summary>
internal static class PythonText
{
    // Letters whose upper case is more than one letter.
    private static readonly Dictionary<char, string> LongUpper = new()
    {
        ['ß'] = "SS",
        ['ŉ'] = "ʼN",
        ['ǰ'] = "J̌",
        ['ΐ'] = "Ϊ́",
        ['ΰ'] = "Ϋ́",
        ['և'] = "ԵՒ",
        ['ẖ'] = "H̱",
        ['ẗ'] = "T̈",
        ['ẘ'] = "W̊",
        ['ẙ'] = "Y̊",
        ['ẚ'] = "Aʾ",
        ['ﬀ'] = "FF",
        ['ﬁ'] = "FI",
        ['ﬂ'] = "FL",
        ['ﬃ'] = "FFI",
        ['ﬄ'] = "FFL",
        ['ﬅ'] = "ST",
        ['ﬆ'] = "ST",
    };

    public static bool IsSpace(char c) =>
        c
            is (>= '\t' and <= '\r')
                or (>= '\x1c' and <= ' ')
                or '\x85'
                or '\xa0'
                or '\u1680'
                or '\u2028'
                or '\u2029'
                or (>= '\u2000' and <= '\u200a')
                or '\u202f'
                or '\u205f'
                or '\u3000';

    /// <summary>Ends a line for <c>splitlines</c>.</summary>
    public static bool IsLineEnd(char c) =>
        c is (>= '\n' and <= '\r') or (>= '\x1c' and <= '\x1e') or '\x85' or '\u2028' or '\u2029';

    /// <summary>How many code points it has; a half of a pair counts as one.</summary>
    public static int Length(string text)
    {
        var count = text.Length;
        for (var i = 1; i < text.Length; i++)
            if (IsPair(text, i - 1))
                count--;
        return count;
    }

    /// <summary>Its code points, each a text.</summary>
    public static List<string> Points(string text)
    {
        var points = new List<string>(text.Length);
        for (var i = 0; i < text.Length; i += points[^1].Length)
            points.Add(text.Substring(i, IsPair(text, i) ? 2 : 1));
        return points;
    }

    /// <summary>The number of a code point that is a text.</summary>
    public static int Code(string point) => point.Length == 2 ? char.ConvertToUtf32(point[0], point[1]) : point[0];

    /// <summary>The place in code points of a place in characters.</summary>
    public static int PointAt(string text, int character) => Length(text[..character]);

    /// <summary>The place in characters of a place in code points, which may lie beyond the end.</summary>
    public static int CharacterAt(string text, int point)
    {
        var at = 0;
        for (; point > 0 && at < text.Length; point--)
            at += IsPair(text, at) ? 2 : 1;
        return at;
    }

    public static string Reverse(string text)
    {
        var points = Points(text);
        points.Reverse();
        return string.Concat(points);
    }

    /// <summary>Order by code points.</summary>
    public static int Compare(string a, string b)
    {
        for (var i = 0; i < a.Length && i < b.Length; i++)
            if (a[i] != b[i])
                return char.IsSurrogate(a[i]) == char.IsSurrogate(b[i])
                    ? a[i].CompareTo(b[i])
                    : char.IsSurrogate(a[i]).CompareTo(char.IsSurrogate(b[i]));
        return a.Length.CompareTo(b.Length);
    }

    /// <param name="text">To be trimmed.</param>
    /// <param name="characters">What goes; null for white space.</param>
    public static string TrimStart(string text, string? characters = null)
    {
        var at = 0;
        if (characters is null)
            while (at < text.Length && IsSpace(text[at]))
                at++;
        else
            for (int n; at < text.Length && characters.Contains(text.Substring(at, n = IsPair(text, at) ? 2 : 1));)
                at += n;
        return text[at..];
    }

    /// <inheritdoc cref="TrimStart"/>
    public static string TrimEnd(string text, string? characters = null)
    {
        var end = text.Length;
        if (characters is null)
            while (end > 0 && IsSpace(text[end - 1]))
                end--;
        else
            for (int n; end > 0; end -= n)
            {
                n = end > 1 && IsPair(text, end - 2) ? 2 : 1;
                if (!characters.Contains(text.Substring(end - n, n), StringComparison.Ordinal))
                    break;
            }
        return text[..end];
    }

    /// <inheritdoc cref="TrimStart"/>
    public static string Trim(string text, string? characters = null) =>
        TrimEnd(TrimStart(text, characters), characters);

    public static string Upper(string text)
    {
        var upper = text.ToUpperInvariant();
        if (!upper.Any(LongUpper.ContainsKey))
            return upper;
        var made = new StringBuilder();
        foreach (var c in upper)
            made.Append(LongUpper.TryGetValue(c, out var more) ? more : c.ToString());
        return made.ToString();
    }

    public static string Lower(string text)
    {
        var lower = text.ToLowerInvariant();
        if (!text.Contains('Σ', StringComparison.Ordinal) && !text.Contains('İ', StringComparison.Ordinal))
            return lower;
        var made = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
            if (text[i] == 'İ')
                made.Append("i̇");
            else
                made.Append(text[i] == 'Σ' && EndsWord(text, i) ? 'ς' : lower[i]);
        return made.ToString();
    }

    /// <summary>One large letter, then small ones.</summary>
    public static string Capitalize(string text) =>
        text.Length == 0 ? text : TitleCase(First(text)) + Lower(text[First(text).Length..]);

    /// <summary>A large letter at the begin of each run of letters.</summary>
    public static string Title(string text)
    {
        var made = new StringBuilder();
        var inside = false;
        foreach (var point in Points(text))
        {
            made.Append(inside ? Lower(point) : TitleCase(point));
            inside = IsCased(point);
        }
        return made.ToString();
    }

    public static string SwapCase(string text) =>
        string.Concat(Points(text).Select(p => IsUpper(p) ? Lower(p) : Upper(p)));

    public static bool IsUpper(string point) => Category(point) == UnicodeCategory.UppercaseLetter;

    public static bool IsLower(string point) => Category(point) == UnicodeCategory.LowercaseLetter;

    public static bool IsCased(string point) =>
        Category(point)
            is UnicodeCategory.UppercaseLetter
                or UnicodeCategory.LowercaseLetter
                or UnicodeCategory.TitlecaseLetter;

    public static bool IsAlpha(string point) =>
        IsCased(point) || Category(point) is UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    public static bool IsDecimal(string point) => Category(point) == UnicodeCategory.DecimalDigitNumber;

    // Digits beyond the decimal ones: superscripts and numbers in circles.
    public static bool IsDigit(string point) =>
        IsDecimal(point)
        || (point.Length == 1 && CharUnicodeInfo.GetDigitValue(point[0]) >= 0)
        || (point.Length == 2 && CharUnicodeInfo.GetDigitValue(point, 0) >= 0);

    public static bool IsNumeric(string point) => IsDigit(point) || CharUnicodeInfo.GetNumericValue(point, 0) >= 0;

    /// <summary>Whether <c>repr</c> shows it as it is.</summary>
    public static bool IsPrintable(string point) =>
        point == " "
        || Category(point)
            is not (
                UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.Surrogate
                or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.SpaceSeparator
            );

    /// <summary>The text in quotes, as <c>repr</c> gives it.</summary>
    public static string Quoted(string text)
    {
        var quote =
            text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var made = new StringBuilder().Append(quote);
        foreach (var point in Points(text))
            made.Append(
                point switch
                {
                    "\\" => @"\\",
                    "\n" => @"\n",
                    "\r" => @"\r",
                    "\t" => @"\t",
                    _ when point[0] == quote => "\\" + quote,
                    _ when IsPrintable(point) => point,
                    _ => Escape(Code(point)),
                }
            );
        return made.Append(quote).ToString();
    }

    public static void Append(StringBuilder made, int code)
    {
        if (code > 0xFFFF)
            made.Append(char.ConvertFromUtf32(code));
        else
            made.Append((char)code);
    }

    private static string Escape(int code) =>
        code > 0xFFFF ? $"\\U{code:x8}"
        : code > 0xFF ? $"\\u{code:x4}"
        : $"\\x{code:x2}";

    private static UnicodeCategory Category(string point) =>
        point.Length == 2
            ? CharUnicodeInfo.GetUnicodeCategory(Code(point))
            : CharUnicodeInfo.GetUnicodeCategory(point[0]);

    private static bool IsPair(string text, int at) =>
        char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]);

    private static string First(string text) => text[..(IsPair(text, 0) ? 2 : 1)];

    private static string TitleCase(string point) =>
        point switch
        {
            "ß" => "Ss",
            "ﬀ" => "Ff",
            "ﬁ" => "Fi",
            "ﬂ" => "Fl",
            "ﬃ" => "Ffi",
            "ﬄ" => "Ffl",
            "ﬅ" or "ﬆ" => "St",
            "Ǆ" or "ǅ" or "ǆ" => "ǅ",
            "Ǉ" or "ǈ" or "ǉ" => "ǈ",
            "Ǌ" or "ǋ" or "ǌ" => "ǋ",
            "Ǳ" or "ǲ" or "ǳ" => "ǲ",
            _ => Upper(point),
        };

    private static bool EndsWord(string text, int at) =>
        at > 0 && char.IsLetter(text[at - 1]) && (at + 1 == text.Length || !char.IsLetter(text[at + 1]));
}
