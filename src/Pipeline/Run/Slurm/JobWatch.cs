namespace EditUnlearn.Pipeline;

/// <summary>Why a job is taken for lost: what is done about it depends on it.</summary>
internal enum Loss
{
    /// <summary>Not lost.</summary>
    None,

    /// <summary>Slurm says that it runs, and it has said nothing for too long: its step daemon died.</summary>
    Silent,

    /// <summary>Slurm does not know it any more, and it says nothing.</summary>
    Vanished,

    /// <summary>It ended without a result and without a reason.</summary>
    NoResult,

    /// <summary>The node failed.</summary>
    Node,

    /// <summary>Something more important took its place, and it has not come back.</summary>
    Preempted,

    /// <summary>It ran into its time limit.</summary>
    Time,

    /// <summary>Its memory ran out, or it was killed with signal 9, which looks the same from outside.</summary>
    Memory,

    /// <summary>Somebody cancelled it.</summary>
    Cancelled,

    /// <summary>A job it waits for failed or is not known.</summary>
    Dependency,

    /// <summary>Its program ended with an error and without a result: it could not start.</summary>
    Broken,
}

/// <summary>What can be seen of a job at one moment.</summary>
/// <param name="Now">On the clock of the run.</param>
/// <param name="HasResult">Whether its result is there.</param>
/// <param name="Beat">Count of its last sign of life; null for none.</param>
/// <param name="Asked">Whether Slurm answered.</param>
/// <param name="Row">What it said of the job; null where it does not know it.</param>
internal readonly record struct JobSight(TimeSpan Now, bool HasResult, long? Beat, bool Asked, QueueRow? Row);

/// <summary>What is known of a job.</summary>
internal enum JobPhase
{
    /// <summary>In the queue, or not known yet.</summary>
    Waiting,

    /// <summary>It runs.</summary>
    Running,

    /// <summary>Its result is there.</summary>
    Done,

    /// <summary>It will bring no result.</summary>
    Lost,
}

/// <summary>
/// Follows one job. Truth is its result file, then its signs of life, and only then what Slurm says: a controller that
/// was restarted from an older state forgets jobs that run, and keeps others that do not.
/// </summary>
/// <remarks>
/// Signs of life count by their change, as this run sees it: clocks of machines differ.
/// </remarks>
/// <param name="options">Times.</param>
/// <param name="exitOf">Exit code and signal of an ended job, as Slurm knows them; null where it does not.</param>
internal sealed class JobWatch(SlurmOptions options, Func<string, (int Code, int Signal)?> exitOf)
{
    private long? _beat;
    private TimeSpan? _beatAt,
        _runningSince,
        _oddSince;

    /// <summary>Whether it was ever heard of.</summary>
    public bool HasBeaten => _beat is not null;

    /// <summary>Judges what is seen.</summary>
    public (JobPhase Phase, Loss Loss) Look(JobSight sight)
    {
        if (sight.HasResult)
            return (JobPhase.Done, Loss.None);
        if (sight.Beat is { } beat && beat != _beat)
            (_beat, _beatAt) = (beat, sight.Now);
        // A machine that does not answer says nothing about jobs.
        if (!sight.Asked)
            return (Beats(sight.Now, options.Stale) ? JobPhase.Running : JobPhase.Waiting, Loss.None);
        return sight.Row?.State switch
        {
            "RUNNING" or "COMPLETING" => Running(sight.Now),
            "PENDING" when sight.Row.Reason == "DependencyNeverSatisfied" => (JobPhase.Lost, Loss.Dependency),
            "PENDING" when IsHeldAfterLaunch(sight.Row.Reason) => Odd(sight.Now, options.Grace, Loss.Node),
            "PENDING" or "CONFIGURING" or "SUSPENDED" or "STOPPED" or "RESIZING" or "SIGNALING" or "STAGE_OUT" =>
                Waiting(),
            null => Odd(sight.Now, options.Stale, Loss.Vanished),
            _ => Odd(sight.Now, options.Grace, LossOf(sight.Row)),
        };
    }

    // Slurm could not start it, put it back and holds it until somebody lets it go: nobody will.
    private static bool IsHeldAfterLaunch(string reason) =>
        reason.Replace('_', ' ').Equals("launch failed requeued held", StringComparison.OrdinalIgnoreCase);

    private (JobPhase, Loss) Waiting()
    {
        (_runningSince, _oddSince) = (null, null);
        return (JobPhase.Waiting, Loss.None);
    }

    private (JobPhase, Loss) Running(TimeSpan now)
    {
        _oddSince = null;
        _runningSince ??= now;
        var heard = _beatAt is { } at && at > _runningSince ? at : _runningSince.Value;
        return now - heard < options.Stale ? (JobPhase.Running, Loss.None) : (JobPhase.Lost, Loss.Silent);
    }

    // Slurm takes it for ended, or does not know it. While it goes on giving signs of life, it lives; and a result may
    // be on its way through a shared disk.
    private (JobPhase, Loss) Odd(TimeSpan now, TimeSpan patience, Loss loss)
    {
        if (Beats(now, options.Grace))
        {
            _oddSince = null;
            return (JobPhase.Running, Loss.None);
        }
        _oddSince ??= now;
        if (now - _oddSince.Value < options.Grace || Beats(now, patience))
            return (HasBeaten ? JobPhase.Running : JobPhase.Waiting, Loss.None);
        return (JobPhase.Lost, loss);
    }

    private bool Beats(TimeSpan now, TimeSpan within) => _beatAt is { } at && now - at < within;

    private Loss LossOf(QueueRow row) =>
        row.State switch
        {
            "COMPLETED" => Loss.NoResult,
            "NODE_FAIL" or "BOOT_FAIL" => Loss.Node,
            "PREEMPTED" or "REQUEUED" or "REQUEUE_HOLD" or "SPECIAL_EXIT" => Loss.Preempted,
            "TIMEOUT" or "DEADLINE" => Loss.Time,
            "OUT_OF_MEMORY" => Loss.Memory,
            "CANCELLED" when row.Reason.StartsWith("Dependency", StringComparison.Ordinal) => Loss.Dependency,
            "CANCELLED" => Loss.Cancelled,
            // A script that was killed shows as a launch failure with signal 9.
            _ => exitOf(row.Id) is (_, 9) or (137, _) ? Loss.Memory : Loss.Broken,
        };
}

/// <summary>What is done about a lost job.</summary>
/// <param name="Attempts">In all, the first included.</param>
/// <param name="MoreMemory">Whether the next one asks for twice the memory.</param>
/// <param name="MoreTime">Whether it asks for twice the time.</param>
internal readonly record struct RetryRule(int Attempts, bool MoreMemory = false, bool MoreTime = false)
{
    /// <summary>The rule of a loss.</summary>
    public static RetryRule Of(Loss loss) =>
        loss switch
        {
            Loss.Silent or Loss.Vanished or Loss.Node or Loss.NoResult => new(3),
            Loss.Preempted or Loss.Dependency => new(20),
            Loss.Memory => new(3, MoreMemory: true),
            Loss.Time => new(2, MoreTime: true),
            Loss.Broken => new(2),
            _ => new(1),
        };
}
