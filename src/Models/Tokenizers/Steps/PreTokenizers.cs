using System.Text;
using EditUnlearn.Models.Tokenizers.Patterns;

namespace EditUnlearn.Models.Tokenizers.Steps;

/// <summary>Adds the places of a text at which something fits, from left to right.</summary>
internal delegate void Finder(ReadOnlySpan<char> text, List<(int Start, int Length)> found);

/// <summary>A text on its way into pieces that no merge crosses.</summary>
internal sealed class Pieces
{
    /// <summary>One piece.</summary>
    /// <param name="text">The stretch it lies in.</param>
    /// <param name="goesOn">Whether the stretch goes on a text that ended elsewhere.</param>
    public Pieces(AlignedText text, bool goesOn)
    {
        (Text, GoesOn) = (text, goesOn);
        if (text.Text.Length > 0)
            Ranges.Add((0, text.Text.Length));
    }

    /// <summary>The text that <see cref="Ranges"/> speaks of.</summary>
    public AlignedText Text { get; private set; }

    /// <summary>The pieces, in order, none empty.</summary>
    public List<(int Start, int Length)> Ranges { get; private set; } = [];

    /// <summary>Whether nothing may be put in front of the first piece.</summary>
    public bool GoesOn { get; }

    /// <summary>Steps that patterns took.</summary>
    public long Steps;

    /// <summary>The characters of a piece.</summary>
    public ReadOnlySpan<char> Of((int Start, int Length) range) => Text.Text.AsSpan(range.Start, range.Length);

    /// <summary>Cuts every piece.</summary>
    /// <param name="find">Finds the places, in a text that is given to it.</param>
    /// <param name="behavior">What happens to what is found.</param>
    /// <param name="inverted">Whether what lies between is meant instead.</param>
    public void Cut(Finder find, CutBehavior behavior, bool inverted = false)
    {
        var pieces = new List<(int, int)>(Ranges.Count + 16);
        var (found, cut) = (new List<(int, int)>(), new List<(int Start, int Length)>());
        var cutting = new Cutting(behavior, inverted);
        foreach (var range in Ranges)
        {
            found.Clear();
            cut.Clear();
            find(Of(range), found);
            cutting.Cut(range.Length, found, cut);
            foreach (var (start, length) in cut)
                pieces.Add((range.Start + start, length));
        }
        Ranges = pieces;
    }

    /// <summary>Writes every piece anew.</summary>
    public void Rewrite(Action<AlignedWriter, (int Start, int Length)> write)
    {
        var writer = new AlignedWriter(Text);
        var pieces = new List<(int, int)>(Ranges.Count);
        foreach (var range in Ranges)
        {
            var start = writer.Length;
            writer.MoveTo(range.Start);
            write(writer, range);
            if (writer.Length > start)
                pieces.Add((start, writer.Length - start));
        }
        (Text, Ranges) = (writer.Done(), pieces);
    }

    /// <summary>Whether a piece begins the text as a person wrote it.</summary>
    public bool BeginsText((int Start, int Length) range) => Text.Places[range.Start].From == 0;

    /// <summary>Whether a prefix may stand in front of a piece.</summary>
    public bool TakesPrefix((int Start, int Length) range) => !(GoesOn && range.Start == 0);
}

/// <summary>A step that cuts a text into pieces, or rewrites them.</summary>
internal interface IPreTokenizer
{
    /// <summary>Takes the step.</summary>
    /// <exception cref="PatternWorkException">A pattern takes too long.</exception>
    void Apply(Pieces pieces);
}

/// <summary>One after the other.</summary>
internal sealed class PreTokenizerSequence(IReadOnlyList<IPreTokenizer> steps) : IPreTokenizer
{
    /// <inheritdoc/>
    public void Apply(Pieces pieces)
    {
        foreach (var step in steps)
            step.Apply(pieces);
    }
}

/// <summary><c>Split</c>: cuts by a pattern.</summary>
internal sealed class PatternCut(TextPattern pattern, CutBehavior behavior, bool inverted = false) : IPreTokenizer
{
    /// <inheritdoc/>
    public void Apply(Pieces pieces) =>
        pieces.Cut((text, found) => pattern.Find(text, found, ref pieces.Steps), behavior, inverted);
}

/// <summary><c>Digits</c>, <c>Punctuation</c>, <c>WhitespaceSplit</c>, <c>CharDelimiterSplit</c>: cuts at characters of
/// a set.</summary>
internal sealed class SetCut(CharSet set, CutBehavior behavior) : IPreTokenizer
{
    /// <inheritdoc/>
    public void Apply(Pieces pieces) => pieces.Cut((text, found) => Cutting.FindCharacters(text, set, found), behavior);
}

/// <summary>
/// <c>ByteLevel</c>: a space in front, GPT-2's pattern, then bytes instead of characters, in the letters that stand for
/// them.
/// </summary>
/// <remarks>Source: Radford et al. (2019), released encoder.</remarks>
internal sealed class ByteLevel(bool prefixSpace, bool cuts) : IPreTokenizer
{
    /// <summary>GPT-2's pattern.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly PatternCut Cut = new(new TextPattern(Gpt2), CutBehavior.Isolated);

    /// <inheritdoc/>
    public void Apply(Pieces pieces)
    {
        if (prefixSpace)
            pieces.Rewrite(
                (writer, r) =>
                {
                    if (pieces.TakesPrefix(r) && pieces.Of(r)[0] != ' ')
                        writer.Prepend(" ");
                    writer.Copy(r.Start, r.Length);
                }
            );
        if (cuts)
            Cut.Apply(pieces);
        pieces.Rewrite((writer, r) => WriteBytes(writer, pieces.Of(r), pieces.Text.Places.AsSpan(r.Start, r.Length)));
    }

    private static void WriteBytes(AlignedWriter writer, ReadOnlySpan<char> piece, ReadOnlySpan<Place> places)
    {
        Span<byte> bytes = stackalloc byte[4];
        var at = 0;
        foreach (var rune in piece.EnumerateRunes())
        {
            var count = rune.EncodeToUtf8(bytes);
            foreach (var value in bytes[..count])
                writer.Write(new Rune(ByteSymbols.All[value]), places[at]);
            at += rune.Utf16SequenceLength;
        }
    }
}

/// <summary>When <see cref="Metaspace"/> puts its sign in front of a text.</summary>
internal enum PrefixScheme
{
    /// <summary>In front of the text's beginning.</summary>
    First,

    /// <summary>In front of every stretch.</summary>
    Always,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary><c>Metaspace</c>: a sign for the space, also in front, and cuts before it.</summary>
internal sealed class Metaspace(char sign, PrefixScheme scheme, bool cuts) : IPreTokenizer
{
    private readonly CharSet _sign = CharSet.Of(sign);

    /// <inheritdoc/>
    public void Apply(Pieces pieces)
    {
        pieces.Rewrite(
            (writer, r) =>
            {
                var piece = pieces.Of(r);
                if (
                    piece[0] != ' '
                    && piece[0] != sign
                    && (scheme == PrefixScheme.Always || (scheme == PrefixScheme.First && pieces.BeginsText(r)))
                    && pieces.TakesPrefix(r)
                )
                    writer.Prepend(sign.ToString());
                for (var i = 0; i < piece.Length; i++)
                    if (piece[i] == ' ')
                        writer.Write(new Rune(sign), pieces.Text.Places[r.Start + i]);
                    else
                        writer.Copy(r.Start + i, 1);
            }
        );
        if (cuts)
            pieces.Cut((text, found) => Cutting.FindCharacters(text, _sign, found), CutBehavior.MergedWithNext);
    }
}
