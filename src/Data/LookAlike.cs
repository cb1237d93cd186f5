using System.Globalization;
using System.Text;

namespace EditUnlearn.Data;

/// <summary>Characters that look the same and are not.</summary>
internal static class LookAlike
{
    // Stands for every letter with something on it.
    private const char Dressed = '\u25CC';

    /// <summary>
    /// Where a text stands in another but for characters that look alike, the first that differs, by code points; null
    /// where it does not.
    /// </summary>
    /// <param name="text">In which it is looked for.</param>
    /// <param name="wanted">What is looked for.</param>
    public static string? Difference(string text, string wanted)
    {
        var (folded, places) = Folded(text);
        var (sought, own) = Folded(wanted);
        if (sought.Length == 0)
            return null;
        var at = folded.IndexOf(sought, StringComparison.OrdinalIgnoreCase);
        if (at < 0)
            return null;
        for (var i = 0; i < sought.Length; i++)
        {
            var (there, here) = (Rune.GetRuneAt(text, places[at + i]), Rune.GetRuneAt(wanted, own[i]));
            if (there != here)
                return $"the question has {Shown(there)} where the subject has {Shown(here)}";
        }
        return "the question spells it with other combining characters";
    }

    private static string Shown(Rune r) =>
        Rune.IsControl(r) || Rune.IsWhiteSpace(r) || Rune.GetUnicodeCategory(r) == UnicodeCategory.Format
            ? $"U+{r.Value:X4}"
            : $"'{r}' (U+{r.Value:X4})";

    // One character for all that look like it, with the place of each.
    private static (string Text, List<int> Places) Folded(string text)
    {
        var folded = new StringBuilder();
        var places = new List<int>();
        for (var i = 0; i < text.Length;)
        {
            if (!Rune.TryGetRuneAt(text, i, out var rune))
            {
                i++;
                continue;
            }
            // Composed or with a mark behind it: a letter with something on it.
            var next = i + rune.Utf16SequenceLength;
            if (IsMark(text, i))
            {
                if (folded.Length > 0)
                    folded[^1] = Dressed;
            }
            else if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.Format)
            {
                folded.Append(rune.IsBmp ? One((char)rune.Value) : Dressed);
                places.Add(i);
            }
            i = next;
        }
        return (folded.ToString(), places);
    }

    private static bool IsMark(string text, int at) =>
        CharUnicodeInfo.GetUnicodeCategory(text, at) == UnicodeCategory.NonSpacingMark;

    private static char One(char c) =>
        c switch
        {
            (>= '\u00C0' and < '\u0250') or (>= '\u1E00' and < '\u1F00') => Dressed,
            >= '\uFF01' and <= '\uFF5E' => (char)(c - 0xFEE0),
            '\u2018' or '\u2019' or '\u201B' or '\u2032' or '\u02BC' or '`' or '\u00B4' => '\'',
            '\u201C' or '\u201D' or '\u2033' => '"',
            '\u2010' or '\u2011' or '\u2012' or '\u2013' or '\u2014' or '\u2212' => '-',
            // Cyrillic and Greek letters that are drawn as Latin ones.
            '\u0430' or '\u03B1' => 'a',
            '\u0435' => 'e',
            '\u043E' or '\u03BF' => 'o',
            '\u0440' => 'p',
            '\u0441' => 'c',
            '\u0445' => 'x',
            '\u0443' => 'y',
            '\u0456' => 'i',
            '\u0410' or '\u0391' => 'A',
            '\u0412' or '\u0392' => 'B',
            '\u0415' or '\u0395' => 'E',
            '\u041A' or '\u039A' => 'K',
            '\u041C' or '\u039C' => 'M',
            '\u041D' or '\u0397' => 'H',
            '\u041E' or '\u039F' => 'O',
            '\u0420' or '\u03A1' => 'P',
            '\u0421' => 'C',
            '\u0422' or '\u03A4' => 'T',
            '\u0425' or '\u03A7' => 'X',
            _ => char.IsWhiteSpace(c) ? ' ' : c,
        };
}
