using System.Globalization;
using System.Text;

namespace EditUnlearn.Models.Tokenizers.Patterns;

/// <summary>Reads a regular expression as Oniguruma writes it, which is what a <c>tokenizer.json</c> holds.</summary>
/// <remarks>
/// Read are literals, classes with ranges, intersections and Unicode properties, groups, alternatives, repetitions of
/// all three greeds, looks in both directions and anchors. Back references, calls and conditions are refused by name:
/// no published tokenizer has them, and they take away the bound on work.
/// </remarks>
internal sealed class PatternParser
{
    private const int Longest = 20_000,
        Deepest = 60,
        MostRepeats = 100_000;

    private readonly int[] _text;
    private int _at,
        _depth,
        _loops;
    private bool _ignoreCase,
        _dotAll;

    private PatternParser(string pattern) => _text = [.. pattern.EnumerateRunes().Select(r => r.Value)];

    /// <summary>The first step of a pattern, and how many loops it has.</summary>
    /// <exception cref="FormatException">It is not understood.</exception>
    public static (PatternNode? First, int Loops) Parse(string pattern)
    {
        if (pattern.Length > Longest)
            throw new FormatException($"has {pattern.Length} characters; up to {Longest} are read");
        var parser = new PatternParser(pattern);
        var part = parser.Alternatives();
        if (parser._at < parser._text.Length)
            throw new FormatException("closes a group that was not opened");
        return (part.Link(null), parser._loops);
    }

    // A part of a pattern: how it is joined to what follows, the set where it is a single character, and how many
    // characters it always takes.
    private sealed record Part(Func<PatternNode?, PatternNode?> Link, CharSet? Single = null, int? Length = null)
    {
        public static Part Empty { get; } = new(next => next, Length: 0);

        public static Part Of(CharSet set) => new(next => new OneOf(set) { Next = next }, set, 1);
    }

    private Part Alternatives()
    {
        if (++_depth > Deepest)
            throw new FormatException($"has groups more than {Deepest} deep");
        var (ignoreCase, dotAll) = (_ignoreCase, _dotAll);
        var parts = new List<Part> { Sequence() };
        while (Take('|'))
            parts.Add(Sequence());
        (_ignoreCase, _dotAll) = (ignoreCase, dotAll);
        _depth--;
        if (parts.Count == 1)
            return parts[0];
        // One character out of several sets is one set: that takes no step back.
        if (parts.All(p => p.Single is not null))
            return Part.Of(new CharSet(parts: parts.Select(p => p.Single!)));
        var length = parts.All(p => p.Length == parts[0].Length) ? parts[0].Length : null;
        return new Part(next => new Choice([.. parts.Select(p => p.Link(next))]) { Next = next }, Length: length);
    }

    private Part Sequence()
    {
        var parts = new List<Part>();
        while (_at < _text.Length && _text[_at] is not ('|' or ')'))
            parts.Add(Repeated(One()));
        if (parts.Count == 1)
            return parts[0];
        return new Part(
            next => Enumerable.Reverse(parts).Aggregate(next, (rest, part) => part.Link(rest)),
            Length: parts.Aggregate((int?)0, (sum, part) => sum + part.Length)
        );
    }

    private Part One()
    {
        var c = _text[_at++];
        return c switch
        {
            '(' => Group(),
            '[' => Part.Of(Class()),
            '.' => Part.Of(_dotAll ? CharClasses.All : CharClasses.NoLineFeed),
            '^' => At(AnchorKind.LineStart),
            '$' => At(AnchorKind.LineEnd),
            '\\' => Escaped(),
            '*' or '+' or '?' => throw new FormatException($"repeats nothing with '{(char)c}'"),
            _ => Part.Of(CharSet.Of(c, _ignoreCase)),
        };
    }

    private static Part At(AnchorKind kind) => new(next => new Anchor(kind) { Next = next }, Length: 0);

    private Part Group()
    {
        if (!Take('?'))
            return Closed();
        switch (Read())
        {
            case ':':
                return Closed();
            case '>':
                return Atom(Closed());
            case '=':
                return Looking(Closed(), negated: false);
            case '!':
                return Looking(Closed(), negated: true);
            case '#':
                while (Read() != ')') { }
                return Part.Empty;
            case '<' when Take('='):
                return Behind(Closed(), negated: false);
            case '<' when Take('!'):
                return Behind(Closed(), negated: true);
            case '<':
                while (Read() != '>') { }
                return Closed();
            default:
                _at--;
                return Options();
        }
    }

