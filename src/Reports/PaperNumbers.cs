using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports;

/// <summary>The paper's own tables, from <c>paper/table*.csv</c>: numbers as printed.</summary>
public sealed class PaperNumbers : IScoreBook
{
    private readonly Dictionary<(string Table, ScoreKey Key), TableCell> _cells;

    private PaperNumbers(IReadOnlyList<TableCell> cells)
    {
        Cells = cells;
        _cells = cells.ToDictionary(c => (c.Table, new ScoreKey(c.Model, c.Set, c.Method, c.Split, c.Metric)));
    }

    /// <summary>Every cell, in the order of the files.</summary>
    public IReadOnlyList<TableCell> Cells { get; }

    /// <summary>Takes cells that were read.</summary>
    public static PaperNumbers Of(IReadOnlyList<TableCell> cells) => new(cells);

    /// <summary>Reads the folder of the paper's tables.</summary>
    /// <exception cref="InputException">It is absent or damaged.</exception>
    public static PaperNumbers Read(string folder) => new(CellFile.ReadFolder(folder));

    /// <inheritdoc/>
    public CellScore? Find(string table, ScoreKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        // Table 2 holds the rephrased split only; its forget and retain values stand in Table 1. Others lack single
        // runs that stand elsewhere.
        foreach (var place in (string[])[table, .. Elsewhere.Where(t => t != table)])
            if (_cells.TryGetValue((place, key), out var cell) && cell.Value is not null)
                return Score(cell);
        return null;
    }

    private static readonly string[] Elsewhere = ["table1", "table5", "table4", "table6", "table2", "table7", "table3"];

    private static CellScore Score(TableCell c) =>
        new()
        {
            Model = c.Model,
            Set = c.Set,
            Data = c.Data,
            Size = c.Size,
            Method = c.Method,
            Target = c.Target,
            Merge = c.Merge,
            Split = c.Split,
            Metric = c.Metric,
            Profile = ProfileNames.Paper,
            Mean = c.Value,
        };
}
