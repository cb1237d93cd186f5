using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Pipeline.Slurm;

/// <summary>A run on a cluster of this process: jobs are tasks, and what goes wrong is planted.</summary>
public sealed class SlurmRunTests : IDisposable
{
    private static readonly SlurmOptions Options =
        new() { Program = ["eu-stage", "slurm-job"], Heartbeat = TimeSpan.FromMilliseconds(60) };

    private readonly MiniStudy _study = new(
        """
        stages:
          source: { for: { k: [p, q] }, with: { number: 1, label: $k } }
          train: { for: { k: [p, q] }, in: { data: source }, with: { seed: 3, rates: { steps: 10 } } }
          join: { in: { parts: train } }
        --- default
        { device: cpu }
        """
    );
    private readonly Cluster _cluster;

    public SlurmRunTests() => _cluster = new Cluster(_study);

    public void Dispose()
    {
        _cluster.Dispose();
        _study.Dispose();
    }

    private SlurmRun Run() =>
        new(_study.Plan(), _study.Store(), _study.Keys(_study.Plan()), new MiniStudy.Silent(), Options, _cluster);

    private async Task<RunResult> RunAsync(RunOptions? options = null)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var plan = _study.Plan();
        var result = await Run().RunAsync(plan.Cells, options ?? new RunOptions(), limit.Token);
        Assert.False(limit.IsCancellationRequested, "the run hung");
        return result;
    }

    [Fact]
    public async Task All_jobs_are_sent_at_once_each_after_what_it_reads_and_the_results_are_those_of_a_local_run()
    {
        _cluster.Hold();
        var run = RunAsync();
        await _cluster.SentAsync(5);
        var join = _cluster.Jobs.Single(j => j.Cell == "join");
        Assert.Equal(
            _cluster.Jobs.Where(j => j.Cell.StartsWith("train", StringComparison.Ordinal)).Select(j => j.Id).Order(),
            join.Submission.After.Order()
        );
        _cluster.Release();
        Assert.Equal(5, (await run).Count(Outcome.Executed));
        var joined = File.ReadAllText(_study["artifacts/join/joined.txt"]);
        var keys = _study.Store().Keys();
        using var local = new MiniStudy(_study.Yaml);
        await local.RunAsync();
        Assert.Equal(local.Store().Keys(), keys);
        Assert.Equal(File.ReadAllText(local["artifacts/join/joined.txt"]), joined);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_study["artifacts/.store/slurm"]));

        // Nothing is left to do: nothing is sent.
        Assert.Equal(5, (await RunAsync()).Count(Outcome.UpToDate));
        Assert.Equal(5, _cluster.Jobs.Count);
    }

    [Fact]
    public async Task A_failure_ends_the_run_and_keep_going_runs_the_rest()
    {
        _study.Fakes.Before["train"] = io =>
        {
            if (io.Cell.Text == "train[q]")
                throw new StageFailedException("the loss is NaN");
        };
        var result = await RunAsync(new RunOptions { KeepGoing = true });
        var failed = result.Cells.Single(c => c.Outcome == Outcome.Failed);
        Assert.Equal(("train[q]", "the loss is NaN"), (failed.Cell.Text, failed.Error!.Message));
        Assert.Equal(3, result.Count(Outcome.Executed));
        Assert.Equal(["join"], result.Cells.Where(c => c.Outcome == Outcome.NotRun).Select(c => c.Cell.Text));
        Assert.Contains((await RunAsync()).Cells, c => c.Outcome == Outcome.Failed);
        _study.Fakes.Before.Clear();
        Assert.Equal(2, (await RunAsync()).Count(Outcome.Executed));
    }

    [Theory]
    [InlineData("RUNNING", "None")] // the step daemon was killed: Slurm does not know yet
    [InlineData(null, "None")] // the controller came back from an older state
    [InlineData("NODE_FAIL", "None")]
    [InlineData("FAILED", "JobLaunchFailure")]
    [InlineData("PENDING", "launch failed requeued held")] // it would wait for ever
    public async Task A_lost_job_is_sent_again_and_those_after_it_too(string? state, string reason)
    {
        _cluster.Kill("train[p]", state, reason);
        var result = await RunAsync();
        Assert.Equal(5, result.Count(Outcome.Executed));
        var attempts = _cluster.Jobs.Where(j => j.Cell == "train[p]").ToList();
        Assert.Equal([1, 2], attempts.Select(j => j.Submission.Folder.Attempt));
        // With twice the memory only where memory may have been the reason.
        Assert.Equal(
            state == "FAILED" ? 2 : 1,
            attempts[1].Submission.Resources.Bytes / attempts[0].Submission.Resources.Bytes
        );
    }

    [Fact]
    public async Task A_job_that_is_lost_again_and_again_ends_with_exit_code_6()
    {
        _cluster.Kill("train[p]", "OUT_OF_MEMORY", "OutOfMemory", times: 9);
        var result = await RunAsync(new RunOptions { KeepGoing = true, Relief = _ => "--set train.rows=1" });
        var failed = result.Cells.Single(c => c.Outcome == Outcome.Failed);
        Assert.Equal(3, _cluster.Jobs.Count(j => j.Cell == "train[p]"));
        Assert.EndsWith(
            "\n  hint: --set train.rows=1",
            Assert.IsType<ResourceUnavailableException>(failed.Error).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_queue_that_stands_still_says_why_once()
    {
        const string Drained = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority ...";
        static QueueRow Row(string state, string reason) => new("1", state, reason, "eus:x", "c");
        var stall = new QueueStall();
        Assert.Null(stall.Look([Row("PENDING", "Priority"), Row("PENDING", "Resources")]));
        Assert.Null(stall.Look([Row("PENDING", Drained), Row("RUNNING", "None")]));
        var told = stall.Look([Row("PENDING", "Priority"), Row("PENDING", Drained), Row("COMPLETED", "None")]);
        Assert.StartsWith("nothing runs: 2 jobs wait, and Slurm says 'Nodes required", told, StringComparison.Ordinal);
        Assert.Null(stall.Look([Row("PENDING", Drained)]));
        Assert.Contains("AssocGrpCpuLimit", stall.Look([Row("PENDING", "AssocGrpCpuLimit")]), StringComparison.Ordinal);
        Assert.Null(stall.Look([Row("RUNNING", "None")]));
        Assert.NotNull(stall.Look([Row("PENDING", Drained)]));
    }

    [Fact]
    public async Task A_number_that_is_given_again_deceives_nobody()
    {
        // Slurm forgets the running job and gives its number to somebody else's.
        _study.Fakes.Before["train"] = io =>
        {
            if (io.Cell.Text == "train[p]")
                _cluster.GiveNumberAgain("train[p]");
            Thread.Sleep(300);
        };
        var result = await RunAsync();
        Assert.Equal(5, result.Count(Outcome.Executed));
        Assert.Single(_cluster.Jobs, j => j.Cell == "train[p]");
        Assert.DoesNotContain(_cluster.Jobs.Single(j => j.Cell == "train[p]").Id, _cluster.Cancelled);
    }

    [Fact]
    public async Task Whoever_comes_back_finds_the_jobs_again()
    {
        _cluster.Hold();
        using (var leave = new CancellationTokenSource())
        {
            var first = Run();
            var run = first.RunAsync(_study.Plan().Cells, new RunOptions(), leave.Token);
            await _cluster.SentAsync(5);
            await leave.CancelAsync();
            await run;
            Assert.Equal(5, first.Left.Count);
        }
        _cluster.Release();
        Assert.Equal(5, (await RunAsync()).Cells.Count(c => c.Outcome is not (Outcome.Failed or Outcome.NotRun)));
        Assert.Equal(5, _cluster.Jobs.Count);
    }

    [Fact]
    public async Task A_short_queue_is_refilled()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var run = new SlurmRun(
            _study.Plan(),
            _study.Store(),
            _study.Keys(_study.Plan()),
            new MiniStudy.Silent(),
            Options with
            {
                Queue = 2,
            },
            _cluster
        );
        var result = await run.RunAsync(_study.Plan().Cells, new RunOptions(), limit.Token);
        Assert.Equal(5, result.Count(Outcome.Executed));
        Assert.Equal(2, _cluster.MostAtOnce);
    }
}
