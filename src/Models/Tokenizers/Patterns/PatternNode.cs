namespace EditUnlearn.Models.Tokenizers.Patterns;

/// <summary>
/// A step of a pattern, and the step that follows it: null where the pattern, or the part of it that is asked about,
/// ends.
/// </summary>
internal abstract class PatternNode
{
    /// <summary>What follows.</summary>
    public PatternNode? Next { get; set; }
}

/// <summary>One character of a set.</summary>
internal sealed class OneOf(CharSet set) : PatternNode
{
    public CharSet Set { get; } = set;
}

/// <summary>Characters of a set, one after the other.</summary>
internal sealed class Run(CharSet set, int least, int most, Greed greed) : PatternNode
{
    public CharSet Set { get; } = set;

    public int Least { get; } = least;

    public int Most { get; } = most;

    public Greed Greed { get; } = greed;
}

/// <summary>How much a repetition takes before what follows is asked.</summary>
internal enum Greed
{
    /// <summary>As much as there is, then less and less.</summary>
    Most,

    /// <summary>As little as may be, then more and more.</summary>
    Least,

    /// <summary>As much as there is, and never less.</summary>
    All,
}

/// <summary>The first of several parts that fits and lets the rest fit; each part ends in what follows this.</summary>
internal sealed class Choice(IReadOnlyList<PatternNode?> parts) : PatternNode
{
    public IReadOnlyList<PatternNode?> Parts { get; } = parts;
}

/// <summary>A part that is repeated; the part ends in a <see cref="LoopEnd"/>.</summary>
internal sealed class Loop(int number, int least, int most, bool greedy) : PatternNode
{
    /// <summary>Counts the loops of a pattern.</summary>
    public int Number { get; } = number;

    public int Least { get; } = least;

    public int Most { get; } = most;

    public bool Greedy { get; } = greedy;

    public PatternNode? Body { get; set; }
}

/// <summary>The end of a loop's part.</summary>
internal sealed class LoopEnd(Loop loop) : PatternNode
{
    public Loop Loop { get; } = loop;
}

/// <summary>What must follow here, or must not, without being taken.</summary>
internal sealed class Look(PatternNode? part, bool negated) : PatternNode
{
    public PatternNode? Part { get; } = part;

    public bool Negated { get; } = negated;
}

/// <summary>What must stand before this place, or must not.</summary>
internal sealed class LookBack(PatternNode? part, int length, bool negated) : PatternNode
{
    public PatternNode? Part { get; } = part;

    /// <summary>Characters of the part.</summary>
    public int Length { get; } = length;

    public bool Negated { get; } = negated;
}

/// <summary>A part that is taken as it fits first, whatever follows.</summary>
internal sealed class Atomic(PatternNode? part) : PatternNode
{
    public PatternNode? Part { get; } = part;
}

/// <summary>A place that takes no character.</summary>
internal sealed class Anchor(AnchorKind kind) : PatternNode
{
    public AnchorKind Kind { get; } = kind;
}

/// <summary>Places.</summary>
internal enum AnchorKind
{
    TextStart,
    TextEnd,
    TextEndOrLineFeed,
    LineStart,
    LineEnd,
    WordBorder,
    NoWordBorder,
}
