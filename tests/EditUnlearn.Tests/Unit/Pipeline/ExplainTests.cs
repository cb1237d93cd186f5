using System.Text;
using System.Text.RegularExpressions;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

public sealed class ExplainTests : IDisposable
{
    private const string Yaml = """
        stages:
          source:
            in: { text: { file: note.txt } }
            with: { number: $n }
          extra: { run: source, with: { number: 5 } }
          train:
            in: { data: source }
            with: { seed: $seed, rates: { steps: $steps } }
          join:
            in: { parts: train }
        --- default
        { n: 1, seed: 3, steps: 10, device: cpu }
        """;

    private readonly MiniStudy _study = new(Yaml);

    public ExplainTests() => File.WriteAllText(_study["note.txt"], "one");

    public void Dispose() => _study.Dispose();

    // Hashes are of this build; what matters is that there are two and that they differ.
    private static string Masked(IEnumerable<string> lines) =>
        string.Concat(
            lines.Select(l =>
                Regex.Replace(Regex.Replace(l, @"\b[0-9a-f]{8}\b", "########"), @"made \S+", "made TIME") + "\n"
            )
        );

    [Fact]
    public async Task Each_cause_has_one_line_with_old_new_and_place()
    {
        var text = new StringBuilder();
        void Section(string title, IEnumerable<string> lines) =>
            text.Append("# ").Append(title).Append('\n').Append(Masked(lines)).Append('\n');
        Section("never run", _study.Explain());
        await _study.RunAsync();
        Section("up to date", _study.Explain());
        Section("parameter, by --set", _study.Explain("steps=11"));
        _study.Yaml = Yaml.Replace("steps: 10", "steps: 12", StringComparison.Ordinal);
        Section("parameter, in the file", _study.Explain());
        _study.Yaml = Yaml.Replace(
            "with: { seed: $seed, rates: { steps: $steps } }",
            "with: { seed: $seed, rates: { steps: $steps }, layers: [1, 2], options: { deep: { a: 1 } } }",
            StringComparison.Ordinal
        );
        Section("parameters that were not there", _study.Explain());
        _study.Yaml = Yaml.Replace(
            "with: { seed: $seed, rates: { steps: $steps } }",
            "with: { seed: 3, rates: {}, mode: adam }",
            StringComparison.Ordinal
        );
        Section("a default in place of a value, and another mode", _study.Explain());
        _study.Yaml = Yaml.Replace(
            "extra: { run: source,",
            "extra: { run: source, in: { text: { file: note.txt } },",
            StringComparison.Ordinal
        );
        Section("an input more", _study.Explain());
        _study.Yaml = Yaml.Replace("    in: { text: { file: note.txt } }\n", "", StringComparison.Ordinal);
        Section("an input less", _study.Explain());
        _study.Yaml = Yaml.Replace("in: { data: source }", "in: { data: extra }", StringComparison.Ordinal);
        Section("an input from elsewhere", _study.Explain());
        _study.Yaml = Yaml.Replace(
                "  join:\n",
                "  join:\n    run: train\n    with: { seed: 1, rates: {} }\n",
                StringComparison.Ordinal
            )
            .Replace("in: { parts: train }", "in: { data: train }", StringComparison.Ordinal);
        Section("another kind of stage", _study.Explain());
        _study.Yaml = Yaml;
        Section("another device", _study.Explain("device=cuda"));
        File.WriteAllText(_study["note.txt"], "two");
        Section("a file with other content", _study.Explain());
        Snapshot.Matches(text.ToString(), "explain.txt");
    }

    [Fact]
    public async Task A_changed_input_is_followed_to_the_change_that_began_it()
    {
        await _study.RunAsync();
        var plan = _study.Plan("n=2");
        await using (var runner = new InProcessRunner(_study.Fakes.Catalog))
        {
            // Everything but the last stage is brought up to date: what changed for it is two cells away.
            var some = Targets.WithUpstream(plan, Targets.Named(plan, ["train"]));
            await new Scheduler(plan, _study.Store(), _study.Keys(plan), runner, new MiniStudy.Silent()).RunAsync(
                some,
                new RunOptions(),
                CancellationToken.None
            );
        }
        var line = _study.Explain("n=2").Single(l => l.StartsWith("join:", StringComparison.Ordinal));
        Assert.Matches(
            @"^join: input parts [0-9a-f]{8} -> [0-9a-f]{8}, train/model\.txt \(pipeline\.yaml:9\), "
                + @"root source: parameter number 1 -> 2 \(--set n=2\)$",
            line
        );
    }

    [Fact]
    public async Task A_change_of_code_names_the_types_and_their_source()
    {
        await _study.RunAsync();
        var store = _study.Store();
        var key = store.LastKey(new CellId("join", []))!;
        var manifest = store.ReadManifest(key)!;
        // As if the last build had had another body for one type, and another type besides.
        const string Old = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        var parts = System
            .Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(_study[$"artifacts/.store/code/{manifest.Code}.json"]))!
            .AsObject();
        Assert.Contains("EditUnlearn.Pipeline.StageIo", parts.Select(p => p.Key));
        parts["EditUnlearn.Pipeline.CellId"] = "0000000000000000";
        parts["EditUnlearn.Gone.Helper"] = "0000000000000000";
        File.WriteAllText(_study[$"artifacts/.store/code/{Old}.json"], parts.ToJsonString());
        var path = Path.Combine(store.ResultFolder(key), "manifest.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace(manifest.Code, Old, StringComparison.Ordinal));
        Directory.Move(store.ResultFolder(key), store.ResultFolder(new string('a', 64)));
        File.AppendAllText(
            _study["artifacts/.store/index.jsonl"],
            $$$"""
            {"key":"{{{new string('a', 64)}}}","cell":"join","stage":"join","seconds":1,"outputs":{"joined.txt":"x"}}

            """
        );
        var line = _study.Explain().Single(l => l.StartsWith("join:", StringComparison.Ordinal));
        Assert.Matches(
            @"^join: code of 'join' 01234567 -> [0-9a-f]{8}: Helper gone, "
                + @"CellId changed \(src/Pipeline/Plan/CellId\.cs:\d+\)$",
            line
        );
    }

    [Fact]
    public async Task Three_hundred_cells_are_explained_in_well_under_a_second()
    {
        using var large = new MiniStudy(
            $"stages:\n  source: {{ for: {{ k: "
                + $"[{string.Join(", ", Enumerable.Range(0, 300).Select(i => $"k{i}"))}] }}, with: {{ number: $n, "
                + $"label: $k }} }}\n--- default\nn: 1\n"
        );
        await large.RunAsync(new RunOptions { Jobs = 2 });
        large.Explain("n=2");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal(300, large.Explain("n=2").Count);
        // 0.1 s on an idle machine; this bound only catches a quadratic
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 3);
    }
}
