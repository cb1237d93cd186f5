using System.Diagnostics;
using System.Globalization;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// How far a single long command is, with the time left: one moving line while a person watches, a line now and then
/// elsewhere.
/// </summary>
/// <param name="what">What is counted.</param>
/// <param name="unit">How a count is written; null for a plain number.</param>
internal sealed class Counter(string what, Func<long, string>? unit = null) : IDisposable
{
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10),
        DrawEvery = TimeSpan.FromMilliseconds(150);
    private readonly Func<long, string> _unit = unit ?? (n => n.ToString(CultureInfo.InvariantCulture));
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _last;
    private bool _drawn;

    /// <summary>Tells how many units of how many are done.</summary>
    public void Report(long done, long total)
    {
        var now = _clock.Elapsed;
        if (now - _last < (Screen.IsInteractive ? DrawEvery : LineEvery))
            return;
        _last = now;
        var left =
            done > 0 && done < total ? $", about {Format.Duration(now * ((double)(total - done) / done))} left" : "";
        var line = $"{what}: {_unit(done)} of {_unit(total)}{left}";
        if (!Screen.IsInteractive)
            Screen.Note(line);
        else
        {
            Console.Error.Write($"\r{line}\u001b[K");
            _drawn = true;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_drawn)
            Console.Error.Write("\r\u001b[K");
    }
}
