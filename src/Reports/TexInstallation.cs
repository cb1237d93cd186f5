using System.ComponentModel;
using System.Diagnostics;
using EditUnlearn.Foundation;

namespace EditUnlearn.Reports;

/// <summary>The TeX of this machine: whether the report becomes a PDF, and which bytes it has, depend on it.</summary>
public static class TexInstallation
{
    /// <summary>The program that makes a PDF.</summary>
    public const string Name = "pdflatex";

    private const string Lookup = "kpsewhich";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Whether there is a compiler.</summary>
    public static bool IsThere => SearchPath.Find(Name) is not null;

    /// <summary>Version of a compiler and which of some files its TeX lacks.</summary>
    /// <param name="compiler">Its path.</param>
    /// <param name="needed">Files of packages.</param>
    /// <returns>One line, and the files that decide it.</returns>
    public static (string Value, IReadOnlyList<string> Files) Describe(string compiler, IReadOnlyList<string> needed)
    {
        ArgumentNullException.ThrowIfNull(compiler);
        ArgumentNullException.ThrowIfNull(needed);
        var version = Ask(compiler, "--version")?.Split('\n')[0].Trim() is { Length: > 0 } line ? line : "unknown";
        var program = File.ResolveLinkTarget(compiler, returnFinalTarget: true)?.FullName ?? compiler;
        if (SearchPath.Find(Lookup) is not { } lookup || Ask(lookup, [.. needed]) is not { } answer)
            return ($"{version}, packages unknown", []);
        var found = answer.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var lacking = needed.Except(found.Select(f => Path.GetFileName(f)!), StringComparer.Ordinal).ToList();
        if (lacking.Count == 0)
            return (version, [program, .. found]);
        // What is lacking comes with an entry in the lists of files that TeX itself goes by.
        var lists = Ask(lookup, "-all", "ls-R")?.Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries
        );
        return (
            $"{version} without {string.Join(", ", lacking)}",
            lists is { Length: > 0 } ? [program, .. found, .. lists] : []
        );
    }

    // Output of a program; null where it cannot be had.
    private static string? Ask(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            using var process = Process.Start(start);
            if (process is null)
                return null;
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync();
            _ = process.StandardError.ReadToEndAsync();
            if (process.WaitForExit(Limit))
                return output.GetAwaiter().GetResult();
            process.Kill(entireProcessTree: true);
            return null;
        }
        catch (Win32Exception)
        {
            return null; // no program, or none that runs here
        }
    }
}
