using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Torture;

/// <summary>
/// The cleaner against random histories of a store, and against an oracle that knows only sets (G25).
/// </summary>
internal static class Histories
{
    private static readonly DateTimeOffset Now = new(2030, 6, 1, 12, 0, 0, TimeSpan.Zero);

    // What the oracle knows of a result.
    private sealed record Known(string Key, DateTimeOffset Made, IReadOnlyList<(string Hash, long Bytes)> Files);

    public static IEnumerable<Row> Run(bool isLong)
    {
        var histories = isLong ? 1000 : 25;
        var draw = new Seed(16).Stream("gc");
        var (cleanings, removed, kept) = (0, 0, 0);
        var wrong = new List<string>();
        for (var i = 0; i < histories; i++)
        {
            var folder = Directory.CreateTempSubdirectory("eu-torture-gc");
            try
            {
                var known = new List<Known>();
                for (var step = 2 + draw.Below(3); step > 0; step--)
                {
                    for (var add = 1 + draw.Below(4); add > 0; add--)
                        Add(folder.FullName, known, draw);
                    var (gone, stayed, problem) = Clean(folder.FullName, known, draw);
                    (cleanings, removed, kept) = (cleanings + 1, removed + gone, kept + stayed);
                    if (problem is not null)
                        wrong.Add($"history {i}: {problem}");
                }
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }
        yield return new Row(
            $"{histories} random histories of the store, {cleanings} cleanings",
            wrong.Count == 0 && removed > 0 && kept > 0,
            $"{removed} results removed, {kept} kept, {wrong.Count} not as the oracle says"
                + (wrong.Count > 0 ? "; first: " + wrong[0] : "")
        );
    }

    private static void Add(string folder, List<Known> known, SplitMix64 draw)
    {
        var store = new ResultStore(Path.Combine(folder, "artifacts"));
        var key = Convert.ToHexStringLower(
            System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(draw.Next()))
        );
        var staging = Path.Combine(store.Folder, "scratch", key + ".1.out");
        Directory.CreateDirectory(Path.Combine(staging, "out"));
        // Few contents, so that results share them.
        for (var f = 1 + draw.Below(3); f > 0; f--)
            File.WriteAllText(
                Path.Combine(staging, "out", $"f{f}.txt"),
                new string((char)('a' + draw.Below(6)), 100 + 50 * draw.Below(4))
            );
        var output = StoredOutput.Of(staging, "out");
        var made = Now.AddDays(-draw.Below(40)).AddSeconds(-draw.Below(80_000));
        var cell = new CellId("cell", [KeyValuePair.Create("n", draw.Below(5).ToString(CultureInfo.InvariantCulture))]);
        store.Publish(
            staging,
            new Manifest
            {
                Cell = cell.Text,
                Stage = "cell",
                Key = key,
                Code = "code",
                Parameters = [],
                Inputs = [],
                Outputs = [output],
                Started = made.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            }
        );
        store.Show(cell, key);
        known.Add(new Known(key, made, [.. output.Files.Select(f => (f.Hash, f.Bytes))]));
        Litter(store, draw);
    }

    // What killed attempts leave behind.
    private static void Litter(ResultStore store, SplitMix64 draw)
    {
        if (draw.Below(3) == 0)
            Directory.CreateDirectory(store.ScratchFolder($"{draw.Next():x16}.7.out"));
        if (draw.Below(4) == 0)
            Directory.CreateDirectory(Path.Combine(store.ResultFolder($"{draw.Next():x64}"), "out"));
    }

    private static (int Removed, int Kept, string? Problem) Clean(string folder, List<Known> known, SplitMix64 draw)
    {
        var store = new ResultStore(Path.Combine(folder, "artifacts"));
        var policy = new CleaningPolicy
        {
            InForce = known.Where(_ => draw.Below(3) == 0).Select(k => k.Key).ToHashSet(StringComparer.Ordinal),
            Everything = draw.Below(8) == 0,
            Keep = TimeSpan.FromDays(draw.Below(30)),
            MaxBytes = draw.Below(2) == 0 ? null : draw.Below(1500),
            Now = Now,
        };
        using (StoreUse.ShareAsync(store, CancellationToken.None).GetAwaiter().GetResult())
            if (StoreUse.TryExclusive(store) is { } both)
            {
                both.Dispose();
                return (0, 0, "a run is under way and the cleaner gets the store");
            }
        using var alone = StoreUse.TryExclusive(store);
        if (alone is null)
            return (0, 0, "nobody uses the store and the cleaner does not get it");
        StoreCleaner.Remove(store, StoreCleaner.Plan(store, policy));
        var stays = Oracle(known, policy);
        var before = known.Count;
        known.RemoveAll(k => !stays.Contains(k.Key));
        return (before - known.Count, known.Count, Problem(folder, known));
    }

    // Slow and plain: who may go, then the oldest of those that may, one by one, while the rest is too large.
    private static HashSet<string> Oracle(List<Known> known, CleaningPolicy policy)
    {
        bool MayGo(Known k) => policy.Everything || !policy.InForce.Contains(k.Key);
        var stays = known.Where(k => !MayGo(k) || (policy.Now - k.Made) < policy.Keep).ToList();
        while (policy.MaxBytes is { } limit)
        {
            var size = stays.SelectMany(k => k.Files).DistinctBy(f => f.Hash).Sum(f => f.Bytes);
            var oldest = stays
                .Where(MayGo)
                .OrderBy(k => k.Made)
                .ThenBy(k => k.Key, StringComparer.Ordinal)
                .FirstOrDefault();
            if (size <= limit || oldest is null)
                break;
            stays.Remove(oldest);
        }
        return [.. stays.Select(k => k.Key)];
    }

    private static string? Problem(string folder, List<Known> known)
    {
        var store = new ResultStore(Path.Combine(folder, "artifacts"));
        if (!known.Select(k => k.Key).Order(StringComparer.Ordinal).SequenceEqual(store.Keys()))
            return "other results are left";
        if (StoreCheck.Run(store, quarantine: false).Damage is { Count: > 0 } damage)
            return damage[0].Message;
        if (known.Any(k => store.Find(k.Key) is null))
            return "a result that stays is not found";
        var objects = Directory
            .EnumerateFiles(Path.Combine(store.Folder, "objects"), "*", SearchOption.AllDirectories)
            .Select(f => Path.GetFileName(f)!)
            .ToHashSet(StringComparer.Ordinal);
        if (!objects.SetEquals(known.SelectMany(k => k.Files).Select(f => f.Hash)))
            return "stored files are left that nobody has, or are gone that somebody has";
        return Directory
            .EnumerateFileSystemEntries(store.Artifacts, "*", SearchOption.AllDirectories)
            .Where(e => !e.Contains(".store", StringComparison.Ordinal))
            .Select(e => new DirectoryInfo(e))
            .Any(e => e.LinkTarget is not null && !Directory.Exists(e.FullName + "/"))
            ? "a view points to nothing"
            : null;
    }
}
