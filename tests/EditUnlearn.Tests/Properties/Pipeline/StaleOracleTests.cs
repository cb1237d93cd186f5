using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Properties.Pipeline;

/// <summary>
/// One changed leaf of the shipped settings makes stale what an oracle says: it knows no keys and no store, and writes
/// down for every cell all that stands behind it, files and cells, to the end.
/// </summary>
public sealed class StaleOracleTests : IDisposable
{
    private static readonly string[] Always = ["run-methods=null"];
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, string> _contents = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Some_changed_leaves_make_stale_what_the_oracle_says() => await Compare(30);

    [SlowFact("a thousand plans are made")]
    [Trait("Category", "Slow")]
    public async Task A_thousand_changed_leaves_make_stale_what_the_oracle_says() => await Compare(1000);

    private async Task Compare(int changes)
    {
        var before = Plan([])!;
        var store = new ResultStore(_folder["artifacts"]);
        var files = new FileHashes(_folder["files.json"]);
        var code = new CodeIdentity(AppContext.BaseDirectory);
        await using (var runner = new Writer(before))
            await new Scheduler(before, store, new KeyResolver(before, code, files), runner, new Silent()).RunAsync(
                before.Cells,
                new RunOptions { Jobs = 2 },
                CancellationToken.None
            );
        var known = Behind(before).Values.ToHashSet(StringComparer.Ordinal);
        var draw = new Seed(31).Stream("leaves");
        var (compared, changed) = (0, 0);
        while (compared < changes)
        {
            var leaf = before.Settings[draw.Below(before.Settings.Count)];
            if (Other(leaf.Value, draw) is not { } value || Plan([$"{leaf.Path}={value}"]) is not { } after)
                continue; // nothing to change, or no study
            var expected = Behind(after)
                .Where(b => !known.Contains(b.Value))
                .Select(b => b.Key)
                .Order(StringComparer.Ordinal)
                .ToList();
            var actual = Status
                .Of(after, store, new KeyResolver(after, code, files))
                .Where(s => s.State != CellState.UpToDate)
                .Select(s => s.Cell.Id.Text)
                .Order(StringComparer.Ordinal)
                .ToList();
            Assert.True(
                expected.SequenceEqual(actual),
                $"{leaf.Path}={value}\nexpected {string.Join(' ', expected)}\nactual   {string.Join(' ', actual)}"
            );
            compared++;
            changed += expected.Count > 0 ? 1 : 0;
        }
        // Most leaves are read by somebody; those that are not (time limits, words of other models) change nothing.
        Assert.True(changed > compared / 4, $"{changed} of {compared} changes made something stale");
    }

    private static Plan? Plan(string[] sets)
    {
        try
        {
            return PlanBuilder.Build(
                PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
                StudyStages.Catalog,
                new PlanRequest("smoke", [.. Always, .. sets])
            );
        }
        catch (InputException)
        {
            return null;
        }
    }

    private static string? Other(JsonNode? value, SplitMix64 draw) =>
        value switch
        {
            JsonValue v when v.TryGetValue<bool>(out var b) => b ? "false" : "true",
            JsonValue v when v.TryGetValue<long>(out var n) => (n + 1 + draw.Below(3)).ToString(
                CultureInfo.InvariantCulture
            ),
            JsonValue v when v.TryGetValue<double>(out var d) => (d * (draw.Below(2) == 0 ? 0.5 : 1.5)).ToString(
                "R",
                CultureInfo.InvariantCulture
            ),
            JsonValue v when v.TryGetValue<string>(out var s) && s.Length > 0 => s + "x",
            JsonArray { Count: > 1 } a => "[" + string.Join(", ", a.SkipLast(1).Select(i => i?.ToString())) + "]",
            _ => null,
        };

    // A hash of everything behind each cell, written out.
    private Dictionary<string, string> Behind(Plan plan)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var cell in plan.Cells)
        {
            var info = cell.Stage.Info;
            var text = new StringBuilder()
                .AppendLine(CultureInfo.InvariantCulture, $"{info.Name} {info.Version}")
                .AppendLine(Sorted(cell.ParametersJson));
            if (info.Resource == Resource.Accelerator)
                text.AppendLine(CultureInfo.InvariantCulture, $"{plan.Device} {plan.DType} {plan.Numerics}");
            foreach (var input in cell.Inputs)
                if (input is CellOutputInput from)
                    text.AppendLine(
                        CultureInfo.InvariantCulture,
                        $"{from.Name} {from.Output} {string.Join(',', from.Cell.Axes)} {all[from.Cell.Text]}"
                    );
                else if (input is FileInput file)
                    text.AppendLine(CultureInfo.InvariantCulture, $"{file.Name} {Content(file.Path)}");
            all.Add(cell.Id.Text, Hash(text.ToString()));
        }
        return all;
    }

    private string Content(string path)
    {
        if (_contents.TryGetValue(path, out var hash))
            return hash;
        var whole = Path.GetFullPath(path, Checkout.Root);
        // Of a folder, all that is in it.
        IEnumerable<string> files = Directory.Exists(whole)
            ? Directory.EnumerateFiles(whole, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            : [whole];
        _contents.Add(path, hash = Hash(string.Concat(files.Select(File.ReadAllText))));
        return hash;
    }

    private static string Sorted(JsonNode? node) =>
        node switch
        {
            JsonObject o => "{"
                + string.Join(',', o.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => p.Key + Sorted(p.Value)))
                + "}",
            JsonArray a => "[" + string.Join(',', a.Select(Sorted)) + "]",
            null => "null",
            _ => node.ToJsonString(),
        };

    private static string Hash(string text) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    // Every output says who wrote it: no two cells have the same.
    private sealed class Writer(Plan plan) : IStageRunner
    {
        public Task<StageResult> RunAsync(StageJob job, Action<StageMessage> observe, CancellationToken cancelled)
        {
            var info = plan.Cells.First(c => c.Stage.Info.Name == job.Stage).Stage.Info;
            Directory.CreateDirectory(job.Staging);
            foreach (var output in info.Outputs)
                File.WriteAllText(
                    Path.Combine(job.Staging, output),
                    $"{job.Cell} {string.Join(',', job.Axes)} {output}"
                );
            return Task.FromResult(
                new StageResult(
                    [.. info.Outputs.Select(o => StoredOutput.Of(job.Staging, o))],
                    0,
                    1,
                    new Dictionary<string, double>(),
                    []
                )
            );
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Silent : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) { }

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) { }
    }
}
