namespace EditUnlearn.Cli;

/// <summary>What the process returns; scripts and CI read it.</summary>
internal static class ExitCodes
{
    /// <summary>Done, or nothing to do.</summary>
    public const int Done = 0;

    /// <summary>A stage failed.</summary>
    public const int StageFailed = 1;

    /// <summary>A mistake on the command line or in a file a person wrote.</summary>
    public const int Usage = 2;

    /// <summary><c>--frozen</c>, and something is stale.</summary>
    public const int Stale = 3;

    /// <summary>Results differ from what was accepted.</summary>
    public const int Differs = 4;

    /// <summary>A stored result or a checkpoint is damaged.</summary>
    public const int Damaged = 5;

    /// <summary>A program, device or lock that is needed is not available.</summary>
    public const int Unavailable = 6;

    /// <summary>Stopped by Ctrl+C.</summary>
    public const int Interrupted = 130;

    /// <summary>Stopped by SIGTERM.</summary>
    public const int Terminated = 143;

    /// <summary>Printed below the list of commands.</summary>
    public const string Legend =
        "Exit codes: 0 done, 1 a stage failed, 2 usage or configuration, 3 stale under --frozen, 4 results differ, "
        + "5 damaged, 6 not available, 130/143 interrupted";
}
