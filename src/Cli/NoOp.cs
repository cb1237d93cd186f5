using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Cli.Commands;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli;

/// <summary>
/// Answers <c>repro</c> where nothing has changed since a run that found nothing to do, before the command line, the
/// study or a stage is looked at. Whatever it does not know by heart goes the whole way.
/// </summary>
internal static class NoOp
{
    /// <summary>All of a command line that decides what is planned, as one text.</summary>
    public static string Request(string? profile, IReadOnlyList<string>? sets, IReadOnlyList<string>? targets) =>
        string.Join(
            '\n',
            [
                $"profile {profile}",
                .. (sets ?? []).Select(s => $"set {s}"),
                .. (targets ?? []).Select(t => $"target {t}"),
            ]
        );

    /// <summary>The exit code; null where the whole way must be gone.</summary>
    /// <param name="args">Of the process.</param>
    public static int? Answer(string[] args)
    {
        var clock = Stopwatch.StartNew();
        if (
            Parse(args) is not var (request, json)
            || Study.FindRootOrNull() is not { } root
            || NoOpStamp.Find(Path.Combine(root, Study.ArtifactFolder), request) is not { } stamp
        )
            return null;
        if (json)
            InspectCommands.PrintJson(
                ReproCommand.Json(
                    stamp.Profile,
                    new ReproCommand.Counts(UpToDate: stamp.Cells),
                    clock.Elapsed.TotalMilliseconds,
                    []
                )
            );
        else
            Console.Error.WriteLine(ReproCommand.NothingToDo(stamp.Cells));
        return ExitCodes.Done;
    }

    // Null for anything but repro with a profile, settings, threads and --json.
    private static (string Request, bool Json)? Parse(string[] args)
    {
        if (args is not ["repro", ..])
            return null;
        var (profile, sets, json) = ((string?)null, new List<string>(), false);
        for (var i = 1; i < args.Length; i++)
        {
            var value = i + 1 < args.Length ? args[i + 1] : null;
            switch (args[i])
            {
                case "--json":
                    json = true;
                    break;
                case "--profile" when value is not null && profile is null && !value.StartsWith('-'):
                    profile = value;
                    i++;
                    break;
                case "--set" when value is not null && !value.StartsWith('-'):
                    sets.Add(value);
                    i++;
                    break;
                case "-j"
                or "--jobs" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _):
                    i++;
                    break;
                default:
                    return null;
            }
        }
        return (Request(profile, sets, []), json);
    }
}
