using System.Diagnostics;
using System.Text.Json.Nodes;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>What can be asked of a study that has run: one run for all of these tests.</summary>
[Trait("Category", "EndToEnd")]
public sealed class FinishedStudyTests(FinishedStudyTests.Finished finished)
    : IClassFixture<FinishedStudyTests.Finished>
{
    private static readonly string[] Smoke = ["--profile", "smoke"];
    private readonly Tool _tool = finished.Tool;

    /// <summary>A study that was run.</summary>
    public sealed class Finished : IDisposable
    {
        public Finished() => Tool.Repro();

        public Tool Tool { get; } = new();

        public void Dispose() => Tool.Dispose();
    }

    [Fact]
    public void Every_number_of_a_table_says_all_that_made_it_down_to_the_model()
    {
        _tool.Repro();
        string[] names = ["table1[GA,llama2,facts-4,retain.rouge1]", "table1[ROME,llama2,facts-4,retain.prob]"];
        foreach (var name in names)
        {
            var (code, output, error) = _tool.Run(["show", name, .. Smoke, "--json"]);
            Assert.True(code == 0, error);
            var steps = JsonNode.Parse(output)!["steps"]!.AsArray();
            var cells = steps.Select(s => (string)s!["cell"]!).ToList();
            Assert.Equal("tables", cells[0]);
            Assert.Contains(cells, c => c.StartsWith("score[llama2,facts-4,", StringComparison.Ordinal));
            Assert.Contains("pretrain[llama2]", cells);
            foreach (var step in steps)
            {
                string[] needed =
                [
                    "key", "code", "device", "threads", "started", "ended", "seconds", "peakBytes", "machine",
                    "parameters", "inputs",
                ];
                Assert.All(needed, n => Assert.True(step![n] is not null, $"{step["cell"]}: no {n}"));
                Assert.NotNull(step!["machine"]!["processor"]);
                Assert.True((long)step["peakBytes"]! > 0);
            }
            // Every input of a step is an output of another, or a file.
            Assert.All(
                steps.SelectMany(s => s!["inputs"]!.AsArray()),
                i => Assert.Equal(64, ((string)i!["hash"]!).Length)
            );
        }
        Assert.Contains("  seed      ", _tool.Run(["show", names[0], .. Smoke]).Out, StringComparison.Ordinal);
        var (unknown, _, hint) = _tool.Run(["show", "table9[GA,llama2,facts-4,retain.rouge1]", .. Smoke]);
        Assert.Equal(2, unknown);
        Assert.Contains("no table has such a number", hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pull_brings_a_study_that_has_nothing_to_do_and_moves_nothing_twice()
    {
        _tool.Repro();
        JsonNode Exchange(Tool tool, params string[] more)
        {
            var (code, output, error) = tool.Run(["cache", .. more, "--json"]);
            Assert.True(code == 0, error);
            return JsonNode.Parse(output)!;
        }
        var sent = Exchange(_tool, "push", _tool["remote"], "--profile", "smoke");
        Assert.True((int)sent["sent"]! > 20 && (long)sent["bytes"]! > 0);
        Assert.Equal(0, (long)Exchange(_tool, "push", _tool["remote"], "--profile", "smoke")["bytes"]!);

        using var other = new Tool();
        // Killed on the way at some instants: what is there is whole, and the next goes on.
        foreach (var milliseconds in (int[])[250, 350, 450, 600])
        {
            using var pull = other.Start("cache", "pull", _tool["remote"]);
            if (!pull.WaitForExit(milliseconds))
                pull.Kill(entireProcessTree: true);
            pull.WaitForExit();
            if (Directory.Exists(other["artifacts/.store"]))
                Assert.Equal(0, other.Run("cache", "verify", "-n").ExitCode);
        }
        Exchange(other, "pull", _tool["remote"]);
        var second = Exchange(other, "pull", _tool["remote"]);
        Assert.Equal((0, 0L), ((int)second["fetched"]!, (long)second["bytes"]!));
        var (report, ran) = other.Repro();
        Assert.Empty(ran);
        Assert.Equal((int)sent["sent"]!, (int)report["upToDate"]! + (int)report["restored"]!);
        Assert.Equal(
            File.ReadAllBytes(_tool["artifacts/tables/table1.tex"]),
            File.ReadAllBytes(other["artifacts/tables/table1.tex"])
        );
    }

    [Fact]
    public void A_run_with_nothing_to_do_opens_no_file_of_a_result()
    {
        _tool.Repro();
        Thread.Sleep(2500); // what was touched just now is not trusted
        var slow = _tool.Repro().Report;
        var quick = _tool.Repro().Report;
        Assert.Equal((int)slow["upToDate"]!, (int)quick["upToDate"]!);
        Assert.Equal(
            slow.AsObject().Select(p => p.Key).ToList(),
            quick.AsObject().Select(p => p.Key).ToList()
        );
        Assert.Equal("smoke", (string)quick["profile"]!);
        Assert.NotEmpty(Directory.EnumerateFiles(_tool["artifacts/.store/no-op"]));
        // A change of a word in the study goes the whole way.
        File.AppendAllText(_tool["profiles/smoke.yaml"], "# a word\n");
        Assert.Empty(_tool.Repro().Ran);
    }

    [ProgramFact("strace")]
    public void Strace_sees_no_result_opened()
    {
        _tool.Repro();
        Thread.Sleep(2500);
        _tool.Repro();
        var start = new ProcessStartInfo(
            "strace",
            [
                "-f", "-e", "trace=openat,open", "-o", _tool["strace.txt"],
                "dotnet", Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Cli.dll"), "repro", .. Smoke,
            ]
        )
        {
            WorkingDirectory = _tool["."],
            RedirectStandardError = true,
        };
        using var run = Process.Start(start)!;
        var said = run.StandardError.ReadToEnd();
        run.WaitForExit();
        Assert.Contains("Nothing to do", said, StringComparison.Ordinal);
        var opened = File.ReadLines(_tool["strace.txt"])
            .Where(l =>
                l.Contains("/artifacts/", StringComparison.Ordinal) && !l.Contains("/no-op/", StringComparison.Ordinal)
            );
        Assert.Empty(opened);
    }
}
