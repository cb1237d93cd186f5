using System.Globalization;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.Cli;

/// <summary>Sizes as people type them: <c>5GB</c>, <c>500MB</c>, <c>2GiB</c>, <c>1048576</c>.</summary>
internal static partial class Sizes
{
    private static readonly Dictionary<string, double> Units = new(StringComparer.OrdinalIgnoreCase)
    {
        [""] = 1,
        ["B"] = 1,
        ["KB"] = 1e3,
        ["MB"] = 1e6,
        ["GB"] = 1e9,
        ["TB"] = 1e12,
        ["KIB"] = 1L << 10,
        ["MIB"] = 1L << 20,
        ["GIB"] = 1L << 30,
        ["TIB"] = 1L << 40,
    };

    /// <summary>Bytes, at least one.</summary>
    /// <exception cref="InputException">It is not a size.</exception>
    public static long Parse(string option, string text)
    {
        var m = Form().Match(text);
        var bytes =
            m.Success && Units.TryGetValue(m.Groups[2].Value, out var unit)
                ? double.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture) * unit
                : 0;
        return bytes is >= 1 and < 1e15
            ? (long)bytes
            : throw new InputException(option, $"'{text}' is not a size", "such as 5GB, 500MB or 2GiB");
    }

    [GeneratedRegex(@"^\s*(\d{1,15}(?:\.\d{1,6})?)\s*([a-zA-Z]*)\s*$", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
