namespace EditUnlearn.Pipeline;

/// <summary>Why a cell is stale, or that it is not.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="State">Whether its result is there.</param>
/// <param name="Key">Its key; null while waiting.</param>
/// <param name="Last">Its last result; null for never.</param>
/// <param name="Reasons">One a line; empty when up to date.</param>
public sealed record Explanation(Cell Cell, CellState State, string? Key, Manifest? Last, IReadOnlyList<Reason> Reasons)
{
    /// <summary>
    /// <c>stage: cause key old -> new (file:line)</c>, a line for every reason; one line when up to date.
    /// </summary>
    public IEnumerable<string> Lines =>
        State == CellState.UpToDate
            ? [$"{Cell.Id}: up to date, key {Change.Short(Key)}, made {Last!.Started}"]
            : Reasons.Select(r => $"{Cell.Id}: {r}");
}

/// <summary>One reason: a change of the cell itself, or of what it reads, back to where it began.</summary>
/// <param name="Change">What changed: of the cell, or of <paramref name="Root"/>.</param>
/// <param name="Root">Whose change it is, where it is not the cell's own.</param>
/// <param name="Via">The input of the cell whose content the root changed; null while the root has not run yet.</param>
/// <param name="Code">Of a change of code: the types that differ, with their places where known.</param>
public sealed record Reason(
    Change Change,
    CellId? Root = null,
    Change? Via = null,
    IReadOnlyList<ChangedType>? Code = null
)
{
    private const int TypesShown = 3;

    /// <inheritdoc/>
    public override string ToString()
    {
        var own = Text(Change);
        if (Via is not null)
            return $"{Text(Via)}{(Root is null ? "" : $", root {Root}: {own}")}";
        return Root is null ? own : $"waits for {Root}: {own}";
    }

    private string Text(Change c)
    {
        var place = c.Place is { } p ? $" ({p})" : "";
        return c.Cause switch
        {
            ChangeCause.NeverRun => "never run",
            ChangeCause.Gone => $"result {Change.Short(c.Old)} is gone from the store",
            ChangeCause.Kind => $"kind of stage {c.Old} -> {c.New}{place}",
            ChangeCause.Version => $"version of '{c.Name}' -> {c.New}{place}",
            ChangeCause.Input => $"input {c.Name} {Change.Short(c.Old)} -> {Change.Short(c.New)}, {c.Source}{place}",
            ChangeCause.InputAdded => $"input {c.Name} nothing -> {Change.Short(c.New)}, {c.Source}{place}",
            ChangeCause.InputRemoved => $"input {c.Name} {Change.Short(c.Old)} -> nothing, {c.Source}{place}",
            ChangeCause.Code => $"code of '{c.Name}' {Change.Short(c.Old)} -> {Change.Short(c.New)}{Types()}",
            ChangeCause.Device => $"device {c.Old} -> {c.New}{place}",
            ChangeCause.Surrounding => c.ToString(),
            _ => $"parameter {c.Name} {c.Old ?? "null"} -> {c.New ?? "null"}{place}",
        };
    }

    private string Types() =>
        Code is not { Count: > 0 } types
            ? ""
            : ": "
                + string.Join(", ", types.Take(TypesShown))
                + (types.Count > TypesShown ? $" and {types.Count - TypesShown} more" : "");
}

/// <summary>A type that differs between two code identities.</summary>
/// <param name="Name">Without its namespace.</param>
/// <param name="How"><c>changed</c>, <c>new</c> or <c>gone</c>.</param>
/// <param name="Place">Its source; null where unknown.</param>
public sealed record ChangedType(string Name, string How, SourcePlace? Place)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Name} {How}{(Place is { } p ? $" ({p})" : "")}";
}

/// <summary>
/// Compares cells with their last results and follows changed inputs back to the change that began it.
/// </summary>
public sealed class Explainer(Plan plan, ResultStore store, KeyResolver keys, CodeIdentity code)
{
    private readonly Dictionary<CellId, CellStatus> _status = Status.Of(plan, store, keys).ToDictionary(s => s.Cell.Id);

    /// <summary>One cell.</summary>
    public Explanation Of(Cell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        var status = _status[cell.Id];
        var last = store.LastKey(cell.Id) is { } key ? store.ReadManifest(key) : null;
        return status.State switch
        {
            CellState.UpToDate => new Explanation(cell, status.State, status.Key, store.ReadManifest(status.Key!), []),
            CellState.Stale => new Explanation(cell, status.State, status.Key, last, [.. Own(cell)]),
            _ => new Explanation(
                cell,
                status.State,
                null,
                last,
                [
                    .. Roots(cell)
                        .SelectMany(root => Own(root).Select(r => r with { Root = r.Root ?? root.Id, Via = null })),
                ]
            ),
        };
    }

    private IEnumerable<Reason> Own(Cell cell) =>
        Changes
            .Of(plan, store, Keyed(cell))
            .Select(c =>
                c.Cause switch
                {
                    ChangeCause.Input when Root(cell, c, []) is { } root => new Reason(
                        root.Change,
                        root.Cell,
                        c,
                        Types(root.Change)
                    ),
                    ChangeCause.Input => new Reason(c, Via: c),
                    _ => new Reason(c, Code: Types(c)),
                }
            );

    // The stale cells above a waiting one, in plan order.
    private IEnumerable<Cell> Roots(Cell cell) =>
        Targets.WithUpstream(plan, [cell]).Where(c => _status[c.Id].State == CellState.Stale);

    private KeyedCell Keyed(Cell cell) => keys.Of(cell, id => store.Find(_status[id].Key!)!);

    // Whatever made the old content of the input against what makes it now; through inputs of inputs to something that
    // is no input.
    private (CellId Cell, Change Change)? Root(Cell cell, Change change, HashSet<CellId> seen)
    {
        if (
            cell
                .Inputs.OfType<CellOutputInput>()
                .FirstOrDefault(i => i.Name == change.Name && $"{i.Cell}/{i.Output}" == change.Source)
                is not { } input
            || !seen.Add(input.Cell)
        )
            return null;
        var maker = plan.Cells.First(c => c.Id.Equals(input.Cell));
        if (
            store.KeyThatMade(input.Cell, maker.Stage.Info.Name, input.Output, change.Old!) is not { } old
            || store.ReadManifest(old) is not { } manifest
        )
            return null;
        var changes = Changes.Between(plan, manifest, Keyed(maker));
        if (changes.FirstOrDefault(c => c.Cause != ChangeCause.Input) is { } first)
            return (maker.Id, first);
        return changes.Select(c => Root(maker, c, seen)).FirstOrDefault(r => r is not null);
    }

    private List<ChangedType>? Types(Change change)
    {
        if (
            change.Cause != ChangeCause.Code
            || code.PartsOf(change.Old!) is not { } before
            || code.PartsOf(change.New!) is not { } now
        )
            return null;
        return
        [
            .. before
                .Keys.Union(now.Keys)
                .Where(t => before.GetValueOrDefault(t) != now.GetValueOrDefault(t))
                .Order(StringComparer.Ordinal)
                .Select(t => new ChangedType(
                    t.Split('.')[^1],
                    !before.ContainsKey(t) ? "new"
                        : now.ContainsKey(t) ? "changed"
                        : "gone",
                    now.ContainsKey(t) ? code.SourceOf(t) : null
                )),
        ];
    }
}
