using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>
/// What a row, a block or a group of columns says about the runs in it; what it leaves open another part says.
/// </summary>
public sealed record Where
{
    /// <summary>Nothing.</summary>
    public static Where Nothing { get; } = new();

    /// <inheritdoc cref="ScoreKey"/>
    public string? Model { get; init; }

    /// <inheritdoc cref="ScoreKey"/>
    public string? Set { get; init; }

    /// <inheritdoc cref="ScoreKey"/>
    public string? Method { get; init; }

    /// <summary>
    /// Where the untouched model is looked up after the set itself: sets of the same questions, for those that it was
    /// not asked again.
    /// </summary>
    public IReadOnlyList<string>? Baselines { get; init; }

    /// <summary>This, and the other where this is silent.</summary>
    public Where And(Where other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return new Where
        {
            Model = Model ?? other.Model,
            Set = Set ?? other.Set,
            Method = Method ?? other.Method,
            Baselines = Baselines ?? other.Baselines,
        };
    }

    /// <summary>The place of one number.</summary>
    /// <exception cref="InvalidOperationException">Something is still open.</exception>
    public ScoreKey Key(string split, string metric) =>
        this is { Model: { } model, Set: { } set, Method: { } method }
            ? new ScoreKey(model, set, method, split, metric)
            : throw new InvalidOperationException($"A layout leaves a run open: {this}.");
}

/// <summary>A row of a block.</summary>
/// <param name="Label">In print.</param>
/// <param name="Where">What it says of its runs.</param>
/// <param name="Family">Rows of one family compete for bold; null for a row that takes no part.</param>
public sealed record LayoutRow(string Label, Where Where, string? Family)
{
    /// <summary>
    /// The family of methods that the paper's tables do not have: they are grey or not, but never marked.
    /// </summary>
    public const string Further = "further";
}

/// <summary>Rows below each other under one heading.</summary>
/// <param name="Label">In print; empty for no heading.</param>
/// <param name="Where">What all its rows share.</param>
/// <param name="Rows">In print order.</param>
public sealed record LayoutBlock(string Label, Where Where, IReadOnlyList<LayoutRow> Rows);

/// <summary>Columns of one split.</summary>
/// <param name="Split">In the scores.</param>
/// <param name="Label">In print.</param>
/// <param name="Metrics">Columns, in print order.</param>
public sealed record LayoutColumns(string Split, string Label, IReadOnlyList<string> Metrics)
{
    /// <summary>Whether a higher number is the better one in the columns that say what is known.</summary>
    public bool HigherIsBetter => ScoreColumn.HigherIsBetter(Direction.Knowledge, Split) is true;
}

/// <summary>Columns side by side under one heading.</summary>
/// <param name="Label">In print; empty for no heading.</param>
/// <param name="Where">What all its columns share.</param>
/// <param name="Columns">By split, in print order.</param>
public sealed record LayoutGroup(string Label, Where Where, IReadOnlyList<LayoutColumns> Columns);

/// <summary>Which marks a table shows; grey is shown by all. See <see cref="MarkingRule"/>.</summary>
public enum Marks
{
    /// <summary>None of its own.</summary>
    Grey,

    /// <summary>The best of each family in bold.</summary>
    Bold,

    /// <summary>Bold, and the two best of all underlined.</summary>
    All,
}

/// <summary>A table declared: what stands where. Numbers, marks and text follow from it and a score book.</summary>
public sealed record TableLayout
{
    /// <summary><c>table1</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it shows, one sentence.</summary>
    public required string Title { get; init; }

    /// <summary>Below each other.</summary>
    public required IReadOnlyList<LayoutBlock> Blocks { get; init; }

    /// <summary>Side by side, the same in every block.</summary>
    public required IReadOnlyList<LayoutGroup> Groups { get; init; }

    /// <summary>Digits after the point.</summary>
    public int Decimals { get; init; } = 2;

    /// <summary>Its marks.</summary>
    public Marks Marks { get; init; } = Marks.All;

    /// <summary>
    /// The split over which a rise is printed in brackets, for methods that are not grey; null for none.
    /// </summary>
    public string? RiseOver { get; init; }

    /// <summary>Whether the table compares refusals, so that its caption names none.</summary>
    public bool ComparesTargets { get; init; }
}
