namespace EditUnlearn.Pipeline;

/// <summary>What may be removed.</summary>
public sealed record CleaningPolicy
{
    /// <summary>Keys in force for some profile: kept whatever their age, unless asked.</summary>
    public IReadOnlySet<string> InForce { get; init; } = new HashSet<string>();

    /// <summary>Remove those too.</summary>
    public bool Everything { get; init; }

    /// <summary>Younger results are kept, unless the store must shrink.</summary>
    public TimeSpan Keep { get; init; } = TimeSpan.FromDays(14);

    /// <summary>Remove more, the oldest first, until the rest takes no more than this; null for no limit.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>The present.</summary>
    public required DateTimeOffset Now { get; init; }
}

/// <summary>What is or would be removed.</summary>
/// <param name="Results">Results, by cell.</param>
/// <param name="ResultBytes">Freed by them: what a kept result shares stays.</param>
/// <param name="Leftovers">Other files and folders: scratch of attempts that were killed, what was put aside, files of
/// no result.</param>
/// <param name="LeftoverBytes">Freed by those.</param>
/// <param name="Kept">Results that stay.</param>
/// <param name="KeptBytes">What those take.</param>
public sealed record Cleaning(
    IReadOnlyList<StoreEntry> Results,
    long ResultBytes,
    IReadOnlyList<string> Leftovers,
    long LeftoverBytes,
    int Kept,
    long KeptBytes
);

/// <summary>Removes results that nothing asks for any more. Safe beside runs: it needs the store for itself.</summary>
public static class StoreCleaner
{
    /// <summary>What a policy would remove.</summary>
    public static Cleaning Plan(ResultStore store, CleaningPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(policy);
        var all = StoreListing.Of(store);
        bool Protected(StoreEntry e) => !policy.Everything && policy.InForce.Contains(e.Manifest.Key);
        var old = policy.Now - policy.Keep;
        var removed = all.Where(e => !Protected(e) && e.Made <= old).ToHashSet();
        foreach (
            var next in all.Where(e => !Protected(e) && !removed.Contains(e))
                .OrderBy(e => e.Made)
                .ThenBy(e => e.Manifest.Key, StringComparer.Ordinal)
        )
        {
            if (
                policy.MaxBytes is not { } limit
                || StoreListing.BytesOnDisk(all.Where(e => !removed.Contains(e))) <= limit
            )
                break;
            removed.Add(next);
        }
        var kept = all.Where(e => !removed.Contains(e)).ToList();
        var keptBytes = StoreListing.BytesOnDisk(kept);
        var (leftovers, leftoverBytes) = Leftovers(store, all, kept, old.UtcDateTime);
        return new Cleaning(
            [.. all.Where(removed.Contains)],
            StoreListing.BytesOnDisk(all) - keptBytes,
            leftovers,
            leftoverBytes,
            kept.Count,
            keptBytes
        );
    }

    /// <summary>Removes what was planned. The caller holds <see cref="StoreUse.TryExclusive"/>.</summary>
    public static void Remove(ResultStore store, Cleaning cleaning)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(cleaning);
        foreach (var entry in cleaning.Results)
        {
            // The manifest goes first: what is left after a kill here is no result any more.
            var folder = store.ResultFolder(entry.Manifest.Key);
            File.Delete(Path.Combine(folder, "manifest.json"));
            Files.DeleteFolder(folder);
        }
        foreach (var path in cleaning.Leftovers)
            if (Directory.Exists(path))
                Files.DeleteFolder(path);
            else
                File.Delete(path);
        var remaining = StoreListing.Of(store);
        RemoveObjects(store, remaining);
        RemoveViews(store);
        store.CompactIndex();
        foreach (
            var name in Directory
                .EnumerateFiles(Path.Combine(store.Folder, "locks"))
                .Where(l => Path.GetFileName(l).Length == 64)
        )
            File.Delete(name);
    }

    // Scratch that somebody may still resume from lives as long as results do.
    private static (List<string> Paths, long Bytes) Leftovers(
        ResultStore store,
        IReadOnlyList<StoreEntry> all,
        IReadOnlyList<StoreEntry> kept,
        DateTime old
    )
    {
        var paths = new List<string>();
        foreach (var part in (string[])["scratch", "slurm", "quarantine/results"])
            if (Path.Combine(store.Folder, part) is var folder && Directory.Exists(folder))
                paths.AddRange(
                    Directory.EnumerateDirectories(folder).Where(d => Directory.GetLastWriteTimeUtc(d) <= old)
                );
        // Identities of results that stay are still worth explaining.
        var code = Path.Combine(store.Folder, "code");
        var known = kept.Select(e => e.Manifest.Code).ToHashSet(StringComparer.Ordinal);
        if (Directory.Exists(code))
            paths.AddRange(
                Directory
                    .EnumerateFiles(code, "*.json")
                    .Where(f =>
                        !known.Contains(Path.GetFileNameWithoutExtension(f)) && File.GetLastWriteTimeUtc(f) <= old
                    )
            );
        // A folder without a manifest, half removed by an earlier attempt at this.
        paths.AddRange(
            store
                .Keys()
                .Except(all.Select(e => e.Manifest.Key))
                .Select(store.ResultFolder)
                .Where(f => !File.Exists(Path.Combine(f, "manifest.json")))
        );
        paths.Sort(StringComparer.Ordinal);
        var stored = all.SelectMany(e => e.Manifest.Outputs)
            .SelectMany(o => o.Files)
            .Select(f => f.Hash)
            .ToHashSet(StringComparer.Ordinal);
        var objects = Objects(store).Where(o => !stored.Contains(o.Name)).Sum(o => o.Length);
        return (
            paths,
            objects
                + paths.Sum(p =>
                    Directory.Exists(p)
                        ? new DirectoryInfo(p).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length)
                        : new FileInfo(p).Length
                )
        );
    }

    private static IEnumerable<FileInfo> Objects(ResultStore store) =>
        new DirectoryInfo(Path.Combine(store.Folder, "objects")).EnumerateFiles("*", SearchOption.AllDirectories);

    private static void RemoveObjects(ResultStore store, IReadOnlyList<StoreEntry> remaining)
    {
        var wanted = remaining
            .SelectMany(e => e.Manifest.Outputs)
            .SelectMany(o => o.Files)
            .Select(f => f.Hash)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var unwanted in Objects(store).Where(o => !wanted.Contains(o.Name)).ToList())
            unwanted.Delete();
    }

    // The readable view must not point to what is gone.
    private static void RemoveViews(ResultStore store)
    {
        foreach (
            var entry in new DirectoryInfo(store.Artifacts)
                .EnumerateFileSystemInfos()
                .Where(e => !e.Name.StartsWith('.'))
                .ToList()
        )
        {
            List<FileSystemInfo> views =
                entry.LinkTarget is not null ? [entry]
                : entry is DirectoryInfo folder
                    ? [.. folder.EnumerateFileSystemInfos().Where(v => v.LinkTarget is not null)]
                : [];
            foreach (var view in views)
                if (!Directory.Exists(Path.GetFullPath(view.LinkTarget!, Path.GetDirectoryName(view.FullName)!)))
                    File.Delete(view.FullName);
            if (
                entry is DirectoryInfo { LinkTarget: null } left
                && views.Count > 0
                && !left.EnumerateFileSystemInfos().Any()
            )
                left.Delete();
        }
    }
}
