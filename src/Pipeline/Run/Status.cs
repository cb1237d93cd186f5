namespace EditUnlearn.Pipeline;

/// <summary>Whether a cell's result is there.</summary>
public enum CellState
{
    /// <summary>Its result is there.</summary>
    UpToDate,

    /// <summary>It must be run.</summary>
    Stale,

    /// <summary>Something it reads must be run first; an unchanged outcome there may still save it.</summary>
    Waiting,

    /// <summary>A file that does not come with the project is not there, so nothing can be known.</summary>
    Missing,
}

/// <summary>What is known of a cell without running anything.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="State">Whether its result is there.</param>
/// <param name="Key">Its key; null while waiting.</param>
/// <param name="Reasons">One line each: what changed, from what to what, where.</param>
public sealed record CellStatus(Cell Cell, CellState State, string? Key, IReadOnlyList<string> Reasons)
{
    /// <summary>The files that are not there.</summary>
    public IReadOnlyList<FileInput> Missing { get; init; } = [];
}

/// <summary>Compares a plan with the store.</summary>
public static class Status
{
    /// <summary>The status of every cell, in plan order.</summary>
    public static IReadOnlyList<CellStatus> Of(Plan plan, ResultStore store, KeyResolver keys)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(keys);
        var all = new Dictionary<CellId, CellStatus>();
        var outputs = new Dictionary<CellId, IReadOnlyDictionary<string, string>>();
        foreach (var cell in plan.Cells)
        {
            if (keys.Missing(cell) is { Count: > 0 } missing)
            {
                all.Add(
                    cell.Id,
                    new CellStatus(cell, CellState.Missing, null, [.. missing.Select(m => $"there is no {m.Path}")])
                    {
                        Missing = missing,
                    }
                );
                continue;
            }
            var sources = cell.Inputs.OfType<CellOutputInput>().Select(i => i.Cell).Distinct().ToList();
            var blocking = sources.Where(s => all[s].State != CellState.UpToDate).ToList();
            if (blocking.Count > 0)
            {
                // Name the roots, not the chain.
                var roots = blocking
                    .SelectMany(b => all[b].State != CellState.Waiting ? [$"waits for {b}"] : all[b].Reasons)
                    .Distinct()
                    .ToList();
                all.Add(cell.Id, new CellStatus(cell, CellState.Waiting, null, roots));
                continue;
            }
            var keyed = keys.Of(cell, id => outputs[id]);
            if (store.Find(keyed.Key) is { } found)
            {
                outputs.Add(cell.Id, found);
                all.Add(cell.Id, new CellStatus(cell, CellState.UpToDate, keyed.Key, []));
            }
            else
            {
                all.Add(cell.Id, new CellStatus(cell, CellState.Stale, keyed.Key, Reasons(plan, store, keyed)));
            }
        }
        return [.. plan.Cells.Select(c => all[c.Id])];
    }

    /// <summary>Why a cell must be run: what differs from its last result.</summary>
    public static IReadOnlyList<string> Reasons(Plan plan, ResultStore store, KeyedCell keyed) =>
        [.. Changes.Of(plan, store, keyed).Select(c => c.ToString())];
}