    private static Part Atom(Part part) =>
        new(next => new Atomic(part.Link(null)) { Next = next }, Length: part.Length);

    private static Part Looking(Part part, bool negated) =>
        new(next => new Look(part.Link(null), negated) { Next = next }, Length: 0);

    private static Part Behind(Part part, bool negated) =>
        part.Length is { } length
            ? new(next => new LookBack(part.Link(null), length, negated) { Next = next }, Length: 0)
            : throw new FormatException("looks back over a part that has no fixed length");

    private Part Closed()
    {
        var part = Alternatives();
        if (!Take(')'))
            throw new FormatException("does not close a group");
        return part;
    }

    // (?i:...) counts for the group, (?i) for the rest of the group around it.
    private Part Options()
    {
        var (ignoreCase, dotAll) = (_ignoreCase, _dotAll);
        var on = true;
        while (true)
            switch (Read())
            {
                case 'i':
                    _ignoreCase = on;
                    break;
                case 'm':
                    _dotAll = on;
                    break;
                case '-':
                    on = false;
                    break;
                case ')':
                    return Part.Empty;
                case ':':
                    var part = Closed();
                    (_ignoreCase, _dotAll) = (ignoreCase, dotAll);
                    return part;
                case var other:
                    throw new FormatException($"has a group '(?{char.ConvertFromUtf32(other)}' that is not supported");
            }
    }

    private Part Repeated(Part part)
    {
        while (_at < _text.Length)
        {
            var (least, most, fixedCount) = (0, int.MaxValue, false);
            var interval = false;
            switch (_text[_at])
            {
                case '*':
                    break;
                case '+':
                    least = 1;
                    break;
                case '?':
                    most = 1;
                    break;
                case '{' when Interval() is { } counts:
                    (least, most, interval) = (counts.Least, counts.Most, true);
                    fixedCount = least == most;
                    break;
                default:
                    return part;
            }
            _at++;
            // Behind an interval a plus repeats once more, and behind a fixed one the question mark does.
            var greed =
                !interval && Take('+') ? Greed.All
                : !fixedCount && Take('?') ? Greed.Least
                : Greed.Most;
            part = Repeat(part, least, most, greed);
        }
        return part;
    }

    private Part Repeat(Part part, int least, int most, Greed greed)
    {
        var length = least == most ? part.Length * least : null;
        if (part.Single is { } set)
            return new Part(next => new Run(set, least, most, greed) { Next = next }, Length: length);
        if (greed == Greed.All)
            return Atom(Repeat(part, least, most, Greed.Most));
        return new Part(
            next =>
            {
                var loop = new Loop(_loops++, least, most, greed == Greed.Most) { Next = next };
                loop.Body = part.Link(new LoopEnd(loop));
                return loop;
            },
            Length: length
        );
    }

    // {2}, {2,}, {,3}, {2,3}; leaves the place at its last character. Anything else is a brace of the text.
    private (int Least, int Most)? Interval()
    {
        var end = Array.IndexOf(_text, '}', _at);
        if (end < 0)
            return null;
        var inside = string.Concat(_text[(_at + 1)..end].Select(char.ConvertFromUtf32)).Split(',');
        static int? Number(string digits) =>
            int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;
        (int, int)? counts = inside switch
        {
            [var one] when Number(one) is { } n => (n, n),
            [var from, ""] when Number(from) is { } n => (n, int.MaxValue),
            ["", var to] when Number(to) is { } n => (0, n),
            [var from, var to] when Number(from) is { } n && Number(to) is { } m => (n, m),
            _ => null,
        };
        if (counts is not { } found)
            return null;
        if (found.Item1 > MostRepeats || found.Item2 < found.Item1)
            throw new FormatException($"repeats by '{{{string.Join(',', inside)}}}', which no text can satisfy");
        _at = end;
        return found;
    }

    private Part Escaped()
    {
        switch (Read())
        {
            case 'A':
                return At(AnchorKind.TextStart);
            case 'z':
                return At(AnchorKind.TextEnd);
            case 'Z':
                return At(AnchorKind.TextEndOrLineFeed);
            case 'b':
                return At(AnchorKind.WordBorder);
            case 'B':
                return At(AnchorKind.NoWordBorder);
            default:
                _at--;
                var (set, letter) = Letter();
                return Part.Of(set ?? CharSet.Of(letter, _ignoreCase));
        }
    }

