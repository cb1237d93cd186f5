using System.Globalization;
using System.Text;

namespace EditUnlearn.Models.Tokenizers.Steps;

/// <summary>
/// The four normalization forms of Unicode, with the count of characters that each rewritten one takes the place of.
/// </summary>
/// <remarks>
/// Source: Unicode Standard Annex 15. Own code because .NET normalizes no text in its invariant mode, and because it
/// does not tell where a character comes from. The data lies beside this file.
/// </remarks>
internal static class NormalForms
{
    private const int HangulFirst = 0xAC00,
        HangulCount = 11172,
        LeadFirst = 0x1100,
        LeadCount = 19,
        VowelFirst = 0x1161,
        VowelCount = 21,
        TailFirst = 0x11A7,
        TailCount = 28;

    private static readonly Lazy<Data> Tables = new(Data.Read);

    /// <summary>
    /// The characters of a text's form, each with its change: 1 where it is put in, else the number of characters that
    /// it swallows beyond the one it replaces, below zero.
    /// </summary>
    public static IEnumerable<(Rune Rune, int Change)> Of(string text, bool compatible, bool composed)
    {
        var parts = Decomposed(text, compatible);
        return composed ? Composed(parts) : parts.Select(p => (p.Rune, p.Change));
    }

    // Marks behind a letter are put in the order of their classes.
    private static IEnumerable<(Rune Rune, int Change, int Class)> Decomposed(string text, bool compatible)
    {
        var pending = new List<(Rune Rune, int Change, int Class)>();
        foreach (var rune in text.EnumerateRunes())
        {
            var change = 0;
            foreach (var part in Tables.Value.Decompose(rune.Value, compatible))
            {
                var kind = Tables.Value.ClassOf(part);
                if (kind == 0)
                {
                    foreach (var mark in pending.OrderBy(m => m.Class))
                        yield return mark;
                    pending.Clear();
                }
                pending.Add((new Rune(part), change, kind));
                change = 1;
            }
        }
        foreach (var mark in pending.OrderBy(m => m.Class))
            yield return mark;
    }

    // A letter takes up every mark that it has a composition with, unless a mark of the same or a higher class that
    // was not taken up stands between.
    private static IEnumerable<(Rune Rune, int Change)> Composed(IEnumerable<(Rune Rune, int Change, int Class)> parts)
    {
        (Rune Rune, int Change)? starter = null;
        var waiting = new List<(Rune Rune, int Change)>();
        var last = -1; // class of the last mark that waits
        foreach (var (rune, change, kind) in parts)
        {
            if (starter is not { } letter)
            {
                if (kind == 0)
                    starter = (rune, change);
                else
                    yield return (rune, change);
                continue;
            }
            if ((last < 0 || last < kind) && Tables.Value.Compose(letter.Rune.Value, rune.Value) is { } whole)
            {
                starter = (new Rune(whole), letter.Change + change - 1);
                continue;
            }
            if (kind != 0)
            {
                waiting.Add((rune, change));
                last = kind;
                continue;
            }
            yield return letter;
            foreach (var mark in waiting)
                yield return mark;
            waiting.Clear();
            (starter, last) = ((rune, change), -1);
        }
        if (starter is { } end)
            yield return end;
        foreach (var mark in waiting)
            yield return mark;
    }

    private sealed class Data
    {
        private readonly Dictionary<int, byte> _classes = [];
        private readonly Dictionary<int, int[]> _canonical = [],
            _compatible = [];
        private readonly Dictionary<(int, int), int> _pairs = [];
        private readonly Dictionary<int, int[]> _wholeCanonical = [],
            _wholeCompatible = [];

        // Lines "230 300 314", "C0=41 300", "340-300" and "A0~20", as the script that writes them says.
        public static Data Read()
        {
            var data = new Data();
            var name = typeof(NormalForms).Assembly.GetName().Name + ".Tokenizers.normal-forms.txt";
            using var file = new StreamReader(typeof(NormalForms).Assembly.GetManifestResourceStream(name)!);
            while (file.ReadLine() is { } line)
                if (line[0] == '#')
                    continue;
                else if (line.IndexOfAny(['=', '-', '~']) is > 0 and var sign)
                    data.Add(Hex(line[..sign]), line[sign], [.. line[(sign + 1)..].Split(' ').Select(Hex)]);
                else if (line.Split(' ') is [var kind, var first, var last])
                    for (var c = Hex(first); c <= Hex(last); c++)
                        data._classes[c] = byte.Parse(kind, CultureInfo.InvariantCulture);
            data.Close();
            return data;
        }

        public int ClassOf(int c) => c < 0x300 ? 0 : _classes.GetValueOrDefault(c);

        public IReadOnlyList<int> Decompose(int c, bool compatible)
        {
            if (c < 0xA0)
                return [c];
            if (c is >= HangulFirst and < HangulFirst + HangulCount)
            {
                var syllable = c - HangulFirst;
                var lead = LeadFirst + syllable / (VowelCount * TailCount);
                var vowel = VowelFirst + syllable % (VowelCount * TailCount) / TailCount;
                var tail = syllable % TailCount;
                return tail == 0 ? [lead, vowel] : [lead, vowel, TailFirst + tail];
            }
            return (compatible ? _wholeCompatible : _wholeCanonical).TryGetValue(c, out var parts) ? parts : [c];
        }

        public int? Compose(int first, int second)
        {
            if (
                first is >= LeadFirst and < LeadFirst + LeadCount
                && second is >= VowelFirst and < VowelFirst + VowelCount
            )
                return HangulFirst + ((first - LeadFirst) * VowelCount + second - VowelFirst) * TailCount;
            if (
                first is >= HangulFirst and < HangulFirst + HangulCount
                && (first - HangulFirst) % TailCount == 0
                && second is > TailFirst and < TailFirst + TailCount
            )
                return first + second - TailFirst;
            return _pairs.TryGetValue((first, second), out var whole) ? whole : null;
        }

        private void Add(int c, char sign, int[] parts)
        {
            if (sign == '~')
                _compatible[c] = parts;
            else
                _canonical[c] = parts;
            if (sign == '=' && parts.Length == 2)
                _pairs[(parts[0], parts[1])] = c;
        }

        // The file holds one step of a decomposition; what a character becomes in the end is found once.
        private void Close()
        {
            foreach (var c in _canonical.Keys)
                _wholeCanonical[c] = [.. Whole(c, compatible: false)];
            foreach (var c in _canonical.Keys.Concat(_compatible.Keys))
                _wholeCompatible[c] = [.. Whole(c, compatible: true)];
        }

        private IEnumerable<int> Whole(int c, bool compatible) =>
            _canonical.TryGetValue(c, out var parts) || (compatible && _compatible.TryGetValue(c, out parts))
                ? parts.SelectMany(p => Whole(p, compatible))
                : [c];

        private static int Hex(string digits) =>
            int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }
}
