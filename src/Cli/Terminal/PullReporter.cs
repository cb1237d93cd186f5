using System.Collections.Concurrent;
using EditUnlearn.Hub;
using Spectre.Console;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// Shows a download on stderr: bars with rate and time left while a person watches, one line for every change
/// elsewhere.
/// </summary>
/// <param name="quiet">Show nothing but what the user should know.</param>
/// <param name="bars">Whether bars are wanted where a person watches.</param>
internal sealed class PullReporter(bool quiet, bool bars) : IPullObserver
{
    private readonly ConcurrentDictionary<string, ProgressTask> _tasks = new(StringComparer.Ordinal);
    private ProgressContext? _context;
    private ProgressTask? _all;

    /// <summary>Runs the download under the bars, if there are any.</summary>
    public Task<T> WatchAsync<T>(Func<Task<T>> work)
    {
        if (quiet || !bars || !Screen.IsInteractive)
            return work();
        return Screen
            .Err.Progress()
            .AutoClear(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn(),
                new PercentageColumn(),
                new DownloadedColumn(),
                new TransferSpeedColumn(),
                new RemainingTimeColumn()
            )
            .StartAsync(context =>
            {
                _context = context;
                return work();
            });
    }

    public void Planned(int files, long bytes)
    {
        if (files == 0)
            return;
        if (_context is not null && files > 1)
            _all = _context.AddTask($"{files} files", maxValue: Math.Max(1, bytes));
        else
            Line($"{files} files to fetch, {Format.Bytes(bytes)}");
    }

    public void Started(string file, long bytes, long there)
    {
        if (_context is null)
        {
            Line($"{file}: {(there > 0 ? $"goes on at {Format.Bytes(there)} of" : "fetching")} {Format.Bytes(bytes)}");
            return;
        }
        var task = _context.AddTask(Markup.Escape(file), maxValue: Math.Max(1, bytes));
        task.Value = there;
        _tasks[file] = task;
    }

    public void Advanced(string file, long bytes)
    {
        if (_tasks.TryGetValue(file, out var task))
            task.Increment(bytes);
        _all?.Increment(bytes);
    }

    public void Finished(string file)
    {
        if (_tasks.TryRemove(file, out var task))
            task.StopTask();
        else
            Line($"{file}: done, checked");
    }

    public void Note(string text)
    {
        if (_context is not null)
            Screen.Err.WriteLine(text);
        else
            Screen.Note(text);
    }

    private void Line(string text)
    {
        if (!quiet && _context is null)
            Screen.Note(text);
    }
}
