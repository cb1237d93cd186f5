using EditUnlearn.Pipeline;
using Spectre.Console;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// Shows a run: a moving board while a person watches, one line for every change elsewhere, and one now and then
/// between changes.
/// </summary>
internal sealed class RunReporter : IRunObserver, IAsyncDisposable
{
    private readonly RunBoard _board;
    private readonly LiveDisplay? _live;
    private readonly ProgressNotes? _notes;
    private readonly bool _plain;

    /// <param name="quiet">Under <c>--json</c>: progress only where a person watches.</param>
    /// <param name="on">See <see cref="RunBoard"/>.</param>
    /// <param name="memory">See <see cref="RunBoard"/>.</param>
    public RunReporter(bool quiet, string on = "", Func<IReadOnlyDictionary<CellId, long>>? memory = null)
    {
        _board = new RunBoard(TimeProvider.System, on, memory);
        if (Screen.IsInteractive)
            _live = new LiveDisplay(Screen.Err, _board);
        _plain = _live is null && !quiet;
        if (_plain)
            _notes = new ProgressNotes(_board, TimeProvider.System, Screen.Note);
    }

    public void Planned(int cells) => _board.Planned(cells);

    public void Started(CellId cell, IReadOnlyList<string> reasons)
    {
        _board.Started(cell);
        if (!_plain)
            return;
        var left = _board.Look().Left is { } t ? $"; about {Format.Duration(t)} left for the whole run" : "";
        Screen.Note($"{cell}: starts ({Format.Reasons(reasons)}){left}");
    }

    public void Told(CellId cell, StageMessage message)
    {
        if (message.Kind == StageMessageKind.Progress)
            _board.Progressed(cell, message.Done, message.Total, message.Text);
        else if (message.Kind == StageMessageKind.Warning)
            Line($"{cell}: warning: {message.Text}");
        else if (message.Kind == StageMessageKind.Result)
            Line(message.Text!);
    }

    public void Finished(CellOutcome outcome)
    {
        _board.Finished(outcome.Cell);
        switch (outcome.Outcome)
        {
            case Outcome.Executed:
                Line($"{outcome.Cell}: done in {Format.Duration(TimeSpan.FromSeconds(outcome.Seconds))}");
                break;
            case Outcome.Failed:
                Line($"{outcome.Cell}: failed");
                break;
            case Outcome.Restored:
                Line($"{outcome.Cell}: an earlier result is back in force");
                break;
        }
        if (outcome.Publication == Publication.FirstStays)
            Line(
                $"{outcome.Cell}: warning: the same key gave other bytes than before: this stage is not "
                    + "deterministic. The first result stays; repro --force --accept-new "
                    + $"'{outcome.Cell}' takes the new one"
            );
        if (outcome.Publication == Publication.Replaced)
            Line(
                $"{outcome.Cell}: the same key gave other bytes than before; the new ones are in force, the earlier "
                    + "result is put aside (see replaced in its manifest)"
            );
    }

    public void Estimated(TimeSpan? left) => _board.Estimated(left);

    public void Waiting(CellId cell, string holder) =>
        Line($"{cell}: waits for {holder}, which works on the same result");

    public async ValueTask DisposeAsync()
    {
        if (_live is not null)
            await _live.DisposeAsync().ConfigureAwait(false);
        if (_notes is not null)
            await _notes.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// A line for people; above a moving board the console makes room itself, and takes nothing away of the line that
    /// stood there.
    /// </summary>
    public void Line(string text)
    {
        if (_live is not null)
            Screen.Err.WriteLine(Covering(text, Screen.Err.Profile.Width));
        else if (_plain)
            Screen.Note(text);
    }

    /// <summary>Every line of a text as wide as the terminal: nothing of an older one stays behind it.</summary>
    internal static string Covering(string text, int width) =>
        string.Join('\n', text.Split('\n').Select(l => l.PadRight(Rows(l, width) * width - 1)));

    private static int Rows(string line, int width) => Math.Max(1, (line.Length + width - 1) / width);
}
