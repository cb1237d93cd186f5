using System.Globalization;
using System.Numerics;

namespace EditUnlearn.Models.Chat;

internal sealed partial class Python
{
    /// <summary>An operator between two values.</summary>
    public object Calculate(string sign, object a, object b)
    {
        foreach (var side in new[] { a, b })
            if (side is Undefined nothing && !(sign == "%" && AsText(a) is not null))
                throw nothing.Fault();
        return sign switch
        {
            "+" when Join(a, b) is { } joined => joined,
            "*" when Repeat(a, b) is { } repeated => repeated,
            "%" when AsText(a) is { } format => new PercentFormat(this, b, escape: a is Markup).Format(format)
                is var text
            && a is Markup
                ? new Markup(text)
                : text,
            _ when AsInteger(a) is { } x && AsInteger(b) is { } y => Integers(sign, x, y),
            _ when AsNumber(a) is { } x && AsNumber(b) is { } y => Floats(sign, x, y),
            _ => throw Mismatch(sign, a, b),
        };
    }

    public static object Negate(string sign, object value) =>
        value is Undefined nothing ? throw nothing.Fault()
        : AsInteger(value) is { } i
            ? sign == "-" ? -i
                : i
        : value is double d
            ? sign == "-" ? -d
                : d
        : throw JinjaFault.Type($"bad operand type for unary {sign}: '{TypeOf(value)}'");

    private object? Join(object a, object b)
    {
        if (AsText(a) is { } s && AsText(b) is { } t)
        {
            budget.Text((long)s.Length + t.Length);
            return (a, b) is (string, string)
                ? s + t
                : new Markup((a is Markup ? s : Markup.Escape(s)) + (b is Markup ? t : Markup.Escape(t)));
        }
        if (a is not (ListValue or TupleValue) || a.GetType() != b.GetType())
            return null;
        var (x, y) = ((Sequence)a, (Sequence)b);
        budget.List(x.Items.Count + y.Items.Count);
        object[] items = [.. x.Items, .. y.Items];
        return a is ListValue ? new ListValue(items) : new TupleValue(items);
    }

    private object? Repeat(object a, object b)
    {
        if (AsInteger(a) is not null)
            (a, b) = (b, a);
        if (AsInteger(b) is not { } times || (AsText(a) is null && a is not (ListValue or TupleValue)))
            return null;
        var count = times.Sign < 0 ? 0 : (int)BigInteger.Min(times, int.MaxValue);
        if (AsText(a) is { } text)
        {
            budget.Text((long)text.Length * count);
            var many = string.Concat(Enumerable.Repeat(text, text.Length == 0 ? 0 : count));
            return a is Markup ? new Markup(many) : many;
        }
        var of = ((Sequence)a).Items;
        budget.List((long)of.Count * count);
        List<object> items = [.. Enumerable.Repeat(of, of.Count == 0 ? 0 : count).SelectMany(i => i)];
        return a is ListValue ? new ListValue(items) : new TupleValue(items);
    }

    private object Integers(string sign, BigInteger x, BigInteger y)
    {
        if (sign is "/" or "//" or "%" && y.IsZero)
            throw JinjaFault.Type(sign == "/" ? "division by zero" : "integer division or modulo by zero");
        return sign switch
        {
            "+" => Sized(x + y),
            "-" => Sized(x - y),
            "*" => Sized(x * y),
            "/" => Quotient(x, y),
            "//" => FloorDivide(x, y),
            "%" => x - y * FloorDivide(x, y),
            _ => Power(x, y),
        };
    }

    /// <summary>The nearest float.</summary>
    public static double Real(BigInteger value) =>
        value.GetBitLength() <= 53
            ? (double)value
            : double.Parse(value.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private BigInteger Sized(BigInteger value)
    {
        var bits = value.GetBitLength();
        budget.Spend(bits / 64);
        return bits <= Budget.Bits
            ? value
            : throw new JinjaFault(FaultKind.Limit, $"makes a number of more than {Budget.Bits} bits");
    }

    private static object Quotient(BigInteger x, BigInteger y)
    {
        const int exact = 53,
            guard = 70;
        if (x.GetBitLength() <= exact && y.GetBitLength() <= exact)
            return (double)x / (double)y;
        // Enough digits of the quotient that it is rounded once; a rest counts as a last digit.
        var shift = guard + (int)(y.GetBitLength() - x.GetBitLength());
        var (above, below) = shift >= 0 ? (x << shift, y) : (x, y << -shift);
        var quotient = BigInteger.DivRem(above, below, out var rest);
        var value = Math.ScaleB(Real(rest.IsZero ? quotient : quotient + x.Sign * y.Sign), -shift);
        return double.IsFinite(value) ? value : throw JinjaFault.Type("integer division result too large for a float");
    }

    private static BigInteger FloorDivide(BigInteger x, BigInteger y)
    {
        var quotient = BigInteger.DivRem(x, y, out var rest);
        return !rest.IsZero && rest.Sign != y.Sign ? quotient - 1 : quotient;
    }

    private object Power(BigInteger x, BigInteger y)
    {
        if (y.Sign < 0)
            return x.IsZero
                ? throw JinjaFault.Type("0.0 cannot be raised to a negative power")
                : Math.Pow((double)x, (double)y);
        if (x.IsZero || x.IsOne)
            return y.IsZero ? BigInteger.One : x;
        if (x == BigInteger.MinusOne)
            return y.IsEven ? BigInteger.One : x;
        if (y > Budget.Bits || y * (x.GetBitLength() - 1) > Budget.Bits)
            throw new JinjaFault(FaultKind.Limit, $"makes a number of more than {Budget.Bits} bits");
        return Sized(BigInteger.Pow(x, (int)y));
    }

    private static object Floats(string sign, double x, double y)
    {
        if (sign is "/" or "//" or "%" && y == 0)
            throw JinjaFault.Type(sign == "%" ? "float modulo" : "float division by zero");
        return sign switch
        {
            "+" => x + y,
            "-" => x - y,
            "*" => x * y,
            "/" => x / y,
            "//" => Math.Floor((x - Modulo(x, y)) / y + 0.5),
            "%" => Modulo(x, y),
            _ => FloatPower(x, y),
        };
    }

    private static double Modulo(double x, double y)
    {
        var rest = x % y;
        return rest == 0 ? Math.CopySign(0, y)
            : rest < 0 != y < 0 ? rest + y
            : rest;
    }

    private static double FloatPower(double x, double y)
    {
        if (x == 0 && y < 0)
            throw JinjaFault.Type("0.0 cannot be raised to a negative power");
        if (x < 0 && !double.IsInteger(y) && double.IsFinite(y))
            throw JinjaFault.Unsupported("a complex number");
        var power = Math.Pow(x, y);
        return double.IsInfinity(power) && double.IsFinite(x) && double.IsFinite(y)
            ? throw JinjaFault.Type("(34, 'Numerical result out of range')")
            : power;
    }

    private static JinjaFault Mismatch(string sign, object a, object b) =>
        JinjaFault.Type(
            sign == "+" && (AsText(a) is not null || a is ListValue or TupleValue)
                ? $"can only concatenate {TypeOf(a)} (not \"{TypeOf(b)}\") to {TypeOf(a)}"
            : sign == "*" && (AsText(a) is not null || a is ListValue or TupleValue)
                ? $"can't multiply sequence by non-int of type '{TypeOf(b)}'"
            : $"unsupported operand type(s) for {(sign == "**" ? "** or pow()" : sign)}: "
                + $"'{TypeOf(a)}' and '{TypeOf(b)}'"
        );
}
