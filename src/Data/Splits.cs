using EditUnlearn.Artifacts;

namespace EditUnlearn.Data;

/// <summary>Cuts a data set into what is forgotten and what is kept: disjoint, and together everything. Source: datasets specification, section 3.3.</summary>
public static class Splits
{
    /// <summary>Name of the split to be forgotten.</summary>
    public const string Forget = "forget";

    /// <summary>Name of the split to be kept.</summary>
    public const string Retain = "retain";

    /// <summary>The first <paramref name="size"/> rows are forgotten, so larger sets hold the smaller ones.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Nothing would be forgotten, or nothing kept.</exception>
    public static IReadOnlyList<SplitRow> Prefix(IReadOnlyList<QaRow> rows, int size)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(size, rows.Count);
        return [.. rows.Select((r, i) => new SplitRow { Id = r.Id, Split = i < size ? Forget : Retain })];
    }

    /// <summary>The questions of one split, in the order of the data.</summary>
    public static IReadOnlyList<QaRow> Of(IReadOnlyList<QaRow> rows, IEnumerable<SplitRow> splits, string name)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var ids = splits.Where(s => s.Split == name).Select(s => s.Id).ToHashSet(StringComparer.Ordinal);
        return [.. rows.Where(r => ids.Contains(r.Id))];
    }
}
