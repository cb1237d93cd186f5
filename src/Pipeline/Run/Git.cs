using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>Asks git about the checkout.</summary>
internal static class Git
{
    public static (string? Commit, bool? Dirty) Describe(string root)
    {
        var commit = Ask(root, "rev-parse", "HEAD");
        return commit is null
            ? (null, null)
            : (commit.Trim(), Ask(root, "status", "--porcelain", "--untracked-files=no") is { Length: > 0 });
    }

    // A large checkout on a slow disk takes its time.
    private static string? Ask(string root, params string[] arguments) =>
        ProgramOutput.Of("git", arguments, root, TimeSpan.FromMinutes(1));
}
