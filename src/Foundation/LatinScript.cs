using System.Text;

namespace EditUnlearn.Foundation;

/// <summary>Which texts are written in Latin letters, with accents or without.</summary>
public static class LatinScript
{
    /// <summary>Whether at least half of the letters of a text are Latin; true where it has none.</summary>
    public static bool IsMostOf(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var letters = text.EnumerateRunes().Where(Rune.IsLetter).ToList();
        return 2 * letters.Count(r => r.Value is < 0x250 or (>= 0x1E00 and < 0x1F00)) >= letters.Count;
    }
}
