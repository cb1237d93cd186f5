using Spectre.Console;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// The two streams: the answer goes to stdout, progress and complaints to stderr. Decides once whether there is colour.
/// </summary>
internal static class Screen
{
    /// <summary>Stdout. Without colour unless it is a terminal that shows it.</summary>
    public static IAnsiConsole Out { get; } = Make(Console.Out, Console.IsOutputRedirected);

    /// <summary>Stderr.</summary>
    public static IAnsiConsole Err { get; } = Make(Console.Error, Console.IsErrorRedirected);

    /// <summary>Whether a person watches stderr, so that a moving display makes sense.</summary>
    public static bool IsInteractive =>
        !Console.IsErrorRedirected
        && Environment.GetEnvironmentVariable("TERM") is not ("dumb" or null or "")
        && Environment.GetEnvironmentVariable("CI") is not "true";

    /// <summary>One problem or several, each line as it is, the first in red.</summary>
    public static void Error(string message)
    {
        if (Environment.GetEnvironmentVariable("GITHUB_ACTIONS") == "true")
            Annotate(message);
        foreach (var line in message.Split('\n'))
        {
            var style = line.StartsWith("  ", StringComparison.Ordinal) ? Style.Plain : new Style(Color.Red);
            Err.Write(new Text(line, style));
            Err.WriteLine();
        }
    }

    /// <summary>A plain line on stderr.</summary>
    public static void Note(string line) => Console.Error.WriteLine(line);

    private static IAnsiConsole Make(TextWriter writer, bool redirected)
    {
        // NO_COLOR is about colour: bold, underlined and moving lines stay where a person watches.
        var noColour = Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        var forced = !noColour && Environment.GetEnvironmentVariable("FORCE_COLOR") is { Length: > 0 };
        var ansi = Environment.GetEnvironmentVariable("TERM") != "dumb" && (forced || !redirected);
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(writer),
                Ansi = ansi ? AnsiSupport.Yes : AnsiSupport.No,
                ColorSystem = ansi && !noColour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
                Interactive = redirected ? InteractionSupport.No : InteractionSupport.Detect,
            }
        );
        // Spectre wraps at 80 columns where it finds no terminal; a file or a pipe has no width.
        if (redirected)
            console.Profile.Width = 4096;
        return console;
    }

    // pipeline.yaml(41,7): message  ->  the form that GitHub shows beside the line.
    private static void Annotate(string message)
    {
        foreach (var line in message.Split('\n'))
            if (
                System.Text.RegularExpressions.Regex.Match(line, @"^([^(\s]+)\((\d+),(\d+)\): (.*)$") is
                { Success: true } m
            )
                Console.Error.WriteLine(
                    $"::error file={m.Groups[1]},line={m.Groups[2]},col={m.Groups[3]}::{m.Groups[4]}"
                );
    }
}
