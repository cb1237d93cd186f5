using System.Globalization;
using System.Numerics;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Python's <c>text.format(...)</c>, with attributes as the sandbox lets them be seen.</summary>
/// <param name="python">Rules and budget.</param>
/// <param name="given">What goes in.</param>
internal sealed class BraceFormat(Python python, Arguments given)
{
    private readonly Attributes _attributes = new(python);
    private int _next;

    // Whether fields are counted rather than numbered; null until one is seen.
    private bool? _counted;

    /// <summary>The text with its fields filled in.</summary>
    public string Format(string text) => Format(text, 2);

    private string Format(string text, int levels)
    {
        if (levels < 0)
            throw JinjaFault.Type("Max string recursion exceeded");
        var made = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            var twice = i + 1 < text.Length && text[i + 1] == c;
            if (c is not ('{' or '}') || twice)
            {
                made.Append(c);
                i += c is '{' or '}' ? 1 : 0;
                continue;
            }
            if (c == '}')
                throw JinjaFault.Type("Single '}' encountered in format string");
            var end = End(text, i);
            made.Append(Field(text[(i + 1)..end], levels));
            i = end;
            if (made.Length > Budget.Characters)
                python.Budget.Text(made.Length);
            python.Budget.Spend();
        }
        return made.ToString();
    }

    private static int End(string text, int open)
    {
        var depth = 0;
        for (var i = open; i < text.Length; i++)
        {
            depth +=
                text[i] == '{' ? 1
                : text[i] == '}' ? -1
                : 0;
            if (depth == 0)
                return i;
        }
        throw JinjaFault.Type("expected '}' before end of string");
    }

    private string Field(string field, int levels)
    {
        var bracket = false;
        var split = 0;
        for (; split < field.Length && (bracket || field[split] is not (':' or '!')); split++)
            bracket = field[split] == '[' || (bracket && field[split] != ']');
        var (name, rest) = (field[..split], field[split..]);
        var conversion = rest.StartsWith('!') && rest.Length > 1 ? rest[1] : ' ';
        if (conversion != ' ')
            rest = rest[2..];
        var value = Value(name);
        if (conversion != ' ')
            value = conversion switch
            {
                's' => python.Text(value),
                'r' => python.Shown(value),
                _ => throw JinjaFault.Unsupported($"the conversion !{conversion}"),
            };
        var spec = rest.StartsWith(':') ? rest[1..] : "";
        if (spec.Contains('{', StringComparison.Ordinal))
            spec = Format(spec, levels - 1);
        return new FormatSpec(python, spec).Format(value);
    }

    private object Value(string name)
    {
        var end = name.IndexOfAny(['.', '[']);
        var first = end < 0 ? name : name[..end];
        if (first.Length == 0 || char.IsAsciiDigit(first[0]))
        {
            if (_counted is { } counted && counted != (first.Length == 0))
                throw JinjaFault.Type("cannot switch between manual and automatic numbering of fields");
            _counted = first.Length == 0;
        }
        var value =
            first.Length == 0 ? Place(_next++)
            : first.All(char.IsAsciiDigit)
                ? Place(first.Length > 6 ? int.MaxValue : int.Parse(first, CultureInfo.InvariantCulture))
            : given.Names.TryGetValue(first, out var named) ? named
            : throw JinjaFault.Type(PythonText.Quoted(first));
        for (var at = end; at >= 0 && at < name.Length;)
        {
            var item = name[at] == '[';
            var stop = item ? name.IndexOf(']', at) : name.IndexOfAny(['.', '['], at + 1);
            if (stop < 0 && item)
                throw JinjaFault.Type("Missing ']' in format string");
            var part = name[(at + 1)..(stop < 0 ? name.Length : stop)];
            value = item
                ? _attributes.Item(
                    value,
                    part.Length is > 0 and < 10 && part.All(char.IsAsciiDigit)
                        ? BigInteger.Parse(part, CultureInfo.InvariantCulture)
                        : part
                )
                : _attributes.OnlyAttribute(value, part);
            at =
                stop < 0 ? name.Length
                : item ? stop + 1
                : stop;
        }
        return value;
    }

    private object Place(int at) =>
        at < given.Places.Count
            ? given.Places[at]
            : throw JinjaFault.Type("Replacement index out of range for positional args tuple");

    /// <summary>A whole number not below zero in decimal, hexadecimal, octal or binary digits.</summary>
    public static string Digits(BigInteger value, char kind)
    {
        var bits = kind switch
        {
            'x' or 'X' => 4,
            'o' => 3,
            'b' => 1,
            _ => 0,
        };
        if (bits == 0)
            return value.ToString(CultureInfo.InvariantCulture);
        var made = new StringBuilder();
        do
        {
            made.Insert(0, "0123456789abcdef"[(int)(value & ((1 << bits) - 1))]);
            value >>= bits;
        } while (!value.IsZero);
        return kind == 'X' ? made.ToString().ToUpperInvariant() : made.ToString();
    }

    /// <summary>A float with f, e or g and a count of digits.</summary>
    public static string Real(double value, char kind, int digits, bool keepZeros = false)
    {
        if (digits > NumberText.MostDigits)
            throw JinjaFault.Unsupported($"a number with more than {NumberText.MostDigits} digits");
        var text = char.ToLowerInvariant(kind) switch
        {
            'f' => NumberText.Fixed(value, digits),
            'e' => NumberText.Exponential(value, digits),
            _ => NumberText.General(value, digits, keepZeros),
        };
        return char.IsAsciiLetterUpper(kind) ? text.ToUpperInvariant() : text;
    }
}
