namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// How far a long reading is, with the time left: a line that is redrawn while a person watches, a line every few
/// seconds elsewhere.
/// </summary>
internal sealed class ByteProgress(string what, bool quiet, TimeProvider clock) : IDisposable
{
    private readonly long _start = clock.GetTimestamp();
    private TimeSpan _last = TimeSpan.Zero;
    private bool _drawn;

    public void Report(long done, long total)
    {
        var elapsed = clock.GetElapsedTime(_start);
        if (
            quiet
            || elapsed - _last < (Screen.IsInteractive ? TimeSpan.FromMilliseconds(150) : TimeSpan.FromSeconds(5))
        )
            return;
        _last = elapsed;
        var line = Line(what, done, total, elapsed);
        if (Screen.IsInteractive)
        {
            Console.Error.Write($"\r{line}\u001b[K");
            _drawn = true;
        }
        else
            Screen.Note(line);
    }

    /// <summary><c>verify: 1.2 GB of 4.0 GB, 30 %, about 12 s left</c>.</summary>
    public static string Line(string what, long done, long total, TimeSpan elapsed)
    {
        var left =
            done > 0 && elapsed.TotalSeconds >= 0.5
                ? $", about {Format.Duration(elapsed * ((total - done) / (double)done))} left"
                : "";
        return $"{what}: {Format.Bytes(done)} of {Format.Bytes(total)}, "
            + $"{(total == 0 ? 100 : 100 * done / total)} %{left}";
    }

    public void Dispose()
    {
        if (_drawn)
            Console.Error.Write("\r\u001b[K");
    }
}
