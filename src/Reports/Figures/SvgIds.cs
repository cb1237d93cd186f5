using System.Text.RegularExpressions;

namespace EditUnlearn.Reports.Figures;

/// <summary>
/// Makes a picture's text depend on the picture alone: the library counts its ids over the life of the process.
/// </summary>
internal static partial class SvgIds
{
    /// <summary>The picture with ids that count from 1, in order of appearance.</summary>
    public static string Renumber(string svg)
    {
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        return Id()
            .Replace(
                svg,
                m =>
                    m.Groups[1].Value
                    + (
                        ids.TryGetValue(m.Groups[2].Value, out var known)
                            ? known
                            : ids[m.Groups[2].Value] = $"i{ids.Count + 1}"
                    )
                    + m.Groups[3].Value
            )
            .ReplaceLineEndings("\n");
    }

    [GeneratedRegex("""(\bid="|url\(#|href="#)([A-Za-z]+_[0-9a-f]+)(["\)])""")]
    private static partial Regex Id();
}