    // What stands behind a backslash, in a class or outside: a set or one character.
    private (CharSet? Set, int Letter) Letter()
    {
        var c = Read();
        switch (c)
        {
            case 's' or 'd' or 'w' or 'h':
                return (Short(c), 0);
            case 'S' or 'D' or 'W' or 'H':
                return (new CharSet(parts: [Short(c + ('a' - 'A'))], negated: true), 0);
            case 'p' or 'P':
                return (Property(negated: c == 'P'), 0);
            case 'x' or 'u':
                return (null, Code(c));
            case 'n':
                return (null, '\n');
            case 'r':
                return (null, '\r');
            case 't':
                return (null, '\t');
            case 'f':
                return (null, '\f');
            case 'v':
                return (null, '\v');
            case 'a':
                return (null, '\a');
            case 'e':
                return (null, 0x1B);
            case '0':
                return (null, 0);
            case < 0x80 when char.IsAsciiLetterOrDigit((char)c):
                throw new FormatException($"has '\\{(char)c}', which is not supported");
            default:
                return (null, c);
        }
    }

    private static CharSet Short(int c) =>
        c switch
        {
            's' => CharClasses.Space,
            'd' => CharClasses.Digit,
            'w' => CharClasses.Word,
            _ => CharClasses.Hex,
        };

    private CharSet Property(bool negated)
    {
        if (!Take('{'))
            throw new FormatException("has a property without a name in braces");
        negated ^= Take('^');
        var name = new StringBuilder();
        for (var c = Read(); c != '}'; c = Read())
            name.Append(char.ConvertFromUtf32(c));
        var set =
            CharClasses.Find(name.ToString())
            ?? throw new FormatException($"names the property '{name}', which is not known");
        return negated ? new CharSet(parts: [set], negated: true) : set;
    }

    private int Code(int kind)
    {
        var digits = new StringBuilder();
        if (kind == 'x' && Take('{'))
            for (var c = Read(); c != '}'; c = Read())
                digits.Append(char.ConvertFromUtf32(c));
        else
            for (
                var left = kind == 'x' ? 2 : 4;
                left > 0 && _at < _text.Length && _text[_at] < 0x80 && char.IsAsciiHexDigit((char)_text[_at]);
                left--
            )
                digits.Append((char)_text[_at++]);
        return
            int.TryParse(digits.ToString(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            && Rune.IsValid(code)
            ? code
            : throw new FormatException($"has the code '{digits}', which is no character");
    }

    private CharSet Class()
    {
        if (++_depth > Deepest)
            throw new FormatException($"has classes more than {Deepest} deep");
        var negated = Take('^');
        var ranges = new List<(int, int)>();
        var parts = new List<CharSet>();
        CharSet? within = null;
        for (var first = true; first || !Take(']'); first = false)
        {
            if (_at + 1 < _text.Length && _text[_at] == '&' && _text[_at + 1] == '&')
            {
                // What stands before and what follows are cut with each other.
                _at += 2;
                var before = new CharSet(0, ranges, parts, ignoreCase: _ignoreCase, within: within);
                (ranges, parts, within) = ([], [], before);
                continue;
            }
            var (set, from) = Member();
            if (set is not null)
            {
                parts.Add(set);
                continue;
            }
            var to = from;
            if (_at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                (set, to) = Member();
                if (set is not null || to < from)
                    throw new FormatException("has a range in a class that does not go up");
            }
            ranges.Add((from, to));
        }
        _depth--;
        return new CharSet(0, ranges, parts, negated, _ignoreCase, within);
    }

    private (CharSet? Set, int Letter) Member()
    {
        var c = Read();
        if (c == '\\')
        {
            if (_at < _text.Length && _text[_at] == 'b')
            {
                _at++;
                return (null, '\b');
            }
            return Letter();
        }
        if (c != '[')
            return (null, c);
        if (!Take(':'))
            return (Class(), 0);
        var negated = Take('^');
        var name = new StringBuilder();
        for (c = Read(); c != ':'; c = Read())
            name.Append(char.ConvertFromUtf32(c));
        if (!Take(']') || CharClasses.Bracket(name.ToString()) is not { } set)
            throw new FormatException($"names the class '{name}', which is not known");
        return (negated ? new CharSet(parts: [set], negated: true) : set, 0);
    }

    private bool Take(char c)
    {
        if (_at >= _text.Length || _text[_at] != c)
            return false;
        _at++;
        return true;
    }

    private int Read() => _at < _text.Length ? _text[_at++] : throw new FormatException("ends too early");
}
