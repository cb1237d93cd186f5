using System.Globalization;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Writes a time as <c>strftime</c> does, in English.</summary>
internal static class TimeText
{
    /// <summary>The time in a format of per cent signs and letters.</summary>
    public static string Format(DateTime time, string format)
    {
        var made = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                made.Append(format[i]);
                continue;
            }
            var flag = format[++i] is '-' or '_' or '0' or '^' && i + 1 < format.Length ? format[i++] : ' ';
            made.Append(Part(time, format[i], flag));
        }
        return made.ToString();
    }

    private static string Part(DateTime time, char letter, char flag)
    {
        var (value, width) = Number(time, letter);
        if (value >= 0)
            return flag switch
            {
                '-' => value.ToString(CultureInfo.InvariantCulture),
                '_' => value.ToString(CultureInfo.InvariantCulture).PadLeft(width),
                '0' => value.ToString(CultureInfo.InvariantCulture).PadLeft(width, '0'),
                _ => value
                    .ToString(CultureInfo.InvariantCulture)
                    .PadLeft(width, letter is 'e' or 'k' or 'l' ? ' ' : '0'),
            };
        var text = letter switch
        {
            'a' => Invariant(time, "ddd"),
            'A' => Invariant(time, "dddd"),
            'b' or 'h' => Invariant(time, "MMM"),
            'B' => Invariant(time, "MMMM"),
            'p' => time.Hour < 12 ? "AM" : "PM",
            'P' => time.Hour < 12 ? "am" : "pm",
            'c' => Format(time, "%a %b %e %H:%M:%S %Y"),
            'x' or 'D' => Format(time, "%m/%d/%y"),
            'X' or 'T' => Format(time, "%H:%M:%S"),
            'r' => Format(time, "%I:%M:%S %p"),
            'R' => Format(time, "%H:%M"),
            'F' => Format(time, "%Y-%m-%d"),
            'z' or 'Z' => "",
            'n' => "\n",
            't' => "\t",
            '%' => "%",
            _ => "%" + (flag == ' ' ? "" : flag.ToString()) + letter,
        };
        return flag == '^' ? text.ToUpperInvariant() : text;
    }

    // Value and usual width; -1 where the letter is no number.
    private static (int Value, int Width) Number(DateTime time, char letter) =>
        letter switch
        {
            'd' or 'e' => (time.Day, 2),
            'm' => (time.Month, 2),
            'y' => (time.Year % 100, 2),
            'Y' => (time.Year, 1),
            'C' => (time.Year / 100, 2),
            'H' or 'k' => (time.Hour, 2),
            'I' or 'l' => ((time.Hour + 11) % 12 + 1, 2),
            'M' => (time.Minute, 2),
            'S' => (time.Second, 2),
            'f' => ((int)(time.Ticks % TimeSpan.TicksPerSecond / 10), 6),
            'j' => (time.DayOfYear, 3),
            'w' => ((int)time.DayOfWeek, 1),
            'u' => (((int)time.DayOfWeek + 6) % 7 + 1, 1),
            'U' => ((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2),
            'W' => ((time.DayOfYear + 6 - ((int)time.DayOfWeek + 6) % 7) / 7, 2),
            'V' => (ISOWeek.GetWeekOfYear(time), 2),
            'G' => (ISOWeek.GetYear(time), 4),
            'g' => (ISOWeek.GetYear(time) % 100, 2),
            _ => (-1, 0),
        };

    private static string Invariant(DateTime time, string format) =>
        time.ToString(format, CultureInfo.InvariantCulture);
}
