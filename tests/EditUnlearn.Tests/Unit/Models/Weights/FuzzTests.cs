using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Weights;

/// <summary>
/// Damaged model folders: each loads, or is refused with an error of ours; none hangs, none eats memory, none ends the
/// process.
/// </summary>
/// <remarks><c>EU_FUZZ_CASES</c> sets how many; the same number always means the same damage.</remarks>
public sealed class FuzzTests
{
    private const int Usual = 2000;
    private const long MostAllocated = 64 << 20;
    private static readonly TimeSpan Slowest = TimeSpan.FromSeconds(1);

    [Fact]
    public void Damaged_folders_are_refused_with_typed_errors_or_load()
    {
        var cases = int.TryParse(
            Environment.GetEnvironmentVariable("EU_FUZZ_CASES"),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out var n
        )
            ? n
            : Usual;
        using var folder = new TemporaryFolder();
        TinyCheckpoints.Write(folder.Path, layers: 1);
        var whole = TinyCheckpoints.Bytes(folder.Path);
        var victims = whole
            .Keys.Where(k =>
                k.EndsWith(".safetensors", StringComparison.Ordinal)
                || k is "config.json" or "generation_config.json" or "model.safetensors.index.json"
            )
            .Order(StringComparer.Ordinal)
            .ToList();
        int loaded = 0,
            refused = 0;
        for (var i = 0; i < cases; i++)
        {
            var mutator = new Mutator(new Seed(20), i);
            // Half of the damage goes to the JSON files, of which there are fewer.
            var victim =
                i % 2 == 0
                    ? victims[mutator.Below(victims.Count)]
                    : victims.Where(v => v.EndsWith(".json", StringComparison.Ordinal)).ElementAt(mutator.Below(3));
            var damaged = victim.EndsWith(".json", StringComparison.Ordinal)
                ? mutator.Json(whole[victim])
                : mutator.Safetensors(whole[victim]);
            File.WriteAllBytes(folder[victim], damaged);
            if (Try(folder.Path, $"case {i}, {victim}"))
                loaded++;
            else
                refused++;
            File.WriteAllBytes(folder[victim], whole[victim]);
        }
        // Flipped bits of values load, everything else is seen.
        Assert.True(refused > cases / 3, $"{refused} of {cases} refused");
        Assert.True(loaded > cases / 50, $"{loaded} of {cases} loaded");
    }

    // Whether it loads; fails on any other outcome than that and a typed error. A slow case gets a second chance: the
    // machine may have been busy.
    private static bool Try(string folder, string what)
    {
        for (var attempt = 0; ; attempt++)
        {
            var clock = Stopwatch.StartNew();
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            var result = false;
            try
            {
                using var model = WeightFolder.Load(folder, CPU, ScalarType.BFloat16);
                result = true;
            }
            catch (Exception e) when (e is InputException or DamagedFileException)
            {
                Assert.False(string.IsNullOrWhiteSpace(e.Message), what);
            }
            catch (Exception e)
            {
                Assert.Fail($"{what}: {e}");
            }
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            Assert.True(allocated < MostAllocated, $"{what}: {allocated} bytes allocated");
            if (clock.Elapsed < Slowest)
                return result;
            Assert.True(attempt < 2, $"{what}: {clock.Elapsed.TotalSeconds:0.0} s");
        }
    }
}
