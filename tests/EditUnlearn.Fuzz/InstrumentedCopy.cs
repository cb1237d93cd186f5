using System.Diagnostics;
using SharpFuzz;

namespace EditUnlearn.Fuzz;

/// <summary>
/// A copy of this program in which the product's code counts its edges, started in place of this one: instrumentation
/// rewrites assemblies before they are loaded.
/// </summary>
internal static class InstrumentedCopy
{
    // Code of this program itself, and what is not under test.
    private static readonly string[] Plain = ["EditUnlearn.Fuzz.dll", "EditUnlearn.Tests.dll"];

    /// <summary>Makes the copy, runs it and removes it.</summary>
    /// <param name="args">Of this program.</param>
    /// <param name="mark">The variable that tells the copy what it is.</param>
    /// <returns>Its exit code.</returns>
    public static int Run(IReadOnlyList<string> args, string mark)
    {
        var source = AppContext.BaseDirectory;
        // Beside the original, so that tests find the checkout above them.
        var copy = Path.Combine(source, "..", $"instrumented-{Environment.ProcessId}");
        Directory.CreateDirectory(copy);
        try
        {
            foreach (var file in Directory.EnumerateFiles(source))
            {
                var name = Path.GetFileName(file);
                var target = Path.Combine(copy, name);
                if (!name.StartsWith("EditUnlearn.", StringComparison.Ordinal))
                    File.CreateSymbolicLink(target, file);
                else
                    File.Copy(file, target);
                if (IsProduct(name) && !Fuzzer.Instrument(target, _ => true, Options.Value).Any())
                    throw new InvalidOperationException($"{name} has nothing to instrument");
            }
            var start = new ProcessStartInfo(
                Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet"
                    ? host
                    : "dotnet",
                [Path.Combine(copy, "EditUnlearn.Fuzz.dll"), .. args]
            );
            start.Environment[mark] = "1";
            using var process = Process.Start(start)!;
            process.WaitForExit();
            return process.ExitCode;
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    private static bool IsProduct(string name) =>
        name.StartsWith("EditUnlearn.", StringComparison.Ordinal)
        && name.EndsWith(".dll", StringComparison.Ordinal)
        && !Plain.Contains(name);
}
