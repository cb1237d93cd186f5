using System.Diagnostics;
using System.Text.Json.Nodes;

namespace EditUnlearn.Tests.Support;

/// <summary>Runs the command line as a user would, on a copy of the study in a folder of its own.</summary>
public sealed class Tool : IDisposable
{
    // No command of a test needs it; one that hangs is a fault that must be seen.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    private readonly TemporaryFolder _folder = new();

    /// <summary>Copies pipeline.yaml, the profiles, the data, the paper's numbers and the tolerances.</summary>
    public Tool()
    {
        File.Copy(Path.Combine(Checkout.Root, "pipeline.yaml"), this["pipeline.yaml"]);
        string[] shipped =
        [
            .. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "data"), "*", SearchOption.AllDirectories),
            .. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "profiles")),
            .. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "paper")),
            Path.Combine(Checkout.Root, "accepted", "tolerances.csv"),
        ];
        foreach (var file in shipped)
        {
            var copy = this[Path.GetRelativePath(Checkout.Root, file)];
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    /// <summary>What the environment of commands holds besides that of the test.</summary>
    public Dictionary<string, string> Variables { get; } = [];

    /// <summary>A path in the study's folder.</summary>
    public string this[string name] => Path.Combine(_folder.Path, name);

    /// <summary>Starts a command.</summary>
    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Cli.dll"));
        foreach (var (name, value) in Variables)
            start.Environment[name] = value;
        foreach (var a in arguments)
            start.ArgumentList.Add(a);
        return Process.Start(start)!;
    }

    /// <summary>Runs a command to its end.</summary>
    public (int ExitCode, string Out, string Error) Run(params string[] arguments)
    {
        using var process = Start(arguments);
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Longest))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"did not end within {Longest}: {string.Join(' ', arguments)}\n{error.Result}{output.Result}");
        }
        return (process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Runs <c>repro --json</c> on the smoke profile; fails unless it succeeds.</summary>
    /// <returns>The report, and the cells that ran, sorted.</returns>
    public (JsonNode Report, string[] Ran) Repro(params string[] more)
    {
        var (code, output, error) = Run(["repro", "--profile", "smoke", "--json", .. more]);
        Assert.True(code == 0, $"exit code {code}\n{error}");
        var report = JsonNode.Parse(output)!;
        return (
            report,
            [
                .. report["cells"]!
                    .AsArray()
                    .Where(c => (string?)c!["outcome"] == "executed")
                    .Select(c => (string)c!["cell"]!)
                    .Order(StringComparer.Ordinal),
            ]
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();
}
