using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Torture;

/// <summary>
/// fsync that fails, a disk that is full: by a library that is loaded before libc (shim.c, built by gcc).
/// </summary>
internal static class BadDisk
{
    public static IEnumerable<Row> Run(bool isLong)
    {
        var folder = Directory.CreateTempSubdirectory("eu-torture-shim");
        try
        {
            if (Shim(folder.FullName) is not { } shim)
            {
                yield return new Row("failing fsync, full disk", true, "left out: there is no gcc to build the shim");
                yield break;
            }
            yield return Torment(
                "runs with failing fsync",
                isLong ? 50 : 2,
                draw => ("TORTURE_FSYNC_PERCENT", 1 + draw.Below(20)),
                shim
            );
            yield return Torment(
                "runs on a full disk",
                isLong ? 20 : 2,
                draw => ("TORTURE_DISK_BYTES", 2_000 + draw.Below(400_000)),
                shim
            );
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Row Torment(string what, int runs, Func<SplitMix64, (string Name, int Value)> how, string shim)
    {
        using var arena = new Arena();
        var draw = new Seed(13).Stream(what);
        var (failed, torn, orphans, wrong, hung) = (0, 0, 0, 0, 0);
        for (var i = 0; i < runs; i++)
        {
            arena.Empty();
            var (name, value) = how(draw);
            var bad = new Dictionary<string, string>
            {
                ["LD_PRELOAD"] = shim,
                [name] = value.ToString(CultureInfo.InvariantCulture),
            };
            using (var run = ToolProcess.Start(arena.Root, 1, bad))
            {
                var code = run.Finish();
                failed += code > 0 ? 1 : 0;
                hung += code == -1 ? 1 : 0;
                orphans += run.LeavesOrphans() ? 1 : 0;
            }
            torn += arena.Torn().Count;
            // On a good disk the next run just runs.
            using (var after = ToolProcess.Start(arena.Root, 1))
                hung += after.Finish() == 0 ? 0 : 1;
            wrong += arena.IsAsUndisturbed(1) ? 0 : 1;
        }
        return new Row(
            $"{runs} {what}",
            torn + orphans + wrong + hung == 0 && failed > 0,
            $"{failed} failed and said so, {torn} torn results, {orphans} orphans, {hung} that needed help, "
                + $"{wrong} with other bytes in the end"
        );
    }

    // Null where there is no compiler.
    private static string? Shim(string folder)
    {
        var (source, library) = (Path.Combine(folder, "shim.c"), Path.Combine(folder, "shim.so"));
        using (var resource = typeof(BadDisk).Assembly.GetManifestResourceStream("shim.c")!)
        using (var file = File.Create(source))
            resource.CopyTo(file);
        try
        {
            using var gcc = Process.Start("gcc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
            gcc.WaitForExit();
            return gcc.ExitCode == 0 ? library : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
