namespace EditUnlearn.Cli;

/// <summary>
/// The verbs, checked before Cocona sees them: it answers an unknown one with exit code 1 and no hint.
/// </summary>
internal static class Verbs
{
    private static readonly string[] All =
    [
        "repro",
        "status",
        "plan",
        "dag",
        "explain",
        "show",
        "log",
        "lock",
        "check",
        "claims",
        "report",
        "diff",
        "apply",
        "ask",
        "eval",
        "model",
        "dataset",
        "study",
        "cache",
        "pull",
        "doctor",
        "completion",
        "help",
    ];

    /// <summary>All of them; completion offers them.</summary>
    public static IReadOnlyList<string> Known => All;

    /// <summary>What is wrong with the verb, or null.</summary>
    public static string? Complaint(IReadOnlyList<string> args)
    {
        if (args.Count == 0 || args[0].StartsWith('-') || All.Contains(args[0]))
            return null;
        var nearest = Foundation.Spelling.Nearest(args[0], All);
        return $"eu-stage: there is no command '{args[0]}'\n  hint: "
            + (nearest is null ? "eu-stage --help lists the commands" : $"did you mean '{nearest}'?");
    }
}
