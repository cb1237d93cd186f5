namespace EditUnlearn.Models.Tokenizers.Patterns;

/// <summary>A regular expression over characters, not over halves of them, with a bound on its work.</summary>
/// <remarks>
/// Own code because .NET's expressions see UTF-16, in which a letter beyond U+FFFF is no letter, know no possessive
/// repetition, hold the long s apart from s where case does not count, and are bounded by a clock only. The rule is
/// that of every backtracking engine: from the left, the first alternative that lets the rest fit.
/// </remarks>
internal sealed class TextPattern
{
    // A published pattern takes some ten steps a character. One that takes thousands goes back and forth without end.
    private const long StepsPerCharacter = 4096,
        StepsAtLeast = 1 << 16;
    private const int Deepest = 2000;

    private readonly PatternNode? _first;
    private readonly int _loops;

    /// <param name="pattern">As the file has it.</param>
    /// <exception cref="FormatException">It is not understood.</exception>
    public TextPattern(string pattern) => (_first, _loops) = PatternParser.Parse(pattern);

    /// <summary>A pattern that fits one text only.</summary>
    public static TextPattern Literal(string text)
    {
        PatternNode? first = null;
        foreach (var rune in text.EnumerateRunes().Reverse())
            first = new OneOf(CharSet.Of(rune.Value)) { Next = first };
        return new TextPattern(first, 0);
    }

    private TextPattern(PatternNode? first, int loops) => (_first, _loops) = (first, loops);

    /// <summary>
    /// Adds where it fits, from left to right, none over another. A place where it fits nothing at all is told too, but
    /// not right behind the last one.
    /// </summary>
    /// <param name="text">Well-formed.</param>
    /// <param name="found">Gets the places.</param>
    /// <param name="steps">Grows by the steps that were taken.</param>
    /// <exception cref="PatternWorkException">It takes too long.</exception>
    public void Find(ReadOnlySpan<char> text, List<(int Start, int Length)> found, ref long steps)
    {
        var run = new Search(text, _loops);
        var last = -1;
        for (var at = 0; at <= text.Length;)
        {
            var end = run.Match(_first, at);
            if (end > at || (end == at && last != at))
            {
                found.Add((at, end - at));
                last = end;
            }
            at = end > at ? end : at + run.Size(at);
        }
        steps += run.Steps;
    }

    /// <summary>The places where it fits.</summary>
    public List<(int Start, int Length)> Matches(string text)
    {
        var found = new List<(int, int)>();
        long steps = 0;
        Find(text, found, ref steps);
        return found;
    }

