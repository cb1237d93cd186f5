using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>What a cell was made from and what came out, for git: nothing that differs where results do not.</summary>
/// <param name="Key">Of the cell.</param>
/// <param name="Outputs">Hashes of its outputs by name.</param>
/// <param name="Format">Of this form.</param>
public sealed record LockEntry(
    string Key,
    IReadOnlyDictionary<string, string> Outputs,
    string Format = LockEntry.Current
)
{
    internal const string Current = "lock/1";
}

/// <summary>One difference between a study and its lock.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="Problem">What differs.</param>
public sealed record LockDrift(CellId Cell, string Problem);

/// <summary>
/// A folder with one small file a cell, <c>locks/PROFILE/STAGE/CELL.json</c>: branches that change different stages
/// merge without a conflict, and a clone without results can tell whether the study is still the one that was run.
/// </summary>
public static class LockFiles
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        NewLine = "\n",
    };

    /// <summary>The folder of a profile's lock.</summary>
    public static string Folder(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return Path.Combine(plan.Root, "locks", plan.Profile);
    }

    /// <summary>Writes what is in force, and removes the files of cells that the plan no longer has.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="entries">Of cells with a result.</param>
    /// <returns>Files written anew or changed, and removed.</returns>
    public static (int Written, int Removed) Write(Plan plan, IReadOnlyDictionary<CellId, LockEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(entries);
        var (folder, written, removed) = (Folder(plan), 0, 0);
        var wanted = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (cell, entry) in entries)
        {
            var file = FileOf(folder, cell);
            wanted.Add(file);
            var text = Text(entry);
            if (File.Exists(file) && File.ReadAllText(file) == text)
                continue;
            AtomicFile.Write(file, text);
            written++;
        }
        var planned = plan.Cells.Select(c => FileOf(folder, c.Id)).ToHashSet(StringComparer.Ordinal);
        foreach (var file in Existing(folder).Where(f => !planned.Contains(f)))
        {
            File.Delete(file);
            removed++;
        }
        return (written, removed);
    }

    /// <summary>
    /// What of a study differs from its lock. Needs no results: keys follow from the lock's own hashes.
    /// </summary>
    /// <exception cref="InputException">There is no lock, or a file of it is not one.</exception>
    public static IReadOnlyList<LockDrift> Compare(Plan plan, KeyResolver keys)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(keys);
        var folder = Folder(plan);
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no lock of this profile", "eu-stage lock writes it");
        var locked = Read(folder, plan);
        var drift = new List<LockDrift>();
        foreach (var cell in plan.Cells)
        {
            var sources = cell.Inputs.OfType<CellOutputInput>().ToList();
            if (!locked.TryGetValue(cell.Id, out var entry))
                drift.Add(new LockDrift(cell.Id, "is not in the lock"));
            else if (keys.Missing(cell) is { Count: > 0 } missing)
                drift.Add(new LockDrift(cell.Id, $"reads {missing[0].Path}, which is not there"));
            else if (
                sources.All(s => locked.GetValueOrDefault(s.Cell)?.Outputs.ContainsKey(s.Output) == true)
                && keys.Of(cell, id => locked[id].Outputs) is var keyed
                && keyed.Key != entry.Key
            )
                drift.Add(
                    new LockDrift(cell.Id, $"key {Change.Short(entry.Key)} in the lock, {Change.Short(keyed.Key)} now")
                );
        }
        var planned = plan.Cells.Select(c => FileOf(folder, c.Id)).ToHashSet(StringComparer.Ordinal);
        foreach (var file in Existing(folder).Where(f => !planned.Contains(f)))
            drift.Add(
                new LockDrift(
                    new CellId(Path.GetRelativePath(folder, file)[..^".json".Length], []),
                    "is in the lock and no longer in the plan"
                )
            );
        return drift;
    }

    /// <summary>As it stands in the file: sorted, one field a line, no time and no machine.</summary>
    internal static string Text(LockEntry entry) =>
        JsonSerializer.Serialize(
            entry with
            {
                Outputs = new SortedDictionary<string, string>(
                    entry.Outputs.ToDictionary(o => o.Key, o => o.Value),
                    StringComparer.Ordinal
                ),
            },
            Json
        ) + "\n";

    private static Dictionary<CellId, LockEntry> Read(string folder, Plan plan)
    {
        var (found, problems) = (new Dictionary<CellId, LockEntry>(), new List<InputProblem>());
        foreach (var cell in plan.Cells.Where(c => File.Exists(FileOf(folder, c.Id))))
            try
            {
                var entry = JsonSerializer.Deserialize<LockEntry>(File.ReadAllText(FileOf(folder, cell.Id)), Json);
                if (entry is not { Key: not null, Outputs: not null, Format: LockEntry.Current })
                    throw new JsonException($"it is not in format {LockEntry.Current}");
                found.Add(cell.Id, entry);
            }
            catch (JsonException e)
            {
                // Marks of a conflict, most of the time.
                problems.Add(
                    new InputProblem(FileOf(folder, cell.Id), 1, 0, "is not a lock: " + e.Message, "eu-stage lock")
                );
            }
        if (problems.Count > 0)
            throw new InputException(problems);
        return found;
    }

    private static string FileOf(string folder, CellId cell) => Path.Combine(folder, cell.Folder + ".json");

    private static IEnumerable<string> Existing(string folder) =>
        Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            : [];
}
