using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>One thing that is damaged.</summary>
/// <param name="Key">Of the result; null for a stored file that no result has.</param>
/// <param name="Cell">Of the result; null where its manifest cannot be read.</param>
/// <param name="Message">What is wrong, and what to do.</param>
/// <param name="Removed">Whether it was put aside, so that the next run makes it again.</param>
public sealed record StoreDamage(string? Key, string? Cell, string Message, bool Removed);

/// <summary>What a check of the store found.</summary>
/// <param name="Results">Results that were read.</param>
/// <param name="Bytes">Read in all.</param>
/// <param name="Damage">What is damaged; empty when all is well.</param>
public sealed record StoreCheckResult(int Results, long Bytes, IReadOnlyList<StoreDamage> Damage);

/// <summary>Reads every byte of the store again and compares it with what was written.</summary>
public static class StoreCheck
{
    /// <summary>Checks all results, then the stored files that no result has.</summary>
    /// <param name="store">The store.</param>
    /// <param name="quarantine">Put damaged results aside under <c>quarantine/</c>: the rest stays, and the next run
    /// makes them again.</param>
    /// <param name="progress">Told bytes done and bytes in all.</param>
    /// <param name="cancelled">Looked at between files.</param>
    public static StoreCheckResult Run(
        ResultStore store,
        bool quarantine,
        Action<long, long>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(store);
        var (keys, damage) = (store.Keys(), new List<StoreDamage>());
        var bad = new HashSet<string>(StringComparer.Ordinal);
        // Listed before any manifest is read: what another run stores meanwhile is not taken for an orphan.
        var orphans = StoredFiles(store);
        var manifests = keys.Select(k => Described(store, k)).ToList();
        var outputs = manifests.SelectMany(m => m.Manifest?.Outputs ?? []).ToList();
        var referenced = outputs.SelectMany(o => o.Files).Select(f => f.Hash).ToHashSet(StringComparer.Ordinal);
        orphans.RemoveAll(o => referenced.Contains(o.Name));
        long total = outputs.Sum(o => o.Bytes) + orphans.Sum(o => o.Length),
            done = 0;

        void Read(long bytes)
        {
            cancelled.ThrowIfCancellationRequested();
            done += bytes;
            progress?.Invoke(done, Math.Max(total, done));
        }
        foreach (var (key, manifest, problem) in manifests)
        {
            var message = problem;
            foreach (var (output, file) in manifest?.Outputs.SelectMany(o => o.Files.Select(f => (o, f))) ?? [])
            {
                if (Problem(store, key, output, file) is { } found)
                {
                    // The stored file behind it is the same bytes under another name, and must not be handed to the
                    // next result.
                    bad.Add(file.Hash);
                    message ??= ResultStore.Damaged(manifest!, output, file, found).Message;
                }
                Read(file.Bytes);
            }
            if (message is not null)
                damage.Add(
                    new StoreDamage(
                        key,
                        manifest?.Cell,
                        message,
                        quarantine && PutAside(store, Path.Combine("results", key))
                    )
                );
        }
        foreach (var orphan in orphans)
        {
            if (Files.Hash(orphan.FullName) != orphan.Name)
            {
                bad.Add(orphan.Name);
                damage.Add(OfOrphan(store, orphan, quarantine));
            }
            Read(orphan.Length);
        }
        if (quarantine)
            foreach (var hash in bad)
                RemoveIfDamaged(store, hash);
        return new StoreCheckResult(keys.Count, done, damage);
    }

    private static List<FileInfo> StoredFiles(ResultStore store) =>
        [
            .. Directory
                .EnumerateFiles(Path.Combine(store.Folder, "objects"), "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(p => new FileInfo(p)),
        ];

    private static (string Key, Manifest? Manifest, string? Problem) Described(ResultStore store, string key)
    {
        try
        {
            // A folder without a manifest is no result; nothing can have made one but a hand.
            var manifest =
                store.ReadManifest(key)
                ?? throw new DamagedFileException(
                    store.ResultFolder(key),
                    "holds no manifest",
                    "cache verify puts it aside"
                );
            var path = Path.Combine(store.ResultFolder(key), "manifest.json");
            if (manifest.Key != key)
                throw new DamagedFileException(path, "speaks of another result", "cache verify puts it aside");
            if (store.SealProblem(manifest) is { } problem)
                throw new DamagedFileException(path, problem, "cache verify puts it aside");
            return (key, manifest, null);
        }
        catch (DamagedFileException e)
        {
            return (key, null, e.Message);
        }
    }

    private static StoreDamage OfOrphan(ResultStore store, FileInfo orphan, bool quarantine) =>
        new(
            null,
            null,
            $"{Path.GetRelativePath(store.Folder, orphan.FullName)}: holds other bytes than its name says, and no "
                + "result has it",
            quarantine
        );

    private static string? Problem(ResultStore store, string key, StoredOutput output, StoredFile file)
    {
        var info = new FileInfo(Path.Combine(store.ResultFolder(key), output.Name, file.Path).TrimEnd('/'));
        if (!info.Exists)
            return "is gone";
        if (info.Length != file.Bytes)
            return $"has {info.Length} bytes, not {file.Bytes}";
        return Files.Hash(info.FullName) == file.Hash ? null : "holds other bytes than were written";
    }

    private static bool PutAside(ResultStore store, string path)
    {
        var aside = Path.Combine(store.Folder, "quarantine", path);
        Directory.CreateDirectory(Path.GetDirectoryName(aside)!);
        Files.DeleteFolder(aside); // of an earlier check
        Directory.Move(Path.Combine(store.Folder, path), aside);
        return true;
    }

    private static void RemoveIfDamaged(ResultStore store, string hash)
    {
        var path = Path.Combine(store.Folder, "objects", hash[..2], hash);
        if (File.Exists(path) && Files.Hash(path) != hash)
            File.Delete(path);
    }
}
