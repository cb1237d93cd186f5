using System.Diagnostics;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// A fact that needs a Slurm of its own: Debian's <c>slurm-wlm</c>, installed by the test itself only when
/// <c>EU_INSTALL_SLURM=1</c>, and by <c>.ci/run</c>; and a host name that resolves.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SlurmFactAttribute : FactAttribute
{
    public SlurmFactAttribute() => Skip = SingleNodeSlurm.Missing;
}

/// <summary>A throw-away Slurm of one node with two GPUs that are none (<c>tests/slurm/single-node.sh</c>).</summary>
public sealed class SingleNodeSlurm : IDisposable
{
    private static readonly Lazy<string?> Why = new(Look);
    private static readonly string Script = Path.Combine(Checkout.Root, "tests", "slurm", "single-node.sh");
    private readonly TemporaryFolder _folder = new();

    public SingleNodeSlurm() => Must("bash", Script, "up", _folder.Path);

    /// <summary>Why there can be none; null where there can.</summary>
    public static string? Missing => Why.Value;

    /// <summary>A path below the cluster's folder: <c>state</c>, <c>log</c>, <c>spool</c>.</summary>
    public string this[string name] => _folder[name];

    /// <summary>What a process needs to see this cluster.</summary>
    public Dictionary<string, string> Variables => new() { ["SLURM_CONF"] = _folder["etc/slurm.conf"] };

    /// <summary>The process of a daemon, by its file.</summary>
    public int ProcessOf(string daemon) => int.Parse(File.ReadAllText(_folder[$"run/{daemon}.pid"]).Trim(), null);

    /// <summary>Starts the controller again.</summary>
    public void StartController() => Must("bash", Script, "controller", _folder.Path);

    /// <summary>Runs a program on this cluster; what it prints, whatever its exit code.</summary>
    public string Output(string program, params string[] arguments) => Run(program, arguments).Output;

    /// <summary>Whether some file below a folder holds a text; the files that do.</summary>
    public static IReadOnlyList<string> Holding(string folder, params string[] texts)
    {
        // grep reads what is no text too.
        var start = new ProcessStartInfo("grep", ["-rlaF", .. texts.SelectMany(t => (string[])["-e", t]), folder])
        {
            RedirectStandardOutput = true,
        };
        using var grep = Process.Start(start)!;
        var found = grep.StandardOutput.ReadToEnd();
        grep.WaitForExit();
        Assert.InRange(grep.ExitCode, 0, 1);
        return found.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public void Dispose()
    {
        Run("bash", Script, "down", _folder.Path);
        _folder.Dispose();
    }

    private void Must(string program, params string[] arguments)
    {
        var (code, output) = Run(program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)}: exit code {code}\n{output}");
    }

    private (int Code, string Output) Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = _folder.Path };
        start.Environment["SLURM_CONF"] = _folder["etc/slurm.conf"];
        // Daemons keep what they inherit open, so nothing is read from a pipe: files it is.
        var log = _folder[$"{Guid.NewGuid():N}.out"];
        start.FileName = "bash";
        start.ArgumentList.Clear();
        foreach (var a in (string[])["-c", "exec \"$@\" > \"$0\" 2>&1 < /dev/null", log, program, .. arguments])
            start.ArgumentList.Add(a);
        using var process = Process.Start(start)!;
        process.WaitForExit();
        var output = File.ReadAllText(log);
        File.Delete(log);
        return (process.ExitCode, output);
    }

    private static string? Look()
    {
        string[] programs = ["slurmctld", "slurmd", "munged", "sbatch"];
        string[] Absent() => [.. programs.Where(p => Programs.Find(p) is null && !File.Exists("/usr/sbin/" + p))];
        var asked = Environment.GetEnvironmentVariable("EU_INSTALL_SLURM") == "1" && Environment.UserName == "root";
        if (!OperatingSystem.IsLinux())
            return "Slurm needs Linux";
        if (asked && Absent().Length > 0)
        {
            using var install = Process.Start(
                "/bin/sh",
                [
                    "-c",
                    "apt-get -qq -o DPkg::Lock::Timeout=600 update && DEBIAN_FRONTEND=noninteractive apt-get -qq -o "
                        + "DPkg::Lock::Timeout=600 install -y --no-install-recommends slurm-wlm >/dev/null 2>&1",
                ]
            );
            install.WaitForExit();
        }
        if (Absent() is { Length: > 0 } absent)
            return $"not installed: {string.Join(", ", absent)} (EU_INSTALL_SLURM=1 as root installs slurm-wlm)";
        using var resolve = Process.Start(
            new ProcessStartInfo("/bin/sh", ["-c", "getent hosts \"$(hostname -s)\" >/dev/null"])
        )!;
        resolve.WaitForExit();
        return resolve.ExitCode == 0 ? null : "the name of this host does not resolve";
    }
}
