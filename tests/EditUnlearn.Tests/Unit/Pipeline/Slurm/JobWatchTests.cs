using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Pipeline.Slurm;

/// <summary>What is concluded from what is seen of a job: the result first, then signs of life, then Slurm.</summary>
public sealed class JobWatchTests
{
    private static readonly SlurmOptions Options = new() { Program = [], Heartbeat = TimeSpan.FromSeconds(10) };

    private (int Code, int Signal)? _exit;

    private JobWatch Watch() => new(Options, _ => _exit);

    private static JobSight At(
        double seconds,
        string? state,
        long? beat = null,
        string reason = "None",
        bool result = false
    ) =>
        new(
            TimeSpan.FromSeconds(seconds),
            result,
            beat,
            true,
            state is null ? null : new QueueRow("50", state, reason, "eus:x", "t.1.aa")
        );

    private static JobSight NobodyAnswers(double seconds, long? beat) =>
        new(TimeSpan.FromSeconds(seconds), false, beat, false, null);

    [Fact]
    public void A_result_is_the_truth_whatever_Slurm_says()
    {
        Assert.Equal((JobPhase.Done, Loss.None), Watch().Look(At(0, null, result: true)));
        Assert.Equal((JobPhase.Done, Loss.None), Watch().Look(At(0, "FAILED", result: true)));
    }

    [Fact]
    public void A_job_goes_from_the_queue_to_its_result()
    {
        var watch = Watch();
        Assert.Equal(JobPhase.Waiting, watch.Look(At(0, "PENDING", reason: "Dependency")).Phase);
        Assert.Equal(JobPhase.Waiting, watch.Look(At(500, "PENDING", reason: "Priority")).Phase);
        Assert.Equal(JobPhase.Running, watch.Look(At(510, "RUNNING")).Phase);
        for (var beat = 1; beat < 100; beat++)
            Assert.Equal(JobPhase.Running, watch.Look(At(510 + 10 * beat, "RUNNING", beat)).Phase);
        Assert.Equal(JobPhase.Done, watch.Look(At(2000, "COMPLETED", 100, result: true)).Phase);
    }

    [Fact]
    public void One_that_is_called_running_and_says_nothing_is_lost()
    {
        var watch = Watch();
        watch.Look(At(0, "RUNNING", 1));
        Assert.Equal(JobPhase.Running, watch.Look(At(115, "RUNNING", 1)).Phase);
        Assert.Equal((JobPhase.Lost, Loss.Silent), watch.Look(At(121, "RUNNING", 1)));
        // The same without a single sign: its step daemon died before the program began.
        watch = Watch();
        watch.Look(At(0, "RUNNING"));
        Assert.Equal((JobPhase.Lost, Loss.Silent), watch.Look(At(121, "RUNNING")));
    }

    [Fact]
    public void One_that_Slurm_has_forgotten_lives_while_it_says_so()
    {
        var watch = Watch();
        watch.Look(At(0, "RUNNING", 1));
        for (var beat = 2; beat < 60; beat++)
            Assert.Equal(JobPhase.Running, watch.Look(At(10 * beat, null, beat)).Phase);
        Assert.Equal(JobPhase.Running, watch.Look(At(650, null, 59)).Phase);
        Assert.Equal((JobPhase.Lost, Loss.Vanished), watch.Look(At(720, null, 59)));
    }

    [Fact]
    public void One_that_never_began_and_is_forgotten_is_lost_soon()
    {
        var watch = Watch();
        watch.Look(At(0, "PENDING"));
        Assert.Equal(JobPhase.Waiting, watch.Look(At(10, null)).Phase);
        Assert.Equal((JobPhase.Lost, Loss.Vanished), watch.Look(At(41, null)));
    }

    [Fact]
    public void A_controller_that_does_not_answer_says_nothing_about_jobs()
    {
        var watch = Watch();
        watch.Look(At(0, "RUNNING", 1));
        Assert.Equal(JobPhase.Running, watch.Look(NobodyAnswers(20, 2)).Phase);
        Assert.Equal(Loss.None, watch.Look(NobodyAnswers(5000, 2)).Loss);
    }

    [Theory]
    [InlineData("NODE_FAIL", "None", nameof(Loss.Node), 3, false)]
    [InlineData("BOOT_FAIL", "None", nameof(Loss.Node), 3, false)]
    [InlineData("PREEMPTED", "None", nameof(Loss.Preempted), 20, false)]
    [InlineData("TIMEOUT", "TimeLimit", nameof(Loss.Time), 2, false)]
    [InlineData("OUT_OF_MEMORY", "OutOfMemory", nameof(Loss.Memory), 3, true)]
    [InlineData("CANCELLED", "None", nameof(Loss.Cancelled), 1, false)]
    [InlineData("CANCELLED", "Dependency", nameof(Loss.Dependency), 20, false)]
    [InlineData("CANCELLED", "DependencyNeverSatisfied", nameof(Loss.Dependency), 20, false)]
    [InlineData("COMPLETED", "None", nameof(Loss.NoResult), 3, false)]
    [InlineData("PENDING", "launch failed requeued held", nameof(Loss.Node), 3, false)]
    [InlineData("PENDING", "launch_failed_requeued_held", nameof(Loss.Node), 3, false)]
    public void Ends_without_a_result_are_told_apart(
        string state,
        string reason,
        string loss,
        int attempts,
        bool memory
    )
    {
        var watch = Watch();
        watch.Look(At(0, "RUNNING", 1));
        // The result may be on its way through a shared disk.
        Assert.NotEqual(JobPhase.Lost, watch.Look(At(31, state, 1, reason)).Phase);
        var (phase, found) = watch.Look(At(62, state, 1, reason));
        Assert.Equal((JobPhase.Lost, loss), (phase, found.ToString()));
        var rule = RetryRule.Of(found);
        Assert.Equal((attempts, memory), (rule.Attempts, rule.MoreMemory));
        Assert.Equal(found == Loss.Time, rule.MoreTime);
    }

    [Fact]
    public void A_script_that_was_killed_is_no_launch_failure()
    {
        foreach (
            var (exit, loss) in new[]
            {
                ((0, 9), Loss.Memory),
                ((137, 0), Loss.Memory),
                ((127, 0), Loss.Broken),
                ((0, 15), Loss.Broken),
            }
        )
        {
            _exit = exit;
            var watch = Watch();
            watch.Look(At(0, "FAILED", reason: "JobLaunchFailure"));
            Assert.Equal((JobPhase.Lost, loss), watch.Look(At(31, "FAILED", reason: "JobLaunchFailure")));
        }
    }

    [Fact]
    public void A_preempted_job_may_come_back_by_itself()
    {
        var watch = Watch();
        watch.Look(At(0, "RUNNING", 1));
        watch.Look(At(40, "PREEMPTED", 1));
        Assert.Equal(JobPhase.Waiting, watch.Look(At(60, "PENDING", 1, "BeginTime")).Phase);
        Assert.Equal(JobPhase.Running, watch.Look(At(600, "RUNNING", 1)).Phase);
        Assert.Equal(JobPhase.Running, watch.Look(At(610, "RUNNING", 2)).Phase);
    }

    [Fact]
    public void A_job_that_waits_for_what_cannot_come_is_lost() =>
        Assert.Equal(
            (JobPhase.Lost, Loss.Dependency),
            Watch().Look(At(0, "PENDING", reason: "DependencyNeverSatisfied"))
        );
}
