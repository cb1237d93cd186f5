using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>
/// How a person names a cell: <c>table1[WISE,llama2,facts-40,forget.rouge1]</c>; <c>@paper</c> behind it in the paper's
/// profile.
/// </summary>
public static class CellName
{
    /// <summary>The name.</summary>
    /// <param name="cell">Its place.</param>
    /// <param name="method">The method in print.</param>
    public static string Of(TableCell cell, string method)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return $"{cell.Table}[{method},{cell.Model},{cell.Set},{cell.Split}.{cell.Metric}]"
            + (cell.Profile == ProfileNames.Paper ? "@paper" : "");
    }

    /// <summary>
    /// Whether a pattern such as <c>table1[WISE,*]</c> means this cell; <c>*</c> stands for anything, letters count as
    /// such in either case.
    /// </summary>
    /// <remarks>Without a profile behind it a pattern means the cell in every profile.</remarks>
    public static bool Matches(string pattern, string name)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(name);
        static string Bare(string text) => text.Replace(" ", "", StringComparison.Ordinal);
        bool Fits(string text) =>
            System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(
                Bare(pattern).Replace(@"\", "", StringComparison.Ordinal),
                Bare(text),
                ignoreCase: true
            );
        return Fits(name)
            || (
                !pattern.Contains('@', StringComparison.Ordinal)
                && name.IndexOf('@', StringComparison.Ordinal) is > 0 and var at
                && Fits(name[..at])
            );
    }
}
