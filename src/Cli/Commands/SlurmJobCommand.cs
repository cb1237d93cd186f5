using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Commands;

/// <summary>Does the part of a run that is one Slurm job. Not for people.</summary>
internal static class SlurmJobCommand
{
    /// <summary>The verb; the job's folder follows.</summary>
    public const string Verb = "slurm-job";

    /// <summary>Runs the job.</summary>
    public static int Run(string folder) => SlurmJob.RunAsync(folder, Ground).GetAwaiter().GetResult();

    private static SlurmJob.Ground Ground(JobOrder order)
    {
        var study = Study.Open(order.Profile, order.Sets);
        return new SlurmJob.Ground(
            study.Plan,
            study.Store,
            study.Keys,
            RunRequest.Workers(study),
            new RunRequest().Options(study)
        );
    }
}
