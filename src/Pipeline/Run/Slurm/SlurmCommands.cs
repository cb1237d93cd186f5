using System.Collections;
using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>A line of the queue.</summary>
/// <param name="Id">Number of the job. It may be given to another one after a restart of the controller.</param>
/// <param name="State">In words, such as <c>RUNNING</c>.</param>
/// <param name="Reason">Why it is in that state.</param>
/// <param name="Name">Of the job.</param>
/// <param name="Comment">Ticket, attempt and a drawn number: with the name, what a job is known by.</param>
internal sealed record QueueRow(string Id, string State, string Reason, string Name, string Comment);

/// <summary>What is to be submitted.</summary>
/// <param name="Name">Of the job.</param>
/// <param name="Folder">Comment, script and log.</param>
/// <param name="Root">Where it runs.</param>
/// <param name="Resources">What it asks for.</param>
/// <param name="After">Numbers of jobs it waits for.</param>
/// <param name="EvenAfterFailure">Whether it also runs where one of those failed.</param>
internal sealed record Submission(
    string Name,
    JobFolder Folder,
    string Root,
    JobResources Resources,
    IReadOnlyList<string> After,
    bool EvenAfterFailure
);

/// <summary>What a run wants of Slurm.</summary>
internal interface ISlurm
{
    /// <summary>Submits a job and says its number.</summary>
    /// <exception cref="ResourceUnavailableException">Slurm refuses.</exception>
    string Submit(Submission job);

    /// <summary>Jobs of this user, those that ended a short while ago included; null where nobody answers.</summary>
    IReadOnlyList<QueueRow>? Queue();

    /// <summary>Exit code and signal of a job; null where Slurm does not know it.</summary>
    (int Code, int Signal)? ExitOf(string id);

    /// <summary>Cancels jobs.</summary>
    void Cancel(IReadOnlyList<string> ids);
}

/// <summary>Slurm by its programs. Needs no accounting.</summary>
/// <param name="further">Further arguments of <c>sbatch</c>.</param>
internal sealed class SlurmCommands(IReadOnlyList<string> further) : ISlurm
{
    /// <inheritdoc/>
    public string Submit(Submission job)
    {
        var (code, output, error) = Run("sbatch", [.. Arguments(job), .. further, job.Folder.Script]);
        return code == 0 && IdOf(output) is { } id
            ? id
            : throw new ResourceUnavailableException(
                $"sbatch: {(error.Length > 0 ? error : output)}\n  hint: sinfo shows whether Slurm answers; "
                    + "--slurm-args takes what a site wants, such as '--partition=gpu --account=x'"
            );
    }

    /// <summary>Arguments of <c>sbatch</c>, without the user's own and the script.</summary>
    public static IEnumerable<string> Arguments(Submission job)
    {
        // Quiet mode would leave the number out as well.
        yield return "--parsable";
        yield return $"--job-name={job.Name}";
        yield return $"--comment={job.Folder.Comment}";
        yield return $"--output={job.Folder.Log.Replace("%", "%%", StringComparison.Ordinal)}";
        yield return "--open-mode=append";
        yield return $"--chdir={job.Root}";
        yield return "--export=NONE";
        yield return "--requeue";
        // Two jobs of one name never run side by side, whoever submitted them.
        var after = $"{(job.EvenAfterFailure ? "afterany" : "afterok")}:{string.Join(':', job.After)},";
        yield return $"--dependency={(job.After.Count > 0 ? after : "")}singleton";
        // It would wait for ever for one that failed.
        yield return "--kill-on-invalid-dep=yes";
        foreach (var argument in job.Resources.Arguments())
            yield return argument;
    }

    /// <inheritdoc/>
    public IReadOnlyList<QueueRow>? Queue()
    {
        var (code, output, _) = Run("squeue", ["--me", "--noheader", "--states=all", "--format=%A|%T|%r|%j|%k"]);
        return code == 0 ? Rows(output) : null;
    }

    /// <inheritdoc/>
    public (int Code, int Signal)? ExitOf(string id)
    {
        var (code, output, _) = Run("scontrol", ["--oneliner", "show", "job", id]);
        return code == 0 ? ExitIn(output) : null;
    }

    /// <inheritdoc/>
    public void Cancel(IReadOnlyList<string> ids)
    {
        if (ids.Count > 0)
            Run("scancel", ids);
    }

    /// <summary>The number in what <c>sbatch --parsable</c> prints: <c>id[;cluster]</c>; null for none.</summary>
    public static string? IdOf(string output) =>
        output.Trim().Split('\n')[^1].Split(';')[0] is { Length: > 0 } id && id.All(char.IsAsciiDigit) ? id : null;

    /// <summary>Lines of <c>squeue</c>; others than those asked for are left out.</summary>
    public static IReadOnlyList<QueueRow> Rows(string output) =>
        [
            .. output
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(l => l.Split('|'))
                .Where(f => f.Length >= 5)
                // A name may hold the sign; the comment is the last.
                .Select(f => new QueueRow(f[0], f[1], f[2], string.Join('|', f[3..^1]), f[^1])),
        ];

    /// <summary><c>ExitCode=code:signal</c> in what <c>scontrol show job</c> prints; null for none.</summary>
    public static (int Code, int Signal)? ExitIn(string output)
    {
        var field = output.Split(' ', '\n').FirstOrDefault(f => f.StartsWith("ExitCode=", StringComparison.Ordinal));
        return
            field?.Split('=', ':') is [_, var code, var signal]
            && int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var c)
            && int.TryParse(signal, NumberStyles.None, CultureInfo.InvariantCulture, out var s)
            ? (c, s)
            : null;
    }

    private static (int Code, string Output, string Error) Run(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        var all = Environment
            .GetEnvironmentVariables()
            .Cast<DictionaryEntry>()
            .Select(v => KeyValuePair.Create((string)v.Key, (string?)v.Value));
        start.Environment.Clear();
        foreach (var (name, value) in JobScript.ForCommands(all))
            start.Environment[name] = value;
        try
        {
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result.Trim());
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new ResourceUnavailableException(
                $"{program} is not there\n  hint: run this where Slurm's programs are, or without --executor slurm"
            );
        }
    }
}
