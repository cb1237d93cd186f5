using System.Globalization;

namespace EditUnlearn.Pipeline;

/// <summary>One result of the store.</summary>
/// <param name="Manifest">What it is.</param>
/// <param name="Bytes">Of all its files.</param>
/// <param name="Made">When it was begun, UTC.</param>
public sealed record StoreEntry(Manifest Manifest, long Bytes, DateTimeOffset Made);

/// <summary>What lies in a store.</summary>
public static class StoreListing
{
    /// <summary>All readable results, by cell, the latest first.</summary>
    public static IReadOnlyList<StoreEntry> Of(ResultStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        var entries = new List<StoreEntry>();
        foreach (var key in store.Keys())
            try
            {
                if (store.ReadManifest(key) is { } manifest)
                    entries.Add(new StoreEntry(manifest, manifest.Outputs.Sum(o => o.Bytes), Made(manifest)));
            }
            catch (Foundation.DamagedFileException)
            {
                // A listing shows what there is; cache verify says what is wrong with the rest.
            }
        return
        [
            .. entries
                .OrderBy(e => e.Manifest.Cell, StringComparer.Ordinal)
                .ThenByDescending(e => e.Made)
                .ThenBy(e => e.Manifest.Key, StringComparer.Ordinal),
        ];
    }

    /// <summary>Bytes on disk of some results: what several share counts once.</summary>
    public static long BytesOnDisk(IEnumerable<StoreEntry> entries) =>
        entries.SelectMany(e => e.Manifest.Outputs).SelectMany(o => o.Files).DistinctBy(f => f.Hash).Sum(f => f.Bytes);

    private static DateTimeOffset Made(Manifest manifest) =>
        DateTimeOffset.TryParse(
            manifest.Started,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal,
            out var made
        )
            ? made
            : DateTimeOffset.MinValue;
}
