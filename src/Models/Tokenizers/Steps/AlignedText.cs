using System.Text;

namespace EditUnlearn.Models.Tokenizers.Steps;

/// <summary>The characters of the original text that a character stands for.</summary>
/// <param name="From">UTF-16 index of the first.</param>
/// <param name="To">One past the last.</param>
internal readonly record struct Place(int From, int To);

/// <summary>A text that was rewritten, and for each of its UTF-16 units the place it comes from.</summary>
/// <param name="Text">Well-formed.</param>
/// <param name="Places">Both units of a character beyond U+FFFF have the same.</param>
/// <param name="Base">Where the original stretch begins.</param>
internal sealed record AlignedText(string Text, Place[] Places, int Base)
{
    /// <summary>A text that stands for itself. Ill-formed UTF-16 becomes U+FFFD, unit by unit.</summary>
    public static AlignedText Of(string text)
    {
        var units = text.ToCharArray();
        var places = new Place[text.Length];
        for (var i = 0; i < units.Length; i++)
            if (!char.IsSurrogate(units[i]))
                places[i] = new Place(i, i + 1);
            else if (i + 1 < units.Length && char.IsSurrogatePair(units[i], units[i + 1]))
            {
                places[i] = places[i + 1] = new Place(i, i + 2);
                i++;
            }
            else
                (units[i], places[i]) = ('\uFFFD', new Place(i, i + 1));
        return new AlignedText(new string(units), places, 0);
    }

    /// <summary>A stretch of it, which is a text of its own from here on.</summary>
    public AlignedText Slice(int start, int length) =>
        start == 0 && length == Text.Length
            ? this
            : new AlignedText(
                Text.Substring(start, length),
                Places[start..(start + length)],
                length > 0 ? Places[start].From : Base
            );

    /// <summary>The place of a stretch, none empty.</summary>
    public Place Around(int start, int length) => new(Places[start].From, Places[start + length - 1].To);
}

/// <summary>Writes a text anew, character by character, and keeps count of where each comes from.</summary>
/// <remarks>
/// The rule is that of the <c>tokenizers</c> library: a character that replaces others has the place of the first of
/// them, and one that is put in has the place of the character before it.
/// </remarks>
internal sealed class AlignedWriter
{
    private readonly AlignedText _old;
    private readonly StringBuilder _text;
    private readonly List<Place> _places;
    private int _at;

    public AlignedWriter(AlignedText old)
    {
        _old = old;
        _text = new StringBuilder(old.Text.Length + 8);
        _places = new List<Place>(old.Text.Length + 8);
    }

    /// <summary>Units written so far.</summary>
    public int Length => _text.Length;

    /// <summary>Goes on at a place of the old text.</summary>
    public void MoveTo(int at) => _at = at;

    /// <summary>Copies units of the old text.</summary>
    public void Copy(int start, int length)
    {
        _text.Append(_old.Text, start, length);
        for (var i = start; i < start + length; i++)
            _places.Add(_old.Places[i]);
        _at = start + length;
    }

    /// <summary>Writes a character.</summary>
    /// <param name="rune">The character.</param>
    /// <param name="change">1 where it is put in; else it replaces one character of the old text, and as many more as
    /// this is below zero.</param>
    public void Write(Rune rune, int change)
    {
        if (change > 0)
            Write(rune, _at > 0 ? _old.Places[_at - 1] : new Place(_old.Base, _old.Base));
        else
        {
            Write(rune, _old.Places[_at]);
            for (var left = 1 - change; left > 0 && _at < _old.Text.Length; left--)
                _at += char.IsHighSurrogate(_old.Text[_at]) ? 2 : 1;
        }
    }

    /// <summary>Writes a character that comes from a place.</summary>
    public void Write(Rune rune, Place place)
    {
        if (rune.IsBmp)
        {
            _text.Append((char)rune.Value);
            _places.Add(place);
            return;
        }
        Span<char> units = stackalloc char[2];
        rune.EncodeToUtf16(units);
        _text.Append(units);
        _places.Add(place);
        _places.Add(place);
    }

    /// <summary>Writes characters in front of the next one of the old text; they have its place.</summary>
    public void Prepend(string text)
    {
        foreach (var rune in text.EnumerateRunes())
            Write(rune, _old.Places[_at]);
    }

    /// <summary>What was written.</summary>
    public AlignedText Done() => new(_text.ToString(), [.. _places], _old.Base);
}
