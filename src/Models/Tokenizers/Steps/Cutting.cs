using EditUnlearn.Models.Tokenizers.Patterns;

namespace EditUnlearn.Models.Tokenizers.Steps;

/// <summary>What happens to the stretches that a pattern fits.</summary>
internal enum CutBehavior
{
    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>They are dropped.</summary>
    Removed,

    /// <summary>Each belongs to the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each belongs to the piece behind it.</summary>
    MergedWithNext,

    /// <summary>Neighbours are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts a text where something fits.</summary>
internal static class Cutting
{
    /// <summary>The pieces of a text, none empty.</summary>
    /// <param name="length">Of the text.</param>
    /// <param name="matches">Where something fits, from left to right.</param>
    /// <param name="behavior">What happens to it.</param>
    /// <param name="inverted">Whether what lies between is meant instead.</param>
    public static IEnumerable<(int Start, int Length)> Cut(
        int length,
        IEnumerable<(int Start, int Length)> matches,
        CutBehavior behavior,
        bool inverted = false
    )
    {
        var stretches = Stretches(length, matches, inverted);
        var pieces = behavior switch
        {
            CutBehavior.Isolated => stretches.Select(s => (s.From, s.To)),
            CutBehavior.Removed => stretches.Where(s => !s.Fits).Select(s => (s.From, s.To)),
            CutBehavior.Contiguous => Joined(stretches, (fits, before) => fits == before),
            CutBehavior.MergedWithPrevious => Joined(stretches, (fits, before) => fits && !before),
            _ => Joined(
                    stretches.Reverse().Select(s => (length - s.To, length - s.From, s.Fits)),
                    (fits, before) => fits && !before
                )
                .Select(p => (From: length - p.To, To: length - p.From))
                .Reverse(),
        };
        return pieces.Where(p => p.To > p.From).Select(p => (p.From, p.To - p.From));
    }

    // What fits and what lies between, in order.
    private static IEnumerable<(int From, int To, bool Fits)> Stretches(
        int length,
        IEnumerable<(int Start, int Length)> matches,
        bool inverted
    )
    {
        var open = 0;
        foreach (var (start, size) in matches)
        {
            if (start > open)
                yield return (open, start, inverted);
            yield return (start, start + size, !inverted);
            open = start + size;
        }
        if (open < length)
            yield return (open, length, inverted);
    }

    // A stretch joins the piece before it where the rule says so; in front of the first one nothing fitted.
    private static IEnumerable<(int From, int To)> Joined(
        IEnumerable<(int From, int To, bool Fits)> stretches,
        Func<bool, bool, bool> joins
    )
    {
        (int From, int To)? piece = null;
        var before = false;
        foreach (var (from, to, fits) in stretches)
        {
            if (piece is { } open && joins(fits, before))
                piece = (open.From, to);
            else
            {
                if (piece is { } done)
                    yield return done;
                piece = (from, to);
            }
            before = fits;
        }
        if (piece is { } last)
            yield return last;
    }

    /// <summary>Each character of a set by itself.</summary>
    public static List<(int Start, int Length)> Characters(ReadOnlySpan<char> text, CharSet set)
    {
        var found = new List<(int, int)>();
        for (var at = 0; at < text.Length;)
        {
            var size = at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            if (set.Holds(size == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at]))
                found.Add((at, size));
            at += size;
        }
        return found;
    }
}
