using EditUnlearn.Pipeline;
using EditUnlearn.Stages;

namespace EditUnlearn.Cli.Commands;

/// <summary>Serves stages to a scheduler in another process. Not for people.</summary>
internal static class WorkerCommand
{
    /// <summary>The verb.</summary>
    public const string Verb = "worker";

    /// <summary>Serves until the pipe closes.</summary>
    public static int Run()
    {
        using var input = Console.OpenStandardInput();
        using var output = Console.OpenStandardOutput();
        return Worker.Serve(StudyStages.Catalog, input, output);
    }
}
