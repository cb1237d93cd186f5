using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using EditUnlearn.Tests.Support;
using Xunit.Abstractions;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>The smoke study on a real Slurm of one node, with what goes wrong there.</summary>
[Trait("Category", "Slurm")]
public sealed partial class SlurmTests : IDisposable
{
    // 6 to 9 where nothing else runs (docs/slurm.md); other tests run beside this one.
    private const double MostSubmitMilliseconds = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);
    private static readonly string[] Study = ["repro", "--profile", "smoke"];
    private static readonly string[] OnSlurm = [.. Study, "--executor", "slurm", "--slurm-gres", "gpu:1"];

    // What people have in their environment and must not find in anybody's files.
    private static readonly Dictionary<string, string> Secrets =
        new()
        {
            ["HF_TOKEN"] = "canary-hf-5d1c77",
            ["HUGGING_FACE_HUB_TOKEN"] = "canary-hub-5d1c77",
            ["AWS_SECRET_ACCESS_KEY"] = "canary-aws-5d1c77",
            ["GITHUB_TOKEN"] = "canary-git-5d1c77",
            ["WANDB_API_KEY"] = "canary-wandb-5d1c77",
            ["OPENAI_API_KEY"] = "canary-openai-5d1c77",
        };

    private readonly SingleNodeSlurm _slurm = new();
    private readonly Tool _cluster = new();
    private readonly ITestOutputHelper _output;

    public SlurmTests(ITestOutputHelper output)
    {
        _output = output;
        foreach (var (name, value) in Secrets.Concat(_slurm.Variables))
            _cluster.Variables[name] = value;
        _cluster.Variables["EU_SLURM_HEARTBEAT"] = "1.5";
    }

    public void Dispose()
    {
        _slurm.Dispose();
        _cluster.Dispose();
    }

    [SlurmFact]
    public async Task The_smoke_study_survives_what_a_cluster_does_and_is_the_local_one_byte_for_byte()
    {
        // As it was before any job: the controller will come back from here and give the same numbers again.
        _slurm.Output("cp", "-a", _slurm["state"], _slurm["older-state"]);
        var clock = Stopwatch.StartNew();
        using var run = _cluster.Start(OnSlurm);
        var said = run.StandardError.ReadToEndAsync();
        _ = run.StandardOutput.ReadToEndAsync();

        string killed;
        using (var patience = new CancellationTokenSource(Patience))
        {
            await UntilAsync(() => Running("eus:pretrain"), run, patience.Token);
            RestartFromOlderState();
            await UntilAsync(() => Running("eus:apply") || Running("eus:answer"), run, patience.Token);
            killed = KillStepDaemonOf("eus:a");
            await EndAsync(run, patience.Token);
        }
        var text = await said;
        _output.WriteLine(text);
        Assert.True(run.ExitCode == 0, text);
        Assert.Contains("Slurm has lost the job, and it says nothing; sent again", text, StringComparison.Ordinal);
        Assert.Matches(Regex.Escape(killed) + ": .*; sent again as attempt", text);
        var submitted = Submitted().Match(text);
        Assert.True(submitted.Success, text);
        var milliseconds = double.Parse(submitted.Groups[2].Value, CultureInfo.InvariantCulture);
        Assert.InRange(milliseconds, 0, MostSubmitMilliseconds);

        using var local = new Tool();
        Assert.Equal(0, local.Run(Study).ExitCode);
        Assert.Equal(Keys(local), Keys(_cluster));
        foreach (var file in Directory.EnumerateFiles(local["artifacts/tables"]))
            if (Path.GetFileName(file) != "manifest.json")
                Assert.Equal(
                    File.ReadAllBytes(file),
                    File.ReadAllBytes(_cluster[$"artifacts/tables/{Path.GetFileName(file)}"])
                );
        Assert.Equal(0, _cluster.Run([.. Study, "--frozen"]).ExitCode);
        Assert.Equal(0, _cluster.Run("cache", "verify").ExitCode);
        Assert.Empty(SingleNodeSlurm.Holding(_slurm["."], [.. Secrets.Values]));
        Assert.Empty(SingleNodeSlurm.Holding(_cluster["artifacts"], [.. Secrets.Values]));
        Assert.True(clock.Elapsed < TimeSpan.FromMinutes(10));
    }

    private static string[] Keys(Tool tool) =>
        [
            .. Directory
                .EnumerateDirectories(tool["artifacts/.store/results"])
                .Select(f => Path.GetFileName(f)!)
                .Order(StringComparer.Ordinal),
        ];

    private bool Running(string name) =>
        _slurm
            .Output("squeue", "--noheader", "--states=RUNNING", "--format=%j")
            .Split('\n')
            .Any(n => n.StartsWith(name, StringComparison.Ordinal));

    private async Task UntilAsync(Func<bool> seen, Process run, CancellationToken patience)
    {
        while (!seen())
        {
            Assert.False(run.HasExited, "the run ended before its jobs were seen");
            Assert.False(patience.IsCancellationRequested, "jobs that were waited for did not run\n" + Queue());
            await ServeAsync();
        }
    }

    private async Task EndAsync(Process run, CancellationToken patience)
    {
        while (!run.HasExited)
        {
            if (patience.IsCancellationRequested)
            {
                var queue = Queue();
                run.Kill(entireProcessTree: true);
                Assert.Fail("the run did not end\n" + queue);
            }
            await ServeAsync();
        }
        await run.WaitForExitAsync(CancellationToken.None);
    }

    // What an administrator does: a node whose jobs the controller does not know, or knows under the number of another
    // job, is taken out of service at any time after the restart, and more than once.
    private async Task ServeAsync()
    {
        if (_slurm.Output("sinfo", "--noheader", "--format=%T").Contains("drain", StringComparison.Ordinal))
            _slurm.Output("scontrol", "update", $"nodename={Environment.MachineName.Split('.')[0]}", "state=resume");
        await Task.Delay(200, CancellationToken.None);
    }

    // What a person would look at.
    private string Queue() =>
        _slurm.Output("squeue", "--format=%A %T %r %j")
        + _slurm.Output("sinfo", "--long", "--Node")
        + _slurm.Output("sinfo", "--list-reasons");

    // Jobs are lost or go on unknown; their numbers go to jobs of others.
    private void RestartFromOlderState()
    {
        var last = _slurm
            .Output("squeue", "--noheader", "--format=%A")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Max(id => int.Parse(id, CultureInfo.InvariantCulture));
        using (var controller = Process.GetProcessById(_slurm.ProcessOf("slurmctld")))
        {
            controller.Kill();
            controller.WaitForExit();
        }
        Directory.Delete(_slurm["state"], recursive: true);
        Directory.Move(_slurm["older-state"], _slurm["state"]);
        _slurm.StartController();
        string[] foreign = ["--parsable", "--output=/dev/null", "--mem=50", "--export=NONE", "--wrap", "true"];
        var again = int.Parse(_slurm.Output("sbatch", foreign), CultureInfo.InvariantCulture);
        Assert.InRange(again, 1, last);
    }

    // Says whose cell it was.
    private string KillStepDaemonOf(string name)
    {
        var job = _slurm
            .Output("squeue", "--noheader", "--states=RUNNING", "--format=%A|%j")
            .Split('\n')
            .Select(l => l.Split('|'))
            .First(f => f.Length == 2 && f[1].StartsWith(name, StringComparison.Ordinal));
        foreach (var process in Process.GetProcessesByName("slurmstepd"))
            using (process)
                if (CommandOf(process.Id).Contains($"[{job[0]}.", StringComparison.Ordinal))
                {
                    var below = Below(process.Id).ToList();
                    Assert.NotEmpty(below);
                    process.Kill();
                    // Nobody else would end them: without cgroups they would go on as orphans.
                    var patience = Stopwatch.StartNew();
                    while (below.Any(p => CommandOf(p).Length > 0) && patience.Elapsed < TimeSpan.FromSeconds(40))
                        Thread.Sleep(200);
                    Assert.Empty(below.Where(p => CommandOf(p).Length > 0));
                }
        return job[1].Split(':')[1];
    }

    // Processes that a process has started, and those that these have.
    private IEnumerable<int> Below(int process) =>
        _slurm
            .Output("ps", "-o", "pid=", "--ppid", process.ToString(CultureInfo.InvariantCulture))
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(p => int.Parse(p, CultureInfo.InvariantCulture))
            .SelectMany(p => (int[])[p, .. Below(p)]);

    private static string CommandOf(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }

    [GeneratedRegex(@"(\d+) jobs submitted, ([\d.]+) ms each")]
    private static partial Regex Submitted();
}
