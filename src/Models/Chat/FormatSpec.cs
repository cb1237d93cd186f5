using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace EditUnlearn.Models.Chat;

/// <summary>What stands after the colon of a field: fill, sign, width, digits, kind.</summary>
/// <param name="python">Rules and budget.</param>
/// <param name="spec">As written.</param>
internal sealed partial class FormatSpec(Python python, string spec)
{
    /// <summary>The value as the field shows it.</summary>
    public string Format(object value)
    {
        if (spec.Length == 0)
            return python.Text(value);
        var parts = Parts().Match(spec);
        if (!parts.Success)
            throw JinjaFault.Type($"Invalid format specifier '{spec}'");
        string Part(string name) => parts.Groups[name].Value;
        var kind = Part("kind") is { Length: 1 } k ? k[0] : ' ';
        var precision = Part("precision") is { Length: > 0 } p ? Count(p) : (int?)null;
        var isText = Python.AsText(value) is not null;
        if (!isText && Python.AsNumber(value) is null)
            throw JinjaFault.Type($"unsupported format string passed to {Python.TypeOf(value)}.__format__");
        var text = isText
            ? Text(Python.AsText(value)!, kind, precision)
            : Number(value, kind, precision, Part("alternate").Length > 0);
        if (!isText && Part("group") is { Length: 1 } group)
            text = Grouped(text, group);
        if (!isText && !text.StartsWith('-'))
            text = Part("sign") is "+" or " " ? Part("sign") + text : text;
        var zero = Part("zero").Length > 0 && Part("align").Length == 0;
        var fill =
            Part("fill") is { Length: > 0 } own ? own
            : zero ? "0"
            : " ";
        var align =
            Part("align") is { Length: 1 } a ? a[0]
            : zero && !isText ? '='
            : isText ? '<'
            : '>';
        return Padded(text, Count(Part("width")), fill, align);
    }

    private string Padded(string text, int width, string fill, char align)
    {
        if (align == '=')
        {
            var signs = text[0] is '-' or '+' or ' ' ? 1 : 0;
            return text[..signs] + new TextMethods(python).Pad(text[signs..], width - signs, fill, 'r');
        }
        if (align != '^')
            return new TextMethods(python).Pad(text, width, fill, align == '<' ? 'l' : 'r');
        var missing = Math.Max(0, width - PythonText.Length(text));
        var left = new TextMethods(python).Pad(text, PythonText.Length(text) + missing / 2, fill, 'r');
        return new TextMethods(python).Pad(left, width, fill, 'l');
    }

    private static string Text(string text, char kind, int? precision) =>
        kind is not (' ' or 's') ? throw JinjaFault.Type($"Unknown format code '{kind}' for object of type 'str'")
        : precision is { } most ? text[..PythonText.CharacterAt(text, most)]
        : text;

    private string Number(object value, char kind, int? precision, bool alternate)
    {
        if (Python.AsInteger(value) is { } i && (kind is ' ' or 'd' or 'x' or 'X' or 'o' or 'b' or 'c'))
        {
            if (kind == 'c')
                return new PercentFormat(python, i).Format("%c");
            var prefix = alternate && kind is not (' ' or 'd') ? "0" + kind : "";
            return (i.Sign < 0 ? "-" : "") + prefix + BraceFormat.Digits(BigInteger.Abs(i), kind);
        }
        var number = Python.AsNumber(value)!.Value;
        return kind switch
        {
            'f' or 'F' or 'e' or 'E' or 'g' or 'G' => BraceFormat.Real(number, kind, precision ?? 6, alternate),
            '%' => BraceFormat.Real(number * 100, 'f', precision ?? 6) + "%",
            ' ' when precision is null => Python.Float(number),
            ' ' => Python.Float(
                double.Parse(
                    BraceFormat.Real(number, 'e', Math.Max(0, precision!.Value - 1)),
                    CultureInfo.InvariantCulture
                )
            ),
            _ => throw JinjaFault.Type($"Unknown format code '{kind}' for object of type 'float'"),
        };
    }

    private static string Grouped(string text, string mark)
    {
        var start = text.StartsWith('-') ? 1 : 0;
        var end = start;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        for (var at = end - 3; at > start; at -= 3)
            text = text.Insert(at, mark);
        return text;
    }

    private int Count(string digits)
    {
        if (digits.Length == 0)
            return 0;
        python.Budget.Text(digits.Length > 9 ? long.MaxValue : int.Parse(digits, CultureInfo.InvariantCulture));
        return int.Parse(digits, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(
        @"^(?:(?<fill>[\ud800-\udbff][\udc00-\udfff]|[\s\S])?(?<align>[<>=^]))?(?<sign>[-+ ])?(?<alternate>#)?"
            + @"(?<zero>0)?(?<width>[0-9]*)(?<group>[,_])?(?:\.(?<precision>[0-9]+))?(?<kind>[a-zA-Z%])?$",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Parts();
}
