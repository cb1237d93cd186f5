using System.Text.Json.Nodes;

namespace EditUnlearn.Pipeline;

/// <summary>Why a cell must be run.</summary>
public enum ChangeCause
{
    /// <summary>It never ran here.</summary>
    NeverRun,

    /// <summary>It ran, and its result was removed.</summary>
    Gone,

    /// <summary>The stage does another kind of work.</summary>
    Kind,

    /// <summary>The stage's hand-raised version.</summary>
    Version,

    /// <summary>A parameter has another value, is new or is gone.</summary>
    Parameter,

    /// <summary>An input has other content.</summary>
    Input,

    /// <summary>An input that was not read before.</summary>
    InputAdded,

    /// <summary>An input that is no longer read.</summary>
    InputRemoved,

    /// <summary>The code the stage reaches.</summary>
    Code,

    /// <summary>Device or element type.</summary>
    Device,

    /// <summary>What is installed on the machine.</summary>
    Surrounding,
}

/// <summary>One difference between a cell's last result and what it would be now.</summary>
/// <param name="Cause">Of what kind.</param>
/// <param name="Name">The parameter, the input, the kind of stage; empty where there is none.</param>
/// <param name="Old">Before; null where there was nothing.</param>
/// <param name="New">Now; null where there is nothing.</param>
/// <param name="Place">Where in the pipeline, or in the code.</param>
/// <param name="Source">Of an input: the cell and output, or the file.</param>
public sealed record Change(
    ChangeCause Cause,
    string Name = "",
    string? Old = null,
    string? New = null,
    SourcePlace? Place = null,
    string? Source = null
)
{
    /// <summary>As <c>status</c> and <c>plan</c> print it.</summary>
    public override string ToString()
    {
        var place = Cause == ChangeCause.Parameter && Place is { } p ? $" ({p})" : "";
        return Cause switch
        {
            ChangeCause.NeverRun => "never run",
            ChangeCause.Gone => "its result is gone from the store",
            ChangeCause.Kind => $"kind of stage {Old} -> {New}",
            ChangeCause.Version => $"version of the stage -> {New}",
            ChangeCause.Input => $"input {Name}: {Source} changed, {Short(Old)} -> {Short(New)}",
            ChangeCause.InputAdded => $"input {Name}: {Source} is new",
            ChangeCause.InputRemoved => $"input {Name}: {Source} is no longer read",
            ChangeCause.Code => $"the code of '{Name}' changed, {Short(Old)} -> {Short(New)}",
            ChangeCause.Device => $"device {Old} -> {New}",
            ChangeCause.Surrounding => $"{Name} of this machine {Old ?? "not looked at"} -> {New ?? "not looked at"}",
            _ => $"{Name} {Old ?? "null"} -> {New ?? "null"}{place}",
        };
    }

    internal static string Short(string? hash) => hash is { Length: > 8 } ? hash[..8] : hash ?? "nothing";
}

/// <summary>Finds the differences between a result and a cell.</summary>
internal static class Changes
{
    /// <summary>Why a cell must be run: what differs from its last result. Never empty.</summary>
    public static IReadOnlyList<Change> Of(Plan plan, ResultStore store, KeyedCell keyed)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(keyed);
        if (store.LastKey(keyed.Cell.Id) is not { } lastKey)
            return [new Change(ChangeCause.NeverRun)];
        if (lastKey == keyed.Key || store.ReadManifest(lastKey) is not { } last)
            return [new Change(ChangeCause.Gone, Old: lastKey)];
        var changes = Between(plan, last, keyed);
        return changes.Count > 0
            ? changes
            :
            [
                new Change(
                    ChangeCause.Version,
                    keyed.Cell.Stage.Info.Name,
                    null,
                    $"{keyed.Cell.Stage.Info.Version}",
                    keyed.Cell.Place
                ),
            ];
    }

    /// <summary>
    /// What differs between an earlier result and a cell as it is now; empty where nothing that the manifest knows
    /// does.
    /// </summary>
    public static IReadOnlyList<Change> Between(Plan plan, Manifest last, KeyedCell keyed)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(last);
        ArgumentNullException.ThrowIfNull(keyed);
        var (cell, changes) = (keyed.Cell, new List<Change>());
        if (last.Stage != cell.Stage.Info.Name)
            changes.Add(new Change(ChangeCause.Kind, "", last.Stage, cell.Stage.Info.Name, cell.Place));
        Compare("", last.Parameters, cell.ParametersJson, cell, changes);
        foreach (var input in keyed.Inputs)
        {
            var before = last.Inputs.Where(i => i.Name == input.Name && i.Axes == input.Axes).ToList();
            if (before.Count == 0)
                changes.Add(new Change(ChangeCause.InputAdded, input.Name, null, input.Hash, cell.Place, input.Source));
            else if (before.All(b => b.Hash != input.Hash))
                changes.Add(
                    new Change(ChangeCause.Input, input.Name, before[0].Hash, input.Hash, cell.Place, input.Source)
                );
        }
        foreach (var gone in last.Inputs.Where(b => keyed.Inputs.All(i => i.Name != b.Name || i.Axes != b.Axes)))
            changes.Add(new Change(ChangeCause.InputRemoved, gone.Name, gone.Hash, null, cell.Place, gone.Source));
        if (last.Code != keyed.Code)
            changes.Add(new Change(ChangeCause.Code, cell.Stage.Info.Name, last.Code, keyed.Code));
        if (
            cell.Stage.Info.Resource == Resource.Accelerator
            && (last.Device, last.DType, last.Numerics) != (plan.Device, plan.DType, plan.Numerics)
        )
            changes.Add(
                new Change(
                    ChangeCause.Device,
                    "",
                    $"{last.Device} {last.DType} {last.Numerics}",
                    $"{plan.Device} {plan.DType} {plan.Numerics}",
                    plan.Settings.FirstOrDefault(s => s.Path == "device")?.Place
                )
            );
        foreach (var name in last.Surroundings.Keys.Union(keyed.Surroundings.Keys))
        {
            var (old, now) = (last.Surroundings.GetValueOrDefault(name), keyed.Surroundings.GetValueOrDefault(name));
            if (old != now)
                changes.Add(new Change(ChangeCause.Surrounding, name, old, now));
        }
        return changes;
    }

    private static void Compare(string path, JsonNode? old, JsonNode? now, Cell cell, List<Change> changes)
    {
        if (old is JsonObject a && now is JsonObject b)
        {
            foreach (var name in a.Select(p => p.Key).Union(b.Select(p => p.Key)))
                Compare(path.Length == 0 ? name : $"{path}.{name}", a[name], b[name], cell, changes);
            return;
        }
        if (CellKey.Canonical(old) == CellKey.Canonical(now))
            return;
        changes.Add(
            new Change(
                ChangeCause.Parameter,
                KeyNames.Written(path),
                Short(old),
                Short(now),
                cell.Origins.TryGetValue(path, out var origin) ? origin.Place : null
            )
        );
    }

    private static string Short(JsonNode? node) =>
        CellKey.Canonical(node) is { Length: > 60 } text ? text[..57] + "..." : CellKey.Canonical(node);
}
