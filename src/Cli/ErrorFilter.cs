using Cocona.Filters;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli;

/// <summary>
/// Turns the exceptions a user can cause into a message and an exit code. Everything else is a bug and keeps its stack.
/// </summary>
internal sealed class ErrorFilter : CommandFilterAttribute
{
    /// <inheritdoc/>
    public override async ValueTask<int> OnCommandExecutionAsync(
        CoconaCommandExecutingContext ctx,
        CommandExecutionDelegate next
    )
    {
        try
        {
            return await next(ctx).ConfigureAwait(false);
        }
        catch (Exception e) when (CodeOf(e) is not null)
        {
            Screen.Error(Sentence(Cause(e)));
            return CodeOf(e)!.Value;
        }
    }

    /// <summary>The exit code of an expected failure, or null.</summary>
    public static int? CodeOf(Exception e) =>
        Cause(e) switch
        {
            InputException => ExitCodes.Usage,
            DamagedFileException => ExitCodes.Damaged,
            StageFailedException or MethodFailedException => ExitCodes.StageFailed,
            ResourceUnavailableException => ExitCodes.Unavailable,
            // Of a file or folder that somebody named; what the program itself needs is checked where it is used.
            UnauthorizedAccessException or FileNotFoundException or DirectoryNotFoundException => ExitCodes.Usage,
            IOException => ExitCodes.Unavailable,
            _ => null,
        };

    // The library's own sentences name the path.
    private static string Sentence(Exception e) =>
        e switch
        {
            UnauthorizedAccessException => e.Message.TrimEnd('.')
                + ": permission denied\n  hint: chmod, another place, or run as its owner",
            IOException when IsFull(e) => e.Message + "\n  hint: free some space, or name a place on another disk",
            _ => e.Message,
        };

    // ENOSPC and EDQUOT.
    private static bool IsFull(Exception e) => (e.HResult & 0xFFFF) is 28 or 122;

    // libtorch is loaded when its assembly is, and what goes wrong there arrives wrapped.
    private static Exception Cause(Exception e) =>
        e is TypeInitializationException { InnerException: { } inner } ? Cause(inner) : e;
}
