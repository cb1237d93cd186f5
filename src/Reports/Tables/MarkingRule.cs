using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>
/// Grey, bold and underline within one setting, on the values as printed. Inferred from the marks of the paper's
/// Table 1; docs/metrics.md, "Marks", has the rule and where the paper departs from it.
/// </summary>
internal static class MarkingRule
{
    private const double CollapseBound = 0.10,
        NoForgettingShare = 0.99;

    /// <summary>A cell that takes part.</summary>
    /// <param name="Cell">Gets the marks.</param>
    /// <param name="Row">Its row.</param>
    /// <param name="Family">Bold is given within a family.</param>
    /// <param name="Column">Cells of one column compete.</param>
    /// <param name="HigherIsBetter">Direction of the column.</param>
    public sealed record Entry(TableCell Cell, string Row, string Family, string Column, bool HigherIsBetter);

    /// <summary>
    /// The model is broken (both at most 0.10), or nothing was forgotten. A method without values is neither.
    /// </summary>
    /// <param name="forget">Rouge1 on the forget set.</param>
    /// <param name="retain">Rouge1 on the retain set.</param>
    /// <param name="before">Rouge1 of the untouched model on the forget set; null to hold forgetting against 1, as the
    /// paper's preset does.</param>
    /// <param name="decimals">Of the print.</param>
    public static bool IsGrey(double? forget, double? retain, double? before, int decimals)
    {
        if (forget is not { } f || retain is not { } r)
            return false;
        return IsBroken(f, r, decimals) || Round(f, decimals) >= NoForgettingShare * (before ?? 1);
    }

    /// <summary>Near zero on both: no model to speak of.</summary>
    public static bool IsBroken(double forget, double retain, int decimals) =>
        Round(forget, decimals) <= CollapseBound && Round(retain, decimals) <= CollapseBound;

    /// <summary>Halves away from zero, as the eye expects.</summary>
    public static double Round(double value, int decimals) =>
        Math.Round(value, decimals, MidpointRounding.AwayFromZero);

    /// <summary>Gives bold and underline to the cells of one setting; grey ones and empty ones are left out.</summary>
    public static void Mark(IEnumerable<Entry> setting, Marks marks, int decimals)
    {
        if (marks == Marks.Grey)
            return;
        foreach (
            var column in setting
                .Where(e => e.Cell is { Grey: false, Value: { } v } && double.IsFinite(v))
                .GroupBy(e => e.Column)
        )
        {
            var ranked = column
                .Select(e => (e.Cell, e.Family, Value: Ranked(e.Cell.Value!.Value, e.HigherIsBetter, decimals)))
                .ToList();
            foreach (var family in ranked.GroupBy(e => e.Family))
            {
                var best = family.Min(e => e.Value);
                foreach (var (cell, _, value) in family)
                    cell.Bold = value == best;
            }
            if (marks != Marks.All)
                continue;
            foreach (var cell in TwoBest(ranked.Select(e => (e.Cell, e.Value))))
                cell.Underlined = true;
        }
    }

    /// <summary>A value as printed, turned so that the smaller one is the better.</summary>
    public static double Ranked(double value, bool higherIsBetter, int decimals) =>
        (higherIsBetter ? -1 : 1) * Round(value, decimals);

    /// <summary>The two best of a column by competition rank: two tied firsts use up both places.</summary>
    public static IEnumerable<T> TwoBest<T>(IEnumerable<(T Item, double Ranked)> column)
    {
        var all = column.ToList();
        if (all.Count == 0)
            return [];
        var second = all.Select(e => e.Ranked).Order().Take(2).Last();
        return all.Where(e => e.Ranked <= second).Select(e => e.Item);
    }
}
