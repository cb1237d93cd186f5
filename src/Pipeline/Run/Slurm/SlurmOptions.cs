namespace EditUnlearn.Pipeline;

/// <summary>How a run uses Slurm.</summary>
public sealed record SlurmOptions
{
    /// <summary>The variable that sets <see cref="Heartbeat"/>, in seconds.</summary>
    public const string HeartbeatVariable = "EU_SLURM_HEARTBEAT";

    /// <summary>This program with the verb that runs one job; the job's folder is appended.</summary>
    public required IReadOnlyList<string> Program { get; init; }

    /// <summary>Changes of settings, as typed; the plan's profile and root are its own.</summary>
    public IReadOnlyList<string> Sets { get; init; } = [];

    /// <summary>Further arguments of <c>sbatch</c>: partition, account, time.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>What accelerator stages ask for, as in <c>--gres</c>; null for none.</summary>
    public string? Gres { get; init; }

    /// <summary>Jobs in the queue at once; a site may allow few.</summary>
    public int Queue { get; init; } = 200;

    /// <summary>Names of variables that jobs see besides those of <see cref="JobScript.Allowed"/>.</summary>
    public IReadOnlyList<string> Variables { get; init; } = [];

    /// <summary>How often a job says that it lives.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often Slurm is asked.</summary>
    internal TimeSpan Poll => Heartbeat / 3;

    /// <summary>A job that was silent for so long does not run any more. Shared disks show files late.</summary>
    internal TimeSpan Stale => 12 * Heartbeat;

    /// <summary>How long an end without a result may be the disk's delay.</summary>
    internal TimeSpan Grace => 3 * Heartbeat;
}
