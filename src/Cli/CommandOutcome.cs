namespace EditUnlearn.Cli;

/// <summary>
/// Whether a command's own code was reached: an exit code of 1 before that is a complaint about the arguments.
/// </summary>
internal static class CommandOutcome
{
    public static bool Reached { get; set; }
}

/// <summary>Cancelled by the first SIGINT or SIGTERM.</summary>
internal sealed record Stopping(CancellationToken Token);
