using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Torture;

/// <summary>
/// Bits that turn, files that lose their end or change places, in stored files and manifests (G25): found, put aside,
/// and only what was hit is made again.
/// </summary>
internal static class Flips
{
    public static IEnumerable<Row> Run(bool isLong)
    {
        foreach (
            var (what, count, damage) in ((string, int, Func<SplitMix64, List<string>, IReadOnlyList<string>>)[])
                [
                    ("bit flips", isLong ? 100 : 6, Flip),
                    ("truncations", isLong ? 25 : 1, Truncate),
                    ("swapped files", isLong ? 25 : 1, Swap),
                ]
        )
        {
            using var arena = new Arena();
            using (var run = ToolProcess.Start(arena.Root, 1))
                if (run.Finish() != 0)
                    throw new InvalidOperationException(run.Said());
            var draw = new Seed(15).Stream(what);
            var (found, others, many, wrong) = (0, 0, 0, 0);
            for (var i = 0; i < count; i++)
            {
                var files = Stored(arena.Root);
                var hit = Hit(arena.Root, damage(draw, files));
                var check = StoreCheck.Run(SyntheticStudy.Store(arena.Root), quarantine: true);
                var named = check.Damage.Select(d => d.Key).OfType<string>().ToHashSet(StringComparer.Ordinal);
                found += hit.SetEquals(named) && check.Damage.Count > 0 ? 1 : 0;
                others += named.Except(hit).Count();
                var before = arena.Journal().Count;
                using (var again = ToolProcess.Start(arena.Root, 1))
                    wrong += again.Finish() == 0 && arena.IsAsUndisturbed(1) ? 0 : 1;
                many += Math.Max(0, arena.Journal().Count - before - hit.Count);
            }
            yield return new Row(
                $"{count} {what} in stored files and manifests",
                found == count && others + many + wrong == 0,
                $"{found} found and put aside, {others} healthy results touched, {many} cells made again without need, "
                    + $"{wrong} runs that did not mend it"
            );
        }
    }

    private static List<string> Stored(string root) =>
        [
            .. Directory
                .EnumerateFiles(Path.Combine(root, "artifacts", ".store", "results"), "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal),
        ];

    // Keys of all results that hold a damaged file: one file may stand in several.
    private static HashSet<string> Hit(string root, IReadOnlyList<string> files)
    {
        var store = SyntheticStudy.Store(root);
        var keys = files.Select(f => KeyOf(store, f)).ToHashSet(StringComparer.Ordinal);
        foreach (var file in files.Where(f => Path.GetFileName(f) != "manifest.json"))
        {
            var number = FileState.Of(file)!.Number;
            foreach (var other in Stored(root).Where(f => FileState.Of(f)!.Number == number))
                keys.Add(KeyOf(store, other));
        }
        return keys;
    }

    private static string KeyOf(ResultStore store, string file) =>
        Path.GetRelativePath(Path.Combine(store.Folder, "results"), file).Split('/')[0];

    private static IReadOnlyList<string> Flip(SplitMix64 draw, List<string> files)
    {
        var file = files[draw.Below(files.Count)];
        var bytes = File.ReadAllBytes(file);
        bytes[draw.Below(bytes.Length)] ^= (byte)(1 << draw.Below(8));
        Overwrite(file, bytes);
        return [file];
    }

    private static IReadOnlyList<string> Truncate(SplitMix64 draw, List<string> files)
    {
        var file = files[draw.Below(files.Count)];
        var bytes = File.ReadAllBytes(file);
        Overwrite(file, bytes[..draw.Below(bytes.Length)]); // shorter by at least a byte
        return [file];
    }

    // Two results' files of one name change places.
    private static IReadOnlyList<string> Swap(SplitMix64 draw, List<string> files)
    {
        while (true)
        {
            var (a, b) = (files[draw.Below(files.Count)], files[draw.Below(files.Count)]);
            if (Path.GetFileName(a) != Path.GetFileName(b) || File.ReadAllBytes(a).SequenceEqual(File.ReadAllBytes(b)))
                continue;
            var (first, second) = (File.ReadAllBytes(a), File.ReadAllBytes(b));
            Overwrite(a, second);
            Overwrite(b, first);
            return [a, b];
        }
    }

    // In place, as a disk does it: every other name of the file sees it too.
    private static void Overwrite(string file, byte[] bytes)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Write);
        stream.SetLength(0);
        stream.Write(bytes);
    }
}
