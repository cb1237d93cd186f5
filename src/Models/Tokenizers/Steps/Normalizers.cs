using System.Text;
using EditUnlearn.Models.Tokenizers.Patterns;

namespace EditUnlearn.Models.Tokenizers.Steps;

/// <summary>Rewrites a stretch of text before it is cut into pieces.</summary>
internal interface INormalizer
{
    /// <summary>The text anew.</summary>
    /// <param name="text">A stretch between added tokens.</param>
    /// <param name="goesOn">Whether it goes on a text that ended elsewhere: nothing is put in front of it then.</param>
    AlignedText Normalize(AlignedText text, bool goesOn);
}

/// <summary>One after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<INormalizer> steps) : INormalizer
{
    /// <inheritdoc/>
    public AlignedText Normalize(AlignedText text, bool goesOn) =>
        steps.Aggregate(text, (rewritten, step) => step.Normalize(rewritten, goesOn));
}

/// <summary><c>NFC</c>, <c>NFD</c>, <c>NFKC</c>, <c>NFKD</c>.</summary>
internal sealed class UnicodeForm(bool compatible, bool composed) : INormalizer
{
    /// <inheritdoc/>
    public AlignedText Normalize(AlignedText text, bool goesOn)
    {
        if (Ascii.IsValid(text.Text))
            return text;
        // A character of ASCII stays as it is, but that a mark behind it may be composed with it.
        var (writer, whole, open) = (new AlignedWriter(text), text.Text, 0);
        while (open < whole.Length)
        {
            var other = whole.AsSpan(open).IndexOfAnyExceptInRange('\0', '\x7F');
            var start = other < 0 ? whole.Length : open + Math.Max(0, other - 1);
            writer.Copy(open, start - open);
            var end = other < 0 ? whole.Length : open + other;
            while (end < whole.Length && !char.IsAscii(whole[end]))
                end++;
            foreach (var (rune, change) in NormalForms.Of(whole[start..end], compatible, composed))
                writer.Write(rune, change);
            open = end;
        }
        return writer.Done();
    }
}

/// <summary><c>Lowercase</c>, each character by itself.</summary>
internal sealed class Lowercase : INormalizer
{
    /// <inheritdoc/>
    public AlignedText Normalize(AlignedText text, bool goesOn)
    {
        var writer = new AlignedWriter(text);
        foreach (var rune in text.Text.EnumerateRunes())
            if (rune.Value == 0x130)
            {
                // The only letter that becomes two; the invariant culture leaves it as it is.
                writer.Write(new Rune('i'), 0);
                writer.Write(new Rune(0x307), 1);
            }
            else
                writer.Write(Rune.ToLowerInvariant(rune), 0);
        return writer.Done();
    }
}

/// <summary><c>Replace</c>: writes a text in place of what a pattern fits.</summary>
internal sealed class Replace(TextPattern pattern, string content) : INormalizer
{
    /// <inheritdoc/>
    public AlignedText Normalize(AlignedText text, bool goesOn)
    {
        var matches = pattern.Matches(text.Text);
        if (matches.Count == 0)
            return text;
        var writer = new AlignedWriter(text);
        var open = 0;
        foreach (var (start, length) in matches)
        {
            writer.Copy(open, start - open);
            open = start + length;
            writer.MoveTo(open);
            foreach (var rune in content.EnumerateRunes())
                writer.Write(rune, 1);
        }
        writer.Copy(open, text.Text.Length - open);
        return writer.Done();
    }
}

/// <summary><c>Prepend</c>: puts a text in front of every stretch that is not empty.</summary>
internal sealed class Prepend(string prefix) : INormalizer
{
    /// <inheritdoc/>
    public AlignedText Normalize(AlignedText text, bool goesOn)
    {
        if (text.Text.Length == 0 || goesOn)
            return text;
        var writer = new AlignedWriter(text);
        writer.Prepend(prefix);
        writer.Copy(0, text.Text.Length);
        return writer.Done();
    }
}

/// <summary><c>Strip</c>: drops white space at either end.</summary>
internal sealed class Strip(bool left, bool right) : INormalizer
{
    /// <inheritdoc/>
    public AlignedText Normalize(AlignedText text, bool goesOn)
    {
        // All white space lies below U+10000: a unit is a character.
        var (start, end) = (0, text.Text.Length);
        while (left && start < end && CharClasses.Space.Holds(text.Text[start]))
            start++;
        while (right && end > start && CharClasses.Space.Holds(text.Text[end - 1]))
            end--;
        return text.Slice(start, end - start);
    }
}

/// <summary><c>StripAccents</c>: drops combining marks.</summary>
internal sealed class StripAccents : INormalizer
{
    /// <inheritdoc/>
    public AlignedText Normalize(AlignedText text, bool goesOn)
    {
        var writer = new AlignedWriter(text);
        var at = 0;
        foreach (var rune in text.Text.EnumerateRunes())
        {
            if (!CharClasses.Mark.Holds(rune.Value))
                writer.Copy(at, rune.Utf16SequenceLength);
            at += rune.Utf16SequenceLength;
        }
        return writer.Done();
    }
}
