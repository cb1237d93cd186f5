using Spectre.Console;
using Spectre.Console.Rendering;

namespace EditUnlearn.Cli.Terminal;

/// <summary>Redraws a run's <see cref="RunBoard"/> a few times a second while a person watches.</summary>
internal sealed class LiveDisplay : IAsyncDisposable
{
    private const int BarWidth = 24;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _drawing;

    public LiveDisplay(IAnsiConsole console, RunBoard board)
    {
        _drawing = Task.Run(() =>
            console
                .Live(new Text(""))
                .AutoClear(true)
                .StartAsync(async context =>
                {
                    while (!_stop.IsCancellationRequested)
                    {
                        context.UpdateTarget(Draw(board.Look()));
                        try
                        {
                            await Task.Delay(150, _stop.Token).ConfigureAwait(false);
                        }
                        catch (OperationCanceledException)
                        {
                            break;
                        }
                    }
                })
        );
    }

    /// <summary>One line for the run, one for each running cell.</summary>
    public static IRenderable Draw(RunBoard.Picture now)
    {
        var left = now.Left is { } t ? $", about {Format.Duration(t)} left" : "";
        var rows = new List<IRenderable>
        {
            new Text($"{now.Done} of {now.Total} stages, {Format.Duration(now.Elapsed)}{left}"),
        };
        var width = now.Running.Count == 0 ? 0 : now.Running.Max(l => l.Cell.Text.Length);
        foreach (var (cell, share, what, elapsed) in now.Running)
            rows.Add(
                new Text($"  {cell.Text.PadRight(width)} {Bar(share)} {Format.Duration(elapsed),8}  {what}").Ellipsis()
            );
        return new Rows(rows);
    }

    private static string Bar(double? share)
    {
        if (share is not { } s)
            return new string('.', BarWidth) + "     ";
        var full = (int)Math.Round(s * BarWidth);
        return new string('#', full) + new string('-', BarWidth - full) + $" {(int)(s * 100),3}%";
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _drawing.ConfigureAwait(false);
        _stop.Dispose();
    }
}
