using System.Globalization;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// Where nobody watches a moving board, in a build log or a file: a line about the whole run now and then, so that a
/// long stage does not look like a standstill.
/// </summary>
internal sealed class ProgressNotes : IAsyncDisposable
{
    /// <summary>Time between two lines.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    private readonly PeriodicTimer _timer;
    private readonly Task _telling;

    public ProgressNotes(RunBoard board, TimeProvider clock, Action<string> tell)
    {
        _timer = new PeriodicTimer(Every, clock);
        _telling = Tell(board, tell);
    }

    /// <summary>Done, time, time left; then what runs, how far it is and what it says.</summary>
    public static string Line(RunBoard.Picture now)
    {
        var left = now.Left is { } t ? $", about {Format.Duration(t)} left" : "";
        var running = now.Running.Select(r =>
            string.Join(
                ' ',
                new[]
                {
                    r.Cell.Text,
                    r.Share is { } s ? string.Create(CultureInfo.InvariantCulture, $"{(int)(100 * s)} %") : null,
                    r.What is { Length: > 0 } ? $"({r.What})" : null,
                }.OfType<string>()
            )
        );
        return $"{now.Done} of {now.Total} stages, {Format.Duration(now.Elapsed)}{left}"
            + (now.Running.Count == 0 ? "" : ": " + string.Join("; ", running));
    }

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _telling.ConfigureAwait(false);
    }

    private async Task Tell(RunBoard board, Action<string> tell)
    {
        while (await _timer.WaitForNextTickAsync().ConfigureAwait(false))
            tell(Line(board.Look()));
    }
}
