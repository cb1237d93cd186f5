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
            Screen.Error(Cause(e).Message);
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
            _ => null,
        };

    // libtorch is loaded when its assembly is, and what goes wrong there arrives wrapped.
    private static Exception Cause(Exception e) =>
        e is TypeInitializationException { InnerException: { } inner } ? Cause(inner) : e;
}
