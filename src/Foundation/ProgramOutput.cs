using System.ComponentModel;
using System.Diagnostics;

namespace EditUnlearn.Foundation;

/// <summary>Runs other programs for what they print.</summary>
public static class ProgramOutput
{
    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(5);

    /// <summary>What a program prints; null where it is not on the search path, fails or takes too long.</summary>
    /// <param name="program">Its name, without a folder.</param>
    /// <param name="arguments">As it gets them.</param>
    /// <param name="folder">Where it runs; null for here.</param>
    /// <param name="longest">It may take so long; null for five seconds.</param>
    public static string? Of(
        string program,
        IReadOnlyList<string> arguments,
        string? folder = null,
        TimeSpan? longest = null
    )
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        if (folder is not null)
            start.WorkingDirectory = folder;
        try
        {
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            // Read too: a program whose errors nobody reads stops when the pipe is full.
            _ = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(longest ?? Usual))
            {
                process.Kill(entireProcessTree: true);
                return null;
            }
            return process.ExitCode == 0 ? output.Result : null;
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException)
        {
            return null;
        }
    }
}
