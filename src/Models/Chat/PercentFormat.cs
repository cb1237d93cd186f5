using System.Globalization;
using System.Numerics;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Python's <c>text % values</c>.</summary>
/// <param name="python">Rules and budget.</param>
/// <param name="values">A tuple, a dict, or one value.</param>
/// <param name="escape">Whether values are escaped for HTML.</param>
internal sealed class PercentFormat(Python python, object values, bool escape = false)
{
    private readonly StringBuilder _made = new();
    private int _next;
    private string _text = "";
    private int _at;

    public string Format(string text)
    {
        _text = text;
        while (_at < text.Length)
        {
            var percent = text.IndexOf('%', _at);
            if (percent < 0)
                break;
            _made.Append(text, _at, percent - _at);
            _at = percent + 1;
            One();
            if (_made.Length > Budget.Characters)
                python.Budget.Text(_made.Length);
            python.Budget.Spend();
        }
        _made.Append(text, _at, text.Length - _at);
        var left = values is TupleValue many ? _next < many.Items.Count : _next == 0 && values is not DictValue;
        return left
            ? throw JinjaFault.Type("not all arguments converted during string formatting")
            : python.Budget.Made(_made.ToString());
    }

    private char Peek() => _at < _text.Length ? _text[_at] : throw JinjaFault.Type("incomplete format");

    private void One()
    {
        object? value = null;
        if (Peek() == '(')
        {
            var end = _text.IndexOf(')', _at);
            if (end < 0)
                throw JinjaFault.Type("incomplete format key");
            if (values is not DictValue dict)
                throw JinjaFault.Type("format requires a mapping");
            var key = _text[(_at + 1)..end];
            value = dict.TryGet(key, out var found) ? found : throw JinjaFault.Type(PythonText.Quoted(key));
            _at = end + 1;
        }
        var flags = "";
        while (Peek() is '-' or '+' or ' ' or '#' or '0')
            flags += _text[_at++];
        var width = Count();
        if (width < 0)
            (flags, width) = (flags + '-', -width);
        int? precision = null;
        if (Peek() == '.')
        {
            _at++;
            precision = Math.Max(0, Count() ?? 0);
        }
        while (Peek() is 'l' or 'h' or 'L')
            _at++;
        var kind = _text[_at++];
        if (kind == '%')
            _made.Append('%');
        else
            Put(kind, value ?? Take(), flags, width ?? 0, precision);
    }

    private int? Count()
    {
        if (Peek() == '*')
        {
            _at++;
            return Python.AsInteger(Take()) is { } given && BigInteger.Abs(given) <= Budget.Characters
                ? (int)given
                : throw JinjaFault.Type("* wants int");
        }
        var start = _at;
        while (char.IsAsciiDigit(Peek()))
            _at++;
        if (_at == start)
            return null;
        var count = BigInteger.Parse(_text.AsSpan(start, _at - start), CultureInfo.InvariantCulture);
        python.Budget.Text(count > Budget.Characters ? long.MaxValue : (long)count);
        return (int)count;
    }

    private object Take() =>
        values is TupleValue many
            ? _next < many.Items.Count
                ? many.Items[_next++]
                : throw JinjaFault.Type("not enough arguments for format string")
            : _next++ == 0
                ? values
                : throw JinjaFault.Type("not enough arguments for format string");

    private void Put(char kind, object value, string flags, int width, int? precision)
    {
        if (kind is 's' or 'r' or 'a' or 'c')
        {
            var text = kind switch
            {
                's' => python.Text(value),
                'c' => Character(value),
                'a' => throw JinjaFault.Unsupported("the format %a"),
                _ => python.Shown(value),
            };
            if (precision is { } most && kind != 'c')
                text = text[..PythonText.CharacterAt(text, most)];
            if (escape && value is not Markup)
                text = Markup.Escape(text);
            Pad(text, width, flags.Contains('-', StringComparison.Ordinal), ' ');
            return;
        }
        var number = Number(kind, value, precision, flags.Contains('#', StringComparison.Ordinal));
        if (!number.StartsWith('-'))
            number =
                flags.Contains('+', StringComparison.Ordinal) ? "+" + number
                : flags.Contains(' ', StringComparison.Ordinal) ? " " + number
                : number;
        var left = flags.Contains('-', StringComparison.Ordinal);
        if (left || !flags.Contains('0', StringComparison.Ordinal) || number.Length >= width)
        {
            Pad(number, width, left, ' ');
            return;
        }
        var signs = number[0] is '-' or '+' or ' ' ? 1 : 0;
        _made.Append(number, 0, signs).Append('0', width - number.Length).Append(number, signs, number.Length - signs);
    }

    private void Pad(string text, int width, bool left, char fill)
    {
        var missing = Math.Max(0, width - PythonText.Length(text));
        _made.Append(fill, left ? 0 : missing).Append(text).Append(fill, left ? missing : 0);
    }

    private static string Character(object value)
    {
        if (Python.AsText(value) is { } text)
            return PythonText.Length(text) == 1 ? text : throw JinjaFault.Type("%c requires int or char");
        if (Python.AsInteger(value) is not { } code || code < 0 || code > 0x10FFFF)
            throw JinjaFault.Type("%c requires int or char");
        var made = new StringBuilder();
        PythonText.Append(made, (int)code);
        return made.ToString();
    }

    private static string Number(char kind, object value, int? precision, bool alternate)
    {
        if (kind is 'd' or 'i' or 'u' or 'x' or 'X' or 'o')
        {
            var whole =
                Python.AsInteger(value)
                ?? (
                    value is double real && (kind is 'd' or 'i' or 'u') && double.IsFinite(real)
                        ? new BigInteger(real)
                        : throw JinjaFault.Type(
                            $"%{kind} format: a real number is required, not {Python.TypeOf(value)}"
                        )
                );
            var digits = BraceFormat
                .Digits(BigInteger.Abs(whole), kind)
                .PadLeft(Math.Min(precision ?? 0, NumberText.MostDigits), '0');
            var prefix = alternate && (kind is 'x' or 'X' or 'o') ? "0" + kind : "";
            return (whole.Sign < 0 ? "-" : "") + prefix + digits;
        }
        if (kind is not ('f' or 'F' or 'e' or 'E' or 'g' or 'G'))
            throw JinjaFault.Type($"unsupported format character '{kind}'");
        var number =
            Python.AsNumber(value) ?? throw JinjaFault.Type($"must be real number, not {Python.TypeOf(value)}");
        return BraceFormat.Real(number, kind, precision ?? 6, alternate);
    }
}
