using System.Globalization;
using EditUnlearn.Pipeline;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace EditUnlearn.Cli.Terminal;

/// <summary>Redraws a run's <see cref="RunBoard"/> a few times a second while a person watches.</summary>
internal sealed class LiveDisplay : IAsyncDisposable
{
    private const int Wide = 110,
        MostLines = 12;
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
                        context.UpdateTarget(Draw(board.Look(), console.Profile.Width));
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

    /// <summary>
    /// What the run is of, on what and with how much memory; how far it is, with the time left; then a line for each
    /// running cell: its name, how far, since when, its memory, what it says.
    /// </summary>
    /// <param name="now">The picture.</param>
    /// <param name="width">Columns of the terminal.</param>
    public static IRenderable Draw(RunBoard.Picture now, int width)
    {
        var (bar, memory) = (width >= Wide ? 24 : 10, now.Memory.Values.Sum());
        var left = now.Left is { } t ? $", about {Format.Duration(t)} left" : "";
        var rows = new List<IRenderable>();
        if (now.On.Length > 0)
            rows.Add(
                new Text(
                    now.On + (memory > 0 ? $"; memory {Format.Bytes(memory)} of {Format.Bytes(MachineBytes)}" : "")
                ).Ellipsis()
            );
        rows.Add(
            new Paragraph()
                .Append(Bar(Share(now), bar), new Style(Color.Green))
                .Append($"  {now.Done} of {now.Total} stages, {Format.Duration(now.Elapsed)}{left}")
                .Overflow(Overflow.Ellipsis)
        );
        var cells = now.Running.Count == 0 ? 0 : now.Running.Max(l => l.Cell.Text.Length);
        foreach (var line in now.Running.Take(MostLines))
            rows.Add(
                new Paragraph()
                    .Append($"  {line.Cell.Text.PadRight(cells)} ")
                    .Append(Bar(line.Share, bar), new Style(Color.Teal))
                    .Append($" {Format.Duration(line.Elapsed),8} {Memory(now, line.Cell),8}  ")
                    .Append(line.What ?? "", new Style(decoration: Decoration.Dim))
                    .Overflow(Overflow.Ellipsis)
            );
        if (now.Running.Count > MostLines)
            rows.Add(new Text($"  and {now.Running.Count - MostLines} more"));
        return new Rows(rows);
    }

    private static long MachineBytes { get; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    // By time where the engine has an estimate: a stage may take a second or an hour.
    private static double? Share(RunBoard.Picture now) =>
        now.Left is { } left && now.Elapsed + left > TimeSpan.Zero ? now.Elapsed / (now.Elapsed + left)
        : now.Total > 0 ? (double)now.Done / now.Total
        : null;

    private static string Memory(RunBoard.Picture now, CellId cell) =>
        now.Memory.TryGetValue(cell, out var bytes) && bytes > 0 ? Format.Bytes(bytes) : "";

    private static string Bar(double? share, int width)
    {
        if (share is not { } s)
            return new string('.', width) + "     ";
        var full = (int)Math.Round(s * width);
        return new string('#', full)
            + new string('-', width - full)
            + ((int)(s * 100)).ToString(CultureInfo.InvariantCulture).PadLeft(4)
            + "%";
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _drawing.ConfigureAwait(false);
        _stop.Dispose();
    }
}
