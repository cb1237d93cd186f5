using System.Globalization;
using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>Numbers with a given count of digits, rounded from the exact value, half to even, as Python does.</summary>
internal static class NumberText
{
    /// <summary>So many digits at most; Python takes more, no template needs them.</summary>
    public const int MostDigits = 400;

    /// <summary>With a count of digits after the point.</summary>
    public static string Fixed(double value, int digits)
    {
        if (!double.IsFinite(value))
            return Python.Float(value);
        var scaled = Scaled(Math.Abs(value), digits).ToString(CultureInfo.InvariantCulture).PadLeft(digits + 1, '0');
        return (double.IsNegative(value) ? "-" : "") + scaled[..^digits] + (digits > 0 ? "." + scaled[^digits..] : "");
    }

    /// <summary>With one digit before the point and an exponent.</summary>
    public static string Exponential(double value, int digits)
    {
        if (!double.IsFinite(value))
            return Python.Float(value);
        var (all, exponent) = Significant(Math.Abs(value), digits + 1);
        return (double.IsNegative(value) ? "-" : "") + all[0] + (digits > 0 ? "." + all[1..] : "") + Exponent(exponent);
    }

    /// <summary>With a count of digits in all; the shorter of both forms.</summary>
    /// <param name="value">To be written.</param>
    /// <param name="digits">At least 1.</param>
    /// <param name="keepZeros">Whether zeros at the end stay.</param>
    public static string General(double value, int digits, bool keepZeros = false)
    {
        if (!double.IsFinite(value))
            return Python.Float(value);
        digits = Math.Max(1, digits);
        var (all, exponent) = Significant(Math.Abs(value), digits);
        var sign = double.IsNegative(value) ? "-" : "";
        if (exponent < -4 || exponent >= digits)
        {
            var rest = keepZeros ? all[1..] : all[1..].TrimEnd('0');
            return sign + all[0] + (rest.Length > 0 ? "." + rest : "") + Exponent(exponent);
        }
        var text = Fixed(value, Math.Max(0, digits - 1 - exponent));
        return !keepZeros && text.Contains('.', StringComparison.Ordinal) ? text.TrimEnd('0').TrimEnd('.') : text;
    }

    /// <summary>Python's <c>round</c>.</summary>
    public static double Round(double value, int digits)
    {
        if (!double.IsFinite(value) || digits > 330)
            return value;
        if (digits >= 0)
            return double.Parse(Fixed(value, digits), CultureInfo.InvariantCulture);
        if (digits < -308)
            return Math.CopySign(0, value);
        var scaled = (double)(Scaled(Math.Abs(value), digits) * BigInteger.Pow(10, -digits));
        return Math.CopySign(scaled, value);
    }

    /// <summary>A quotient rounded half to even.</summary>
    public static BigInteger Divide(BigInteger value, BigInteger by)
    {
        var quotient = BigInteger.DivRem(value, by, out var rest);
        var twice = (2 * BigInteger.Abs(rest)).CompareTo(BigInteger.Abs(by));
        return twice > 0 || (twice == 0 && !quotient.IsEven) ? quotient + value.Sign * by.Sign : quotient;
    }

    // The value times a power of ten, rounded.
    private static BigInteger Scaled(double value, int power)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        var exponent = (int)(bits >> 52 & 0x7FF);
        var mantissa = bits & 0xFFFFFFFFFFFFFL;
        var (top, shift) = exponent == 0 ? (mantissa, -1074) : (mantissa | 1L << 52, exponent - 1075);
        BigInteger above = top,
            below = 1;
        if (shift > 0)
            above <<= shift;
        else
            below <<= -shift;
        if (power > 0)
            above *= BigInteger.Pow(10, power);
        else
            below *= BigInteger.Pow(10, -power);
        return Divide(above, below);
    }

    private static (string Digits, int Exponent) Significant(double value, int count)
    {
        if (value == 0)
            return (new string('0', count), 0);
        var exponent = (int)Math.Floor(Math.Log10(value));
        // The logarithm may be one off, and rounding may give a digit more.
        for (var guess = exponent - 1; ; guess++)
        {
            var digits = Scaled(value, count - 1 - guess).ToString(CultureInfo.InvariantCulture);
            if (digits.Length == count)
                return (digits, guess);
        }
    }

    private static string Exponent(int exponent) =>
        (exponent < 0 ? "e-" : "e+") + Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
}
