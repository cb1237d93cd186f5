using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports.Regression;

/// <summary>What became of a cell since it was accepted.</summary>
public enum Change
{
    /// <summary>Beyond its tolerance.</summary>
    Moved,

    /// <summary>Won or lost bold: the story of the table changes, however little the number did.</summary>
    BoldFlipped,

    /// <summary>Accepted, but no longer there or without a value.</summary>
    Missing,

    /// <summary>There, but never accepted.</summary>
    New,
}

/// <summary>One cell that is not as accepted.</summary>
/// <param name="Change">What became of it.</param>
/// <param name="Accepted">As accepted; null for a new one.</param>
/// <param name="Present">As it is; null for a missing one.</param>
/// <param name="Bound">Its tolerance, for a moved one.</param>
public sealed record Difference(Change Change, TableCell? Accepted, TableCell? Present, double Bound)
{
    /// <summary>The cell's name.</summary>
    public string Name => (Present ?? Accepted)!.Name;

    /// <summary>
    /// <c>table1[AlphaEdit,llama2,facts-40,forget.rouge1] 0.07 -> 0.09 (moved 0.0200, tolerance 0.0100)</c>.
    /// </summary>
    public override string ToString() =>
        Change switch
        {
            Change.Moved when Accepted?.Value is { } a && Present?.Value is { } p => string.Create(
                CultureInfo.InvariantCulture,
                $"{Name} {Shown(a, p).Old} -> {Shown(a, p).New} (moved {Math.Abs(p - a):0.0000}, tolerance "
                    + $"{Bound:0.0000})"
            ),
            Change.BoldFlipped => $"{Name} {Present!.Printed} {(Present.Bold ? "is now bold" : "is no longer bold")}",
            Change.Missing => $"{Name} {Accepted!.Printed} -> {(Present is null ? "no such cell" : "no value")}",
            _ => $"{Name} {(Accepted is null ? "not accepted yet" : Accepted.Printed)} -> {Present!.Printed}",
        };

    // Where both print alike, the digits that differ are needed.
    private (string Old, string New) Shown(double old, double now) =>
        Accepted!.Printed != Present!.Printed
            ? (Accepted.Printed, Present.Printed)
            : (
                old.ToString("0.0000", CultureInfo.InvariantCulture),
                now.ToString("0.0000", CultureInfo.InvariantCulture)
            );
}

/// <summary>Compares every cell of the study's tables with what was accepted.</summary>
public static class TableRegression
{
    /// <summary>
    /// What is not as accepted, in the order of the tables; moved cells may be reported as flipped too.
    /// </summary>
    public static IReadOnlyList<Difference> Compare(
        IReadOnlyList<TableCell> accepted,
        IReadOnlyList<TableCell> present,
        Tolerances tolerances
    )
    {
        ArgumentNullException.ThrowIfNull(accepted);
        ArgumentNullException.ThrowIfNull(present);
        ArgumentNullException.ThrowIfNull(tolerances);
        var known = accepted.ToDictionary(c => c.Name, StringComparer.Ordinal);
        var differences = new List<Difference>();
        foreach (var cell in present)
        {
            if (!known.Remove(cell.Name, out var old))
            {
                differences.Add(new Difference(Change.New, null, cell, 0));
                continue;
            }
            if (old.Value is null && cell.Value is not null)
                differences.Add(new Difference(Change.New, old, cell, 0));
            else if (old.Value is not null && cell.Value is null)
                differences.Add(new Difference(Change.Missing, old, cell, 0));
            else if (old.Value is { } a && cell.Value is { } p)
            {
                var bound = tolerances.Of(cell.Metric).Of(a, cell.StandardError, old.Sigma);
                // Not a number is only near itself; the rounding of a bound must not decide.
                if (double.IsFinite(a) && double.IsFinite(p) ? Math.Abs(p - a) > bound + 1e-12 : !a.Equals(p))
                    differences.Add(new Difference(Change.Moved, old, cell, bound));
            }
            if (old.Bold != cell.Bold)
                differences.Add(new Difference(Change.BoldFlipped, old, cell, 0));
        }
        differences.AddRange(
            accepted.Where(c => known.ContainsKey(c.Name)).Select(c => new Difference(Change.Missing, c, null, 0))
        );
        return differences;
    }

    /// <summary>
    /// The accepted cells with those that a pattern means taken from the present ones; everything else stays as it was.
    /// </summary>
    /// <param name="accepted">So far.</param>
    /// <param name="present">As they are.</param>
    /// <param name="patterns">Such as <c>table1[WISE,*]</c>.</param>
    /// <returns>The new list in the order of the tables, and how many cells changed.</returns>
    public static (IReadOnlyList<TableCell> Cells, int Changed) Accept(
        IReadOnlyList<TableCell> accepted,
        IReadOnlyList<TableCell> present,
        IReadOnlyList<string> patterns
    )
    {
        ArgumentNullException.ThrowIfNull(accepted);
        ArgumentNullException.ThrowIfNull(present);
        ArgumentNullException.ThrowIfNull(patterns);
        bool Meant(string name) => patterns.Any(p => CellName.Matches(p, name));
        var old = accepted.ToDictionary(c => c.Name, StringComparer.Ordinal);
        var names = present.Select(c => c.Name).ToHashSet(StringComparer.Ordinal);
        var cells = new List<TableCell>();
        var changed = 0;
        foreach (var cell in present)
            if (Meant(cell.Name))
            {
                if (!old.TryGetValue(cell.Name, out var before) || before != cell)
                    changed++;
                cells.Add(cell);
            }
            else if (old.TryGetValue(cell.Name, out var kept))
                cells.Add(kept);
        // What is gone stays accepted, and is reported as missing, until a pattern means it.
        foreach (var gone in accepted.Where(c => !names.Contains(c.Name)))
            if (Meant(gone.Name))
                changed++;
            else
                cells.Add(gone);
        return (cells, changed);
    }
}
