using EditUnlearn.Artifacts;

namespace EditUnlearn.Data;

/// <summary>Cuts a data set into what is forgotten and what is kept: disjoint, and together everything. Source: datasets specification, section 3.3.</summary>
public static class Splits
{
    /// <summary>Name of the split to be forgotten.</summary>
    public const string Forget = "forget";

    /// <summary>Name of the split to be kept.</summary>
    public const string Retain = "retain";

    /// <summary>Rows <paramref name="first"/> .. <paramref name="first"/> + <paramref name="size"/> - 1 are forgotten; from 0 on, larger sets hold the smaller ones.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Nothing would be forgotten, nothing kept, or rows are asked for that do not exist.</exception>
    public static IReadOnlyList<SplitRow> Range(IReadOnlyList<QaRow> rows, int first, int size)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(size, rows.Count);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + size, rows.Count);
        return [.. rows.Select((r, i) => new SplitRow { Id = r.Id, Split = i >= first && i < first + size ? Forget : Retain })];
    }

    /// <summary>The questions of one split, in the order of the data.</summary>
    public static IReadOnlyList<QaRow> Of(IReadOnlyList<QaRow> rows, IEnumerable<SplitRow> splits, string name)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var ids = splits.Where(s => s.Split == name).Select(s => s.Id).ToHashSet(StringComparer.Ordinal);
        return [.. rows.Where(r => ids.Contains(r.Id))];
    }
}
