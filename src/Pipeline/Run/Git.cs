using System.Diagnostics;

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

    private static string? Ask(string root, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo("git")
            {
                WorkingDirectory = root,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            foreach (var a in arguments)
                start.ArgumentList.Add(a);
            using var git = Process.Start(start);
            if (git is null)
                return null;
            var answer = git.StandardOutput.ReadToEnd();
            git.WaitForExit();
            return git.ExitCode == 0 ? answer : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null; // git is not installed
        }
    }
}
