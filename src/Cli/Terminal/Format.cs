using System.Globalization;

namespace EditUnlearn.Cli.Terminal;

/// <summary>Numbers as people read them.</summary>
internal static class Format
{
    /// <summary>Why something is stale, on one line: the first three reasons and how many more there are.</summary>
    public static string Reasons(IReadOnlyList<string> reasons) =>
        string.Join("; ", reasons.Take(3)) + (reasons.Count > 3 ? $"; and {reasons.Count - 3} more" : "");

    /// <summary><c>0.4 s</c>, <c>12 s</c>, <c>3 m 05 s</c>, <c>2 h 10 m</c>.</summary>
    public static string Duration(TimeSpan t) =>
        t.TotalSeconds switch
        {
            < 9.95 => t.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + " s",
            < 59.5 => t.TotalSeconds.ToString("0", CultureInfo.InvariantCulture) + " s",
            < 3600 => string.Create(CultureInfo.InvariantCulture, $"{(int)t.TotalMinutes} m {t.Seconds:00} s"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{(int)t.TotalHours} h {t.Minutes:00} m"),
        };

    /// <summary><c>312 B</c>, <c>4.2 kB</c>, <c>6.0 MB</c>.</summary>
    public static string Bytes(long bytes) =>
        bytes switch
        {
            < 1000 => $"{bytes} B",
            < 1_000_000 => (bytes / 1e3).ToString("0.0", CultureInfo.InvariantCulture) + " kB",
            < 1_000_000_000 => (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " MB",
            _ => (bytes / 1e9).ToString("0.00", CultureInfo.InvariantCulture) + " GB",
        };

    /// <summary>How long ago, coarse: <c>just now</c>, <c>5 min ago</c>, <c>3 d ago</c>.</summary>
    public static string Ago(DateTimeOffset then, DateTimeOffset now) =>
        (now - then).TotalMinutes switch
        {
            < 1 => "just now",
            < 90 => string.Create(CultureInfo.InvariantCulture, $"{(now - then).TotalMinutes:0} min ago"),
            < 36 * 60 => string.Create(CultureInfo.InvariantCulture, $"{(now - then).TotalHours:0} h ago"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{(now - then).TotalDays:0} d ago"),
        };
}
