using System.Numerics;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Filters that change a text.</summary>
internal static class TextFilters
{
    public static object Center(Evaluator e, object value, Arguments given)
    {
        var width = Whole(given.Bind("center", 0, "width")[0], 80);
        return new TextMethods(e.Python).Pad(e.Python.Text(value), width, " ", 'c');
    }

    public static object Escape(Evaluator e, object value, Arguments given) =>
        value as Markup ?? new Markup(Markup.Escape(e.Python.Text(value)));

    public static object Format(Evaluator e, object value, Arguments given)
    {
        if (given.Places.Count > 0 && given.Names.Count > 0)
            throw JinjaFault.Type("can't handle positional and keyword arguments at the same time");
        object values =
            given.Names.Count > 0
                ? e.Python.NewDict(given.Names.Select(n => KeyValuePair.Create((object)n.Key, n.Value)))
                : new TupleValue(given.Places);
        return e.Python.Calculate("%", value is Markup ? value : e.Python.Text(value), values);
    }

    public static object Replace(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("replace", 2, "old", "new", "count");
        var count = bound[2] is null or None ? -1 : Whole(bound[2], -1);
        var (old, other) = (e.Python.Text(bound[0]!), e.Python.Text(bound[1]!));
        return new TextMethods(e.Python).Replace(e.Python.Text(value), old, other, count);
    }

    /// <summary>A large letter at the begin of each word; words end at white space, dashes and brackets.</summary>
    public static string Title(string text)
    {
        var made = new StringBuilder();
        var begins = true;
        foreach (var point in PythonText.Points(text))
        {
            made.Append(begins ? PythonText.Upper(point) : PythonText.Lower(point));
            begins = point[0] is '-' or '(' or '{' or '[' or '<' || PythonText.IsSpace(point[0]);
        }
        return made.ToString();
    }

    public static object Indent(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("indent", 0, "width", "first", "blank");
        var by =
            bound[0] is { } own && Python.AsText(own) is { } text
                ? text
                : new TextMethods(e.Python).Pad("", Whole(bound[0], 4), " ", 'l');
        bool Set(object? flag) => flag is not null && Python.Truth(flag);
        var lines = ((FunctionValue)new TextMethods(e.Python).Find(e.Python.Text(value) + "\n", "splitlines")!).Call(
            new Arguments()
        );
        var made = new StringBuilder(Set(bound[1]) ? by : "");
        foreach (var (i, line) in e.Python.ItemsOf(lines).Cast<string>().Index())
        {
            if (i > 0)
                made.Append('\n').Append(line.Length > 0 || Set(bound[2]) ? by : "");
            made.Append(line);
            e.Python.Budget.Text(made.Length / 64);
            if (made.Length > Budget.Characters)
                e.Python.Budget.Text(made.Length);
        }
        return made.ToString();
    }

    public static object Truncate(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("truncate", 0, "length", "killwords", "end", "leeway");
        var (text, length, end) = (
            e.Python.Text(value),
            Whole(bound[0], 255),
            bound[2] is null ? "..." : e.Python.Text(bound[2]!)
        );
        var leeway = bound[3] is null or None ? 5 : Whole(bound[3], 5);
        if (length < PythonText.Length(end))
            throw JinjaFault.Type($"expected length >= {PythonText.Length(end)}, got {length}");
        if (leeway < 0)
            throw JinjaFault.Type($"expected leeway >= 0, got {leeway}");
        if (PythonText.Length(text) <= (long)length + leeway)
            return text;
        var kept = text[..PythonText.CharacterAt(text, length - PythonText.Length(end))];
        var whole = bound[1] is { } kill && Python.Truth(kill);
        var space = whole ? -1 : kept.LastIndexOf(' ');
        return (space < 0 ? kept : kept[..space]) + end;
    }

    public static object WordCount(Evaluator e, object value, Arguments given)
    {
        var count = 0;
        var inside = false;
        foreach (var point in PythonText.Points(e.Python.Text(value)))
        {
            var word = point == "_" || PythonText.IsAlpha(point) || PythonText.IsNumeric(point);
            count += word && !inside ? 1 : 0;
            inside = word;
        }
        return (BigInteger)count;
    }

    public static object UrlEncode(Evaluator e, object value, Arguments given)
    {
        if (Python.AsText(value) is not null || e.Python.TryIterate(value) is null)
            return Quoted(e.Python.Text(value), "/");
        var pairs = value is DictValue dict ? Attributes.Pairs(dict) : e.Python.Iterate(value);
        return string.Join(
            "&",
            pairs.Select(p =>
                e.Python.ItemsOf(p) is [var key, var item]
                    ? Part(e.Python.Text(key)) + "=" + Part(e.Python.Text(item))
                    : throw JinjaFault.Type("not enough values to unpack (expected 2)")
            )
        );
        static string Part(string text) => Quoted(text, "").Replace("%20", "+", StringComparison.Ordinal);
    }

    private static string Quoted(string text, string safe)
    {
        var made = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
            if (char.IsAsciiLetterOrDigit((char)b) || "_.-~".Contains((char)b) || safe.Contains((char)b))
                made.Append((char)b);
            else
                made.Append('%').Append(Convert.ToHexString([b]));
        return made.ToString();
    }

    /// <summary>A whole number that was given.</summary>
    public static int Whole(object? given, int otherwise) =>
        given is null ? otherwise
        : Python.AsInteger(given) is { } i ? (int)BigInteger.Clamp(i, int.MinValue / 2, int.MaxValue / 2)
        : throw JinjaFault.Type($"'{Python.TypeOf(given)}' object cannot be interpreted as an integer");
}
