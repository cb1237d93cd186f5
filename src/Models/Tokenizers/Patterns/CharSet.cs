using System.Globalization;
using System.Text;

namespace EditUnlearn.Models.Tokenizers.Patterns;

/// <summary>A set of Unicode characters: ranges, general categories and other sets, or everything but those.</summary>
internal sealed class CharSet
{
    private const int Early = 256;
    private readonly uint _categories;
    private readonly (int From, int To)[] _ranges;
    private readonly CharSet[] _parts;
    private readonly CharSet? _within;
    private readonly bool _negated,
        _ignoreCase;

    // Most characters of a text are among the first: those are decided once.
    private readonly bool[] _early = new bool[Early];

    /// <param name="categories">A bit for each general category, by its number in .NET.</param>
    /// <param name="ranges">Both ends belong to a range.</param>
    /// <param name="parts">Sets that belong to this one as a whole.</param>
    /// <param name="negated">Whether the set is what all these do not hold.</param>
    /// <param name="ignoreCase">Whether a letter belongs to it where its other case does.</param>
    /// <param name="within">The set that this one is cut with, before it is negated.</param>
    public CharSet(
        uint categories = 0,
        IEnumerable<(int From, int To)>? ranges = null,
        IEnumerable<CharSet>? parts = null,
        bool negated = false,
        bool ignoreCase = false,
        CharSet? within = null
    )
    {
        (_categories, _negated, _ignoreCase, _within) = (categories, negated, ignoreCase, within);
        _ranges = [.. ranges ?? []];
        _parts = [.. parts ?? []];
        for (var c = 0; c < Early; c++)
            _early[c] = Decide(c);
    }

    /// <summary>A single character.</summary>
    public static CharSet Of(int c, bool ignoreCase = false) => new(ranges: [(c, c)], ignoreCase: ignoreCase);

    /// <summary>Whether a character belongs to it.</summary>
    public bool Holds(int c) => c < Early ? _early[c] : Decide(c);

    private bool Decide(int c)
    {
        var found = Lists(c);
        if (!found && _ignoreCase)
            foreach (var other in OtherCases(c))
                found |= Lists(other);
        return (found && (_within is null || _within.Holds(c))) != _negated;
    }

    private bool Lists(int c)
    {
        if (_categories != 0 && ((_categories >> (int)CharUnicodeInfo.GetUnicodeCategory(c)) & 1) != 0)
            return true;
        foreach (var (from, to) in _ranges)
            if (c >= from && c <= to)
                return true;
        foreach (var part in _parts)
            if (part.Holds(c))
                return true;
        return false;
    }

    // The long s, the Kelvin and the Angstrom sign fold to letters that .NET holds apart from them.
    private static IEnumerable<int> OtherCases(int c)
    {
        if (!Rune.IsValid(c))
            yield break;
        var rune = new Rune(c);
        yield return Rune.ToLowerInvariant(rune).Value;
        yield return Rune.ToUpperInvariant(rune).Value;
        foreach (var (sign, lower, upper) in Signs)
            if (c == sign)
            {
                yield return lower;
                yield return upper;
            }
            else if (c == lower || c == upper)
                yield return sign;
    }

    private static readonly (int Sign, int Lower, int Upper)[] Signs =
    [
        (0x017F, 's', 'S'),
        (0x212A, 'k', 'K'),
        (0x212B, 0xE5, 0xC5),
    ];
}