    private ref struct Search(ReadOnlySpan<char> text, int loops)
    {
        private readonly ReadOnlySpan<char> _text = text;
        private readonly long _limit = StepsAtLeast + StepsPerCharacter * text.Length;
        private readonly int[] _counts = loops == 0 ? [] : new int[loops];
        private readonly int[] _begins = loops == 0 ? [] : new int[loops];
        private int _depth;

        public long Steps { get; private set; }

        /// <summary>UTF-16 units of the character at a place; 1 at the end.</summary>
        public readonly int Size(int at) =>
            at + 1 < _text.Length && char.IsHighSurrogate(_text[at]) && char.IsLowSurrogate(_text[at + 1]) ? 2 : 1;

        // Where the steps from a node to the end of its part lead to, or -1.
        public int Match(PatternNode? node, int at)
        {
            if (++_depth > Deepest)
                throw new PatternWorkException();
            var end = Walk(node, at);
            _depth--;
            return end;
        }

        private int Walk(PatternNode? node, int at)
        {
            for (; node is not null; node = node.Next)
            {
                Count(1);
                switch (node)
                {
                    case OneOf one:
                        if (at >= _text.Length || !one.Set.Holds(Read(at)))
                            return -1;
                        at += Size(at);
                        break;
                    case Run run:
                        return Repeat(run, at);
                    case Choice choice:
                        foreach (var part in choice.Parts)
                            if (Match(part, at) is >= 0 and var end)
                                return end;
                        return -1;
                    case Loop loop:
                        return Enter(loop, at);
                    case LoopEnd end:
                        return Again(end.Loop, at);
                    case Atomic atom:
                        at = Match(atom.Part, at);
                        if (at < 0)
                            return -1;
                        break;
                    default:
                        if (!Stands(node, at))
                            return -1;
                        break;
                }
            }
            return at;
        }

        private void Count(int steps)
        {
            Steps += steps;
            if (Steps > _limit)
                throw new PatternWorkException();
        }

        private readonly int Read(int at) => Size(at) == 2 ? char.ConvertToUtf32(_text[at], _text[at + 1]) : _text[at];

        private readonly int Before(int at) =>
            at > 1 && char.IsLowSurrogate(_text[at - 1]) && char.IsHighSurrogate(_text[at - 2]) ? at - 2 : at - 1;

        private int Repeat(Run run, int at)
        {
            var count = 0;
            var begin = at;
            var first = run.Greed == Greed.Least ? run.Least : run.Most;
            while (count < first && at < _text.Length && run.Set.Holds(Read(at)))
            {
                at += Size(at);
                count++;
            }
            Count(count);
            if (count < run.Least)
                return -1;
            if (run.Greed == Greed.All || run.Next is null)
                return Match(run.Next, at);
            if (run.Greed == Greed.Least)
                return Grow(run, at, count);
            while (true)
            {
                if (Match(run.Next, at) is >= 0 and var end)
                    return end;
                if (count == run.Least || at == begin)
                    return -1;
                at = Before(at);
                count--;
            }
        }

        private int Grow(Run run, int at, int count)
        {
            while (true)
            {
                if (Match(run.Next, at) is >= 0 and var end)
                    return end;
                if (count == run.Most || at >= _text.Length || !run.Set.Holds(Read(at)))
                    return -1;
                at += Size(at);
                count++;
            }
        }

        private int Enter(Loop loop, int at)
        {
            var (count, begin) = (_counts[loop.Number], _begins[loop.Number]);
            (_counts[loop.Number], _begins[loop.Number]) = (0, -1);
            var end = Again(loop, at);
            if (end < 0)
                (_counts[loop.Number], _begins[loop.Number]) = (count, begin);
            return end;
        }

        // One more round or what follows. A round that took nothing is the last one.
        private int Again(Loop loop, int at)
        {
            var (count, begin) = (_counts[loop.Number], _begins[loop.Number]);
            var enough = count >= loop.Least || begin == at;
            if (enough && !loop.Greedy && Match(loop.Next, at) is >= 0 and var early)
                return early;
            if (count < loop.Most && begin != at)
            {
                (_counts[loop.Number], _begins[loop.Number]) = (count + 1, at);
                if (Match(loop.Body, at) is >= 0 and var end)
                    return end;
                (_counts[loop.Number], _begins[loop.Number]) = (count, begin);
            }
            return enough && loop.Greedy ? Match(loop.Next, at) : -1;
        }

        private bool Stands(PatternNode node, int at)
        {
            switch (node)
            {
                case Look look:
                    return Match(look.Part, at) >= 0 != look.Negated;
                case LookBack back:
                    var from = at;
                    for (var i = 0; i < back.Length && from >= 0; i++)
                        from = Before(from);
                    return (from >= 0 && Match(back.Part, from) == at) != back.Negated;
                case Anchor anchor:
                    return IsAt(anchor.Kind, at);
                default:
                    throw new InvalidOperationException($"no step {node.GetType().Name}");
            }
        }

        private readonly bool IsAt(AnchorKind kind, int at) =>
            kind switch
            {
                AnchorKind.TextStart => at == 0,
                AnchorKind.TextEnd => at == _text.Length,
                AnchorKind.TextEndOrLineFeed => at == _text.Length || (at == _text.Length - 1 && _text[at] == '\n'),
                AnchorKind.LineStart => at == 0 || _text[at - 1] == '\n',
                AnchorKind.LineEnd => at == _text.Length || _text[at] == '\n',
                AnchorKind.WordBorder => IsBorder(at),
                _ => !IsBorder(at),
            };

        private readonly bool IsBorder(int at) =>
            (at > 0 && CharClasses.Word.Holds(Read(Before(at))))
            != (at < _text.Length && CharClasses.Word.Holds(Read(at)));
    }
}

/// <summary>A pattern goes back and forth over a text without end, or nests too deeply.</summary>
internal sealed class PatternWorkException() : Exception("a pattern takes too long on a text");
