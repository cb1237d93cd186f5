using System.Globalization;
using System.Numerics;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Writes a value as Python's <c>json.dumps</c> does; nothing is escaped for HTML.</summary>
/// <param name="python">Rules and budget.</param>
/// <param name="ascii">Whether other characters become escapes.</param>
/// <param name="indent">Put in front once a level; null for all on one line.</param>
/// <param name="comma">Between items.</param>
/// <param name="colon">Between key and value.</param>
/// <param name="sorted">Whether keys are sorted.</param>
internal sealed class JsonText(Python python, bool ascii, string? indent, string comma, string colon, bool sorted)
{
    private readonly StringBuilder _made = new();

    /// <summary>The filter <c>tojson</c>.</summary>
    public static string Of(Python python, object value, Arguments given)
    {
        var bound = given.Bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        var indent = bound[1] switch
        {
            null or None => null,
            { } text when Python.AsText(text) is { } own => own,
            { } count when Python.AsInteger(count) is { } n => new string(
                ' ',
                (int)BigInteger.Max(0, BigInteger.Min(n, 1000))
            ),
            { } other => throw JinjaFault.Type($"can't multiply sequence by non-int of type '{Python.TypeOf(other)}'"),
        };
        var (comma, colon) = (indent is null ? ", " : ",", ": ");
        if (bound[2] is { } pair and not None)
        {
            var parts = python.ItemsOf(pair);
            if (
                parts.Count != 2
                || Python.AsText(parts[0]) is not { } first
                || Python.AsText(parts[1]) is not { } second
            )
                throw JinjaFault.Type("separators must be two strings");
            (comma, colon) = (first, second);
        }
        bool Set(object? flag) => flag is not null && Python.Truth(flag);
        var writer = new JsonText(python, Set(bound[0]), indent, comma, colon, Set(bound[3]));
        writer.Write(value, 0);
        return writer._made.ToString();
    }

    private void Write(object value, int level)
    {
        python.Budget.Enter();
        var before = _made.Length;
        switch (value)
        {
            case None:
                _made.Append("null");
                break;
            case bool b:
                _made.Append(b ? "true" : "false");
                break;
            case BigInteger i:
                _made.Append(i.ToString(CultureInfo.InvariantCulture));
                break;
            case double d:
                _made.Append(Number(d));
                break;
            case string or Markup:
                Quote(Python.AsText(value)!);
                break;
            case Sequence s:
                Items('[', s.Items, i => Write(i, level + 1), ']', level);
                break;
            case DictValue d:
                Items('{', Entries(d), e => Entry(e, level), '}', level);
                break;
            default:
                throw JinjaFault.Type($"Object of type {Python.TypeOf(value)} is not JSON serializable");
        }
        python.Budget.Spend((_made.Length - before) / 4);
        if (_made.Length > Budget.Characters)
            python.Budget.Text(_made.Length);
        python.Budget.Leave();
    }

    private IReadOnlyList<KeyValuePair<object, object>> Entries(DictValue dict) =>
        sorted
            ? [.. dict.Entries.OrderBy(e => e.Key, Comparer<object>.Create((a, b) => python.Order(a, b) ?? 0))]
            : [.. dict.Entries];

    private void Entry(KeyValuePair<object, object> entry, int level)
    {
        Quote(
            entry.Key switch
            {
                None => "null",
                bool b => b ? "true" : "false",
                BigInteger i => i.ToString(CultureInfo.InvariantCulture),
                double d => Number(d),
                _ => Python.AsText(entry.Key)
                    ?? throw JinjaFault.Type(
                        $"keys must be str, int, float, bool or None, not {Python.TypeOf(entry.Key)}"
                    ),
            }
        );
        _made.Append(colon);
        Write(entry.Value, level + 1);
    }

    private void Items<T>(char begin, IReadOnlyList<T> items, Action<T> write, char end, int level)
    {
        _made.Append(begin);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                _made.Append(comma);
            Line(level + 1);
            write(items[i]);
        }
        if (items.Count > 0)
            Line(level);
        _made.Append(end);
    }

    private void Line(int level)
    {
        if (indent is null)
            return;
        python.Budget.Text((long)indent.Length * level);
        _made.Append('\n').Insert(_made.Length, indent, level);
    }

    private void Quote(string text)
    {
        _made.Append('"');
        foreach (var c in text)
            _made.Append(
                c switch
                {
                    '"' => "\\\"",
                    '\\' => @"\\",
                    '\n' => @"\n",
                    '\r' => @"\r",
                    '\t' => @"\t",
                    '\f' => @"\f",
                    '\b' => @"\b",
                    < ' ' => $"\\u{(int)c:x4}",
                    > '~' when ascii => $"\\u{(int)c:x4}",
                    _ => c.ToString(),
                }
            );
        _made.Append('"');
    }

    private static string Number(double value) =>
        double.IsNaN(value) ? "NaN"
        : double.IsInfinity(value)
            ? value > 0 ? "Infinity"
                : "-Infinity"
        : Python.Float(value);
}
