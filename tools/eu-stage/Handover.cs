using System.Diagnostics;
using System.Runtime.InteropServices;

namespace EditUnlearn.Launcher;

/// <summary>Hands the terminal over to the real program.</summary>
/// <remarks>
/// On Unix the launcher becomes the program (<c>execv</c>): no second process, and signals, exit code and terminal are
/// the program's own. Elsewhere it waits for a child.
/// </remarks>
public static class Handover
{
    /// <summary>
    /// Runs <paramref name="program"/> with <paramref name="arguments"/>; returns only where a child had to be used.
    /// </summary>
    public static int To(string dotnet, string program, IReadOnlyList<string> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        string[] line = [dotnet, "exec", program, .. arguments];
        if (!OperatingSystem.IsWindows())
            Replace(dotnet, line);

        var start = new ProcessStartInfo(dotnet) { UseShellExecute = false };
        foreach (var argument in line.Skip(1))
            start.ArgumentList.Add(argument);
        Console.CancelKeyPress += (_, e) => e.Cancel = true; // the child gets the signal too and decides
        using var child = Process.Start(start)!;
        child.WaitForExit();
        return child.ExitCode;
    }

    private static void Replace(string dotnet, string[] line)
    {
        Console.Out.Flush();
        Console.Error.Flush();
        _ = execv(dotnet, Vector(line));
        // Reached only when the kernel refused; the child process below is the fallback.
    }

    // A null-terminated char*[]; never freed, since the process image goes away with the call.
    private static nint[] Vector(IEnumerable<string> strings) => [.. strings.Select(Marshal.StringToCoTaskMemUTF8), 0];

    [DllImport("libc", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int execv([MarshalAs(UnmanagedType.LPUTF8Str)] string path, nint[] arguments);
}
