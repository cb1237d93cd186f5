using System.Text;

namespace EditUnlearn.Pipeline;

/// <summary>The script of a job, and what a job may know of the environment of the run that sends it.</summary>
/// <remarks>
/// Slurm keeps scripts and environments in its state folder, where others may read them: nothing goes there that is not
/// on a list. A secret is handed over as the path of a file that only its owner can read.
/// </remarks>
internal static class JobScript
{
    /// <summary>Variables that jobs see.</summary>
    public static IReadOnlyList<string> Allowed { get; } =
    [
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "DOTNET_ROOT",
        "EU_LIBTORCH",
        "HF_HOME",
        "HF_TOKEN_PATH",
        SlurmOptions.HeartbeatVariable,
    ];

    /// <summary>The script: the allowed variables, then the program in its place, so that signals reach it.</summary>
    /// <param name="program">File name and arguments.</param>
    /// <param name="further">Names that the user allows.</param>
    /// <param name="environment">Reads a variable.</param>
    public static string Of(
        IReadOnlyList<string> program,
        IReadOnlyList<string> further,
        Func<string, string?> environment
    )
    {
        var script = new StringBuilder("#!/bin/bash\n");
        foreach (var name in Allowed.Concat(further).Distinct(StringComparer.Ordinal))
            if (environment(name) is { } value)
                script.Append("export ").Append(name).Append('=').Append(Quoted(value)).Append('\n');
        return script.Append("exec ").AppendJoin(' ', program.Select(Quoted)).Append('\n').ToString();
    }

    /// <summary>
    /// What the Slurm programs themselves get: the same list, and the settings of a site that begin with their names.
    /// </summary>
    public static IReadOnlyDictionary<string, string> ForCommands(IEnumerable<KeyValuePair<string, string?>> all) =>
        all.Where(v =>
                v.Value is not null
                && (
                    Allowed.Contains(v.Key)
                    || v.Key is "USER" or "LOGNAME" or "SLURM_CONF" or "MUNGE_SOCKET"
                    || v.Key.StartsWith("SBATCH_", StringComparison.Ordinal)
                )
            )
            .ToDictionary(v => v.Key, v => v.Value!, StringComparer.Ordinal);

    private static string Quoted(string text) => "'" + text.Replace("'", @"'\''", StringComparison.Ordinal) + "'";
}
