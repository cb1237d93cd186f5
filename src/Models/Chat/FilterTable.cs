using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>What can follow a bar: one line a filter.</summary>
internal static class FilterTable
{
    /// <summary>A filter.</summary>
    public delegate object Filter(Evaluator evaluator, object value, Arguments given);

    // Filters of the language that nobody needs for a prompt.
    private static readonly string[] Refused =
    [
        "filesizeformat",
        "pprint",
        "random",
        "striptags",
        "urlize",
        "wordwrap",
        "xmlattr",
    ];

    private static readonly Dictionary<string, Filter> All = new(StringComparer.Ordinal)
    {
        ["abs"] = NumberFilters.Abs,
        ["attr"] = (e, v, g) => Attr(e, v, g),
        ["batch"] = ListFilters.Batch,
        ["capitalize"] = Text("capitalize", (t, _) => PythonText.Capitalize(t)),
        ["center"] = TextFilters.Center,
        ["count"] = Length,
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = ListFilters.DictSort,
        ["e"] = TextFilters.Escape,
        ["escape"] = TextFilters.Escape,
        ["first"] = ListFilters.First,
        ["float"] = NumberFilters.Float,
        ["forceescape"] = (e, v, _) => new Markup(Markup.Escape(e.Python.Text(v))),
        ["format"] = TextFilters.Format,
        ["groupby"] = ListFilters.GroupBy,
        ["indent"] = TextFilters.Indent,
        ["int"] = NumberFilters.Int,
        ["items"] = ListFilters.Items,
        ["join"] = ListFilters.Join,
        ["last"] = ListFilters.Last,
        ["length"] = Length,
        ["list"] = (e, v, _) => e.Python.NewList(e.Python.Iterate(v)),
        ["lower"] = Text("lower", (t, _) => PythonText.Lower(t)),
        ["map"] = SelectionFilters.Map,
        ["max"] = (e, v, g) => ListFilters.Extreme(e, v, g, 1),
        ["min"] = (e, v, g) => ListFilters.Extreme(e, v, g, -1),
        ["reject"] = (e, v, g) => SelectionFilters.Select(e, v, g, keep: false, attribute: false),
        ["rejectattr"] = (e, v, g) => SelectionFilters.Select(e, v, g, keep: false, attribute: true),
        ["replace"] = TextFilters.Replace,
        ["reverse"] = ListFilters.Reverse,
        ["round"] = NumberFilters.Round,
        ["safe"] = (e, v, _) => v as Markup ?? new Markup(e.Python.Text(v)),
        ["select"] = (e, v, g) => SelectionFilters.Select(e, v, g, keep: true, attribute: false),
        ["selectattr"] = (e, v, g) => SelectionFilters.Select(e, v, g, keep: true, attribute: true),
        ["slice"] = ListFilters.Slice,
        ["sort"] = ListFilters.Sort,
        ["string"] = (e, v, _) => v as Markup ?? (object)e.Python.Text(v),
        ["sum"] = ListFilters.Sum,
        ["title"] = Text("title", (t, _) => TextFilters.Title(t)),
        ["tojson"] = (e, v, g) => JsonText.Of(e.Python, v, g),
        ["trim"] = Text("trim", (t, chars) => PythonText.Trim(t, chars), "chars"),
        ["truncate"] = TextFilters.Truncate,
        ["unique"] = ListFilters.Unique,
        ["upper"] = Text("upper", (t, _) => PythonText.Upper(t)),
        ["urlencode"] = TextFilters.UrlEncode,
        ["wordcount"] = TextFilters.WordCount,
    };

    public static bool Knows(string name) => All.ContainsKey(name);

    public static Filter? Find(string name) => All.GetValueOrDefault(name);

    /// <summary>Why there is no such filter.</summary>
    public static JinjaFault Unknown(string name, int line) =>
        Refused.Contains(name)
            ? new(FaultKind.Unsupported, $"the filter '{name}' is not supported", line)
            : new(FaultKind.Syntax, $"No filter named '{name}'.", line);

    private static Filter Text(string name, Func<string, string?, string> make, params string[] parameters) =>
        (e, value, given) =>
        {
            var bound = given.Bind(name, 0, parameters);
            var chars = bound is [{ } first and not None] ? e.Python.Text(first) : null;
            var made = make(e.Python.Text(value), chars);
            return value is Markup ? new Markup(made) : made;
        };

    private static object Length(Evaluator e, object value, Arguments given) =>
        (BigInteger)(
            Python.LengthOf(value) ?? throw JinjaFault.Type($"object of type '{Python.TypeOf(value)}' has no len()")
        );

    private static object Default(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("default", 0, "default_value", "boolean");
        var empty = value is Undefined || (bound[1] is { } b && Python.Truth(b) && !Python.Truth(value));
        return empty ? bound[0] ?? "" : value;
    }

    private static object Attr(Evaluator e, object value, Arguments given)
    {
        var name = e.Python.Text(given.Bind("attr", 1, "name")[0]!);
        return value is Undefined nothing ? throw nothing.Fault() : e.Attributes.OnlyAttribute(value, name);
    }
}
