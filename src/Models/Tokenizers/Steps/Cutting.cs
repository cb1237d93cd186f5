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

/// <summary>Cuts texts where something fits.</summary>
/// <param name="behavior">What happens to what fits.</param>
/// <param name="inverted">Whether what lies between is meant instead.</param>
internal sealed class Cutting(CutBehavior behavior, bool inverted = false)
{
    private readonly List<(int From, int To, bool Fits)> _stretches = [];

    /// <summary>Adds the pieces of a text, none empty.</summary>
    /// <param name="length">Of the text.</param>
    /// <param name="matches">Where something fits, from left to right.</param>
    /// <param name="pieces">Gets them.</param>
    public void Cut(int length, List<(int Start, int Length)> matches, List<(int Start, int Length)> pieces)
    {
        _stretches.Clear();
        var open = 0;
        foreach (var (start, size) in matches)
        {
            if (start > open)
                _stretches.Add((open, start, inverted));
            _stretches.Add((start, start + size, !inverted));
            open = start + size;
        }
        if (open < length)
            _stretches.Add((open, length, inverted));
        if (behavior != CutBehavior.MergedWithNext)
        {
            AddJoined(pieces);
            return;
        }
        // The same from the other end.
        var first = pieces.Count;
        _stretches.Reverse();
        AddJoined(pieces);
        pieces.Reverse(first, pieces.Count - first);
    }

    // A stretch joins the one before it where the rule says so; in front of the first one nothing fitted.
    private void AddJoined(List<(int Start, int Length)> pieces)
    {
        var (from, to, before) = (-1, -1, false);
        foreach (var stretch in _stretches)
        {
            if (behavior == CutBehavior.Removed && stretch.Fits)
                continue;
            if (from >= 0 && Joins(stretch.Fits, before))
                (from, to) = (Math.Min(from, stretch.From), Math.Max(to, stretch.To));
            else
            {
                Add(pieces, from, to);
                (from, to) = (stretch.From, stretch.To);
            }
            before = stretch.Fits;
        }
        Add(pieces, from, to);
    }

    private bool Joins(bool fits, bool before) =>
        behavior switch
        {
            CutBehavior.Contiguous => fits == before,
            CutBehavior.MergedWithPrevious or CutBehavior.MergedWithNext => fits && !before,
            _ => false,
        };

    private static void Add(List<(int Start, int Length)> pieces, int from, int to)
    {
        if (to > from)
            pieces.Add((from, to - from));
    }

    /// <summary>Adds each character of a set by itself.</summary>
    public static void FindCharacters(ReadOnlySpan<char> text, CharSet set, List<(int Start, int Length)> found)
    {
        for (var at = 0; at < text.Length;)
        {
            var size = at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            if (set.Holds(size == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at]))
                found.Add((at, size));
            at += size;
        }
    }
}
