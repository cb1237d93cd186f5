using System.Globalization;

namespace EditUnlearn.Pipeline;

/// <summary>What a Slurm job gives the process that runs in it, on this node.</summary>
/// <param name="Job">Its number.</param>
/// <param name="Cpus">Processors; null where Slurm does not say.</param>
/// <param name="HostBytes">Memory; null for all that the node has.</param>
/// <param name="Nodes">Nodes of the job: a run uses one.</param>
public sealed record Allocation(string Job, int? Cpus, long? HostBytes, int Nodes)
{
    /// <summary>The job around this process; null outside one.</summary>
    /// <param name="environment">Reads a variable.</param>
    public static Allocation? Of(Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        long? Number(string name) =>
            long.TryParse(environment(name), NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0
                ? n
                : null;
        if (environment("SLURM_JOB_ID") is not { Length: > 0 } job)
            return null;
        var cpus = (int?)(Number("SLURM_CPUS_PER_TASK") ?? Number("SLURM_CPUS_ON_NODE"));
        // In mebibytes; by processor where the job asked so.
        var memory = Number("SLURM_MEM_PER_NODE") ?? Number("SLURM_MEM_PER_CPU") * (cpus ?? 1);
        return new Allocation(job, cpus, memory << 20, (int)(Number("SLURM_JOB_NUM_NODES") ?? 1));
    }
}
