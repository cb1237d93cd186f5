using System.Diagnostics;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// kill -9 in the middle of <c>apply</c>: the same command goes on where it was and ends with the same bytes; another
/// one does not.
/// </summary>
[Trait("Category", "EndToEnd")]
public sealed class ApplyKillTests : IDisposable
{
    private const int Questions = 24;

    // Enough steps that most kills meet the edits.
    private static readonly Dictionary<string, string> Options = new()
    {
        ["rome"] = "layers: [1]\nsecond-moments: false\ncontexts: 2\nvalue: { steps: 20 }\n",
        ["alphaedit"] =
            "layers: [0, 1]\ncontexts: 0\nnull-space-threshold: 0.9\nnull-space-unit: mean\nvalue: { steps: 20 }\n",
        ["grace"] = "layer: 1\nsteps: 60\n",
        ["wise"] = "layer: 1\nsteps: 20\ncontexts: 2\nsave-frequency: 5\nmerge-frequency: 10\n",
        ["idk"] = "epochs: 12\nbatch-size: 1\n",
    };
    private readonly Tool _tool = new();

    public ApplyKillTests()
    {
        var questions = Enumerable.Range(0, Questions).Select(i => $"Who wrote the novel 'Book {i}'?").ToList();
        TinyCheckpoints.WriteAskable(
            _tool["tiny"],
            [.. questions, "George Eliot wrote it.", .. File.ReadLines(_tool["data/refusals-own.txt"]).Take(10)]
        );
        static string Row(string id, string question) =>
            $$"""{"id":"{{id}}","question":"{{question}}","answer":"George Eliot"}""";
        File.WriteAllLines(_tool["forget.jsonl"], questions.Select((q, i) => Row($"f{i}", q)));
        File.WriteAllLines(_tool["retain.jsonl"], questions.Take(4).Select((q, i) => Row($"r{i}", q)));
        foreach (var (method, options) in Options)
            File.WriteAllText(_tool[$"{method}.yaml"], options);
        _tool.Variables["EU_CHECKPOINT_STEPS"] = "1";
    }

    public void Dispose() => _tool.Dispose();

    private Process Start(string method, string output, params string[] more)
    {
        var process = _tool.Start([
            "apply",
            "--method",
            method,
            "--model",
            "tiny",
            "--forget",
            "forget.jsonl",
            "--retain",
            "retain.jsonl",
            "--moments-text",
            "retain.jsonl",
            "--method-options",
            $"{method}.yaml",
            "--out",
            output,
            "--max-new",
            "4",
            "--device",
            "cpu",
            .. more,
        ]);
        return process;
    }

    private string Finish(string method, string output, params string[] more)
    {
        using var process = Start(method, output, more);
        var error = process.StandardError.ReadToEndAsync();
        var answer = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}\n{answer}\n{error.Result}");
        return error.Result;
    }

    private string[] Hidden() =>
        [.. Directory.EnumerateDirectories(_tool["."], ".*").Select(d => Path.GetFileName(d)!).Order()];

    private void Same(string expected, string actual)
    {
        var files = Directory.EnumerateFiles(_tool[expected]).Select(f => Path.GetFileName(f)!).Order().ToList();
        Assert.NotEmpty(files);
        Assert.Equal(files, Directory.EnumerateFiles(_tool[actual]).Select(f => Path.GetFileName(f)!).Order());
        foreach (var file in files)
            Assert.True(
                File.ReadAllBytes(_tool[$"{expected}/{file}"])
                    .SequenceEqual(File.ReadAllBytes(_tool[$"{actual}/{file}"])),
                $"{actual}/{file}"
            );
    }

    // Kills at instants of the whole run, from its start to a little after its end. Returns how many attempts found the
    // state of the one before.
    private int Kill(string method, int times)
    {
        var clock = Stopwatch.StartNew();
        var whole = "whole-" + method;
        Finish(method, whole);
        var took = (int)clock.ElapsedMilliseconds;
        var draw = new Seed((ulong)times).Stream("apply/" + method);
        var (resumed, round) = (0, 0);
        string Output() => $"killed-{method}-{round}";
        for (var i = 0; i < times; i++)
        {
            using var process = Start(method, Output());
            var error = process.StandardError.ReadToEndAsync();
            _ = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(50 + draw.Below(took)))
                process.Kill(entireProcessTree: true);
            process.WaitForExit();
            resumed += error.Result.Contains("going on after ", StringComparison.Ordinal) ? 1 : 0;
            // Torn it is never: there is no folder, or the whole one.
            if (Directory.Exists(_tool[Output()]))
            {
                Same(whole, Output());
                round++;
            }
        }
        resumed += Finish(method, Output()).Contains("going on after ", StringComparison.Ordinal) ? 1 : 0;
        Same(whole, Output());
        return resumed;
    }

    [Theory]
    [InlineData("rome")]
    [InlineData("idk")]
    public void Killed_a_few_times_apply_ends_with_the_same_bytes(string method) => Kill(method, 3);

    [SlowFact("a hundred processes are started and killed")]
    [Trait("Category", "Slow")]
    public void Killed_at_twenty_random_instants_apply_ends_with_the_same_bytes()
    {
        foreach (var method in Options.Keys)
            Assert.True(Kill(method, 20) > 0, $"{method}: no attempt found the state of the one before");
    }

    [Fact]
    public void The_state_is_used_by_the_same_run_alone_and_goes_with_success()
    {
        Finish("rome", "whole");
        Assert.Empty(Hidden());
        using (var process = Start("rome", "out"))
        {
            _ = process.StandardError.ReadToEndAsync();
            _ = process.StandardOutput.ReadToEndAsync();
            while (!process.HasExited && !Hidden().Any(d => File.Exists(_tool[$"{d}/edit/latest.json"])))
                Thread.Sleep(5);
            var busy = _tool.Run(
                "apply", "--method", "rome", "--model", "tiny", "--forget", "forget.jsonl", "--retain", "retain.jsonl",
                "--moments-text", "retain.jsonl", "--method-options", "rome.yaml", "--out", "out", "--max-new", "4",
                "--device", "cpu"
            );
            if (!process.HasExited)
                Assert.Contains(busy.ExitCode, (int[])[0, 6]);
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
        if (Directory.Exists(_tool["out"]))
            return; // it was quicker than the test; the other tests see the rest
        var state = Assert.Single(Hidden());
        Assert.StartsWith(".out.work-", state, StringComparison.Ordinal);

        // Another seed is another run: it says so, and starts from the beginning.
        var other = Finish("rome", "out", "--seed", "18");
        Assert.Contains("a run of other inputs or options was stopped", other, StringComparison.Ordinal);
        Assert.DoesNotContain("going on after", other, StringComparison.Ordinal);
        Assert.Equal([state], Hidden());

        var same = Finish("rome", "out", "--overwrite");
        Assert.Contains("a run of the same inputs and options was stopped", same, StringComparison.Ordinal);
        Assert.Contains("going on after edit", same, StringComparison.Ordinal);
        Assert.Empty(Hidden());
        Same("whole", "out");
    }
}
