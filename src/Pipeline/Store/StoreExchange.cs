using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>What was exchanged with another place.</summary>
/// <param name="Results">Results that were sent or fetched.</param>
/// <param name="Present">Results that were there already.</param>
/// <param name="Bytes">Copied: what is there under its hash is not copied again.</param>
/// <param name="Damage">Results that were not taken, with what is wrong with them.</param>
public sealed record Exchange(int Results, int Present, long Bytes, IReadOnlyList<string> Damage);

/// <summary>
/// Copies results to a folder and from it: of a file server, of another checkout's disk. It has the form of a store:
/// contents by hash, and a manifest that appears last, by one rename.
/// </summary>
/// <remarks>
/// Killed at any instant, there is no result that looks complete and is not; the next call goes on behind the files
/// that are there. Every byte is hashed on arrival.
/// </remarks>
public static class StoreExchange
{
    /// <summary>Sends results.</summary>
    /// <param name="store">Where from.</param>
    /// <param name="remote">The folder; made if need be.</param>
    /// <param name="keys">Which.</param>
    /// <param name="progress">Told of results done and in all.</param>
    /// <param name="cancelled">Looked at between files.</param>
    public static Exchange Push(
        ResultStore store,
        string remote,
        IReadOnlyList<string> keys,
        Action<long, long>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(keys);
        Directory.CreateDirectory(Path.Combine(remote, "objects"));
        Directory.CreateDirectory(Path.Combine(remote, "results"));
        var (sent, present, bytes, damage) = (0, 0, 0L, new List<string>());
        foreach (var (i, key) in keys.Index())
        {
            progress?.Invoke(i, keys.Count);
            var target = Path.Combine(remote, "results", key + ".json");
            if (File.Exists(target))
            {
                present++;
                continue;
            }
            try
            {
                var manifest = store.ReadManifest(key) ?? throw new DamagedFileException(key, "has no manifest", null);
                foreach (var (output, file) in manifest.Outputs.SelectMany(o => o.Files.Select(f => (o, f))))
                {
                    cancelled.ThrowIfCancellationRequested();
                    var from = Path.Combine(store.ResultFolder(key), output.Name, file.Path).TrimEnd('/');
                    bytes += Copy(from, ObjectOf(remote, file.Hash), Path.Combine(remote, "partial"), file);
                }
                AtomicFile.Write(
                    target,
                    File.ReadAllBytes(Path.Combine(store.ResultFolder(key), ResultStore.ManifestName))
                );
                sent++;
            }
            catch (DamagedFileException e)
            {
                damage.Add(e.Message);
            }
        }
        progress?.Invoke(keys.Count, keys.Count);
        return new Exchange(sent, present, bytes, damage);
    }

    /// <summary>Manifests that lie in a folder, by cell; what cannot be read is told apart.</summary>
    /// <exception cref="InputException">The folder is none that was pushed to.</exception>
    public static (IReadOnlyList<Manifest> Manifests, IReadOnlyList<string> Damage) Look(string remote)
    {
        var folder = Path.Combine(remote, "results");
        if (!Directory.Exists(folder))
            throw new InputException(remote, "holds no results", "eu-stage cache push makes such a folder");
        var (manifests, damage) = (new List<Manifest>(), new List<string>());
        foreach (var file in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
            try
            {
                var text = File.ReadAllText(file);
                var manifest =
                    JsonSerializer.Deserialize<Manifest>(text, ResultStore.Json) ?? throw new JsonException("is empty");
                if (
                    manifest.Key != Path.GetFileNameWithoutExtension(file)
                    || ResultStore.SealProblem(manifest, text) is not null
                )
                    throw new JsonException("it holds other bytes than were written");
                manifests.Add(manifest);
            }
            catch (JsonException e)
            {
                damage.Add($"{file}: is not a manifest: {e.Message}");
            }
        return ([.. manifests.OrderBy(m => m.Started, StringComparer.Ordinal)], damage);
    }

    /// <summary>Fetches results.</summary>
    /// <param name="store">Where to.</param>
    /// <param name="remote">The folder.</param>
    /// <param name="manifests">Which, as <see cref="Look"/> found them.</param>
    /// <param name="progress">Told of results done and in all.</param>
    /// <param name="cancelled">Looked at between files.</param>
    public static Exchange Pull(
        ResultStore store,
        string remote,
        IReadOnlyList<Manifest> manifests,
        Action<long, long>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(manifests);
        var (fetched, present, bytes, damage) = (0, 0, 0L, new List<string>());
        foreach (var (i, manifest) in manifests.Index())
        {
            progress?.Invoke(i, manifests.Count);
            if (File.Exists(Path.Combine(store.ResultFolder(manifest.Key), ResultStore.ManifestName)))
            {
                present++;
                continue;
            }
            var staging = Path.Combine(
                store.Folder,
                "scratch",
                string.Create(
                    System.Globalization.CultureInfo.InvariantCulture,
                    $"{manifest.Key}.{Environment.ProcessId}.pull.out"
                )
            );
            try
            {
                foreach (var (output, file) in manifest.Outputs.SelectMany(o => o.Files.Select(f => (o, f))))
                {
                    cancelled.ThrowIfCancellationRequested();
                    bytes += Fetch(store, remote, staging, Path.Combine(output.Name, file.Path).TrimEnd('/'), file);
                }
                foreach (var empty in manifest.Outputs.Where(o => o.Files.Count == 0))
                    Directory.CreateDirectory(Path.Combine(staging, empty.Name));
                store.Publish(staging, manifest);
                fetched++;
            }
            catch (DamagedFileException e)
            {
                damage.Add($"{manifest.Cell}: {e.Message}");
            }
            finally
            {
                Files.DeleteFolder(staging);
            }
        }
        progress?.Invoke(manifests.Count, manifests.Count);
        return new Exchange(fetched, present, bytes, damage);
    }

    private static string ObjectOf(string folder, string hash) => Path.Combine(folder, "objects", hash[..2], hash);

    // First into the store of contents: an interrupted call has that much less to fetch.
    private static long Fetch(ResultStore store, string remote, string staging, string name, StoredFile file)
    {
        var path = Path.Combine(staging, name);
        var known = ObjectOf(store.Folder, file.Hash);
        // Bytes of this store that went bad must not be handed on.
        if (File.Exists(known) && (new FileInfo(known).Length != file.Bytes || Files.Hash(known) != file.Hash))
            File.Delete(known);
        var bytes = Copy(ObjectOf(remote, file.Hash), known, staging, file);
        Files.Protect(known);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Files.Link(known, path);
        return bytes;
    }

    // Bytes copied; 0 where the file is there. What a kill leaves behind lies where nobody takes it for a content.
    private static long Copy(string from, string to, string scratch, StoredFile file)
    {
        if (new FileInfo(to) is { Exists: true } there && there.Length == file.Bytes)
            return 0;
        if (!File.Exists(from))
            throw new DamagedFileException(from, "is gone", "push it again");
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        Directory.CreateDirectory(scratch);
        var partial = Path.Combine(scratch, $".{Guid.NewGuid():N}.tmp");
        try
        {
            using (var source = File.OpenRead(from))
            using (var target = new FileStream(partial, FileMode.CreateNew, FileAccess.Write))
                source.CopyTo(target);
            // What arrived counts, not what was sent.
            if (Files.Hash(partial, flush: true) != file.Hash)
                throw new DamagedFileException(from, "holds other bytes than were written", "push it again");
            File.Move(partial, to, overwrite: true);
            return file.Bytes;
        }
        finally
        {
            File.Delete(partial);
        }
    }
}
