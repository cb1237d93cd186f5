using System.Globalization;
using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>Filters that make or change a number.</summary>
internal static class NumberFilters
{
    public static object Abs(Evaluator e, object value, Arguments given) =>
        Python.AsInteger(value) is { } i ? BigInteger.Abs(i)
        : value is double d ? Math.Abs(d)
        : value is Undefined nothing ? throw nothing.Fault()
        : throw JinjaFault.Type($"bad operand type for abs(): '{Python.TypeOf(value)}'");

    public static object Int(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("int", 0, "default", "base");
        var otherwise = bound[0] ?? BigInteger.Zero;
        var radix = TextFilters.Whole(bound[1], 10);
        if (value is Undefined nothing)
            throw nothing.Fault();
        if (Python.AsInteger(value) is { } whole)
            return whole;
        if (Python.AsText(value) is { } text)
            return ParseInteger(text, radix) is { } parsed ? parsed
                : ParseFloat(text) is { } real && double.IsFinite(real) ? new BigInteger(real)
                : otherwise;
        return value is double d
            ? double.IsFinite(d)
                ? new BigInteger(d)
                : throw JinjaFault.Type("cannot convert float to integer")
            : otherwise;
    }

    public static object Float(Evaluator e, object value, Arguments given)
    {
        var otherwise = given.Bind("float", 0, "default")[0] ?? 0.0;
        return value is Undefined nothing ? throw nothing.Fault()
            : Python.AsNumber(value) is { } number ? number
            : Python.AsText(value) is { } text && ParseFloat(text) is { } parsed ? parsed
            : otherwise;
    }

    public static object Round(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("round", 0, "precision", "method");
        var digits = TextFilters.Whole(bound[0], 0);
        var method = bound[1] is null ? "common" : e.Python.Text(bound[1]!);
        if (value is Undefined nothing)
            throw nothing.Fault();
        if (Python.AsNumber(value) is not { } number)
            throw JinjaFault.Type($"type {Python.TypeOf(value)} doesn't define __round__ method");
        if (method is not ("common" or "ceil" or "floor"))
            throw JinjaFault.Type("method must be common, ceil or floor");
        digits = Math.Clamp(digits, -400, 400);
        if (method != "common")
        {
            var power = Math.Pow(10, digits);
            return (method == "ceil" ? Math.Ceiling(number * power) : Math.Floor(number * power)) / power;
        }
        if (Python.AsInteger(value) is not { } whole)
            return NumberText.Round(number, digits);
        if (digits >= 0)
            return whole;
        var unit = BigInteger.Pow(10, -digits);
        return NumberText.Divide(whole, unit) * unit;
    }

    private static BigInteger? ParseInteger(string text, int radix)
    {
        var trimmed = PythonText.Trim(text);
        var negative = trimmed.StartsWith('-');
        var digits = negative || trimmed.StartsWith('+') ? trimmed[1..] : trimmed;
        var prefix = radix switch
        {
            16 => "0x",
            8 => "0o",
            2 => "0b",
            _ => "",
        };
        if (prefix.Length > 0 && digits.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            digits = digits[2..].TrimStart('_');
        if (!Grouped(digits) || digits.Length > 4300 || radix is < 2 or > 36)
            return null;
        var value = BigInteger.Zero;
        foreach (var c in digits.Where(c => c != '_'))
        {
            var digit =
                CharUnicodeInfo.GetDecimalDigitValue(c) is >= 0 and var decimals ? decimals
                : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10
                : 99;
            if (digit >= radix)
                return null;
            value = value * radix + digit;
        }
        return negative ? -value : value;
    }

    // Python lets an underscore stand between two digits.
    private static bool Grouped(string digits) =>
        digits.Length > 0 && digits[0] != '_' && digits[^1] != '_' && !digits.Contains("__", StringComparison.Ordinal);

    private static double? ParseFloat(string text)
    {
        var trimmed = PythonText.Trim(text);
        if (!Grouped(trimmed))
            return null;
        var name = trimmed.TrimStart('+', '-').ToUpperInvariant();
        if (name is "INF" or "INFINITY" or "NAN" && trimmed.Length - name.Length <= 1)
            return name == "NAN" ? double.NaN
                : trimmed[0] == '-' ? double.NegativeInfinity
                : double.PositiveInfinity;
        if (!trimmed.All(c => char.IsAsciiDigit(c) || "+-._eE".Contains(c, StringComparison.Ordinal)))
            return null;
        return double.TryParse(
            trimmed.Replace("_", "", StringComparison.Ordinal),
            NumberStyles.Float,
            CultureInfo.InvariantCulture,
            out var value
        )
            ? value
            : null;
    }
}
