using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>
/// What stands after a dot or in brackets. Only what is listed here can be reached: there is no way to the values of
/// the program.
/// </summary>
internal sealed class Attributes(Python python)
{
    private static readonly string[] ListChanges =
    [
        "append",
        "clear",
        "pop",
        "reverse",
        "insert",
        "sort",
        "extend",
        "remove",
    ];

    private static readonly string[] DictChanges = ["clear", "pop", "popitem", "setdefault", "update"];

    private readonly TextMethods _texts = new(python);

    /// <summary><c>of.name</c>: an attribute, else an item.</summary>
    public object Attribute(object of, string name)
    {
        if (of is Undefined nothing)
            throw nothing.Fault();
        return Own(of, name) ?? Item(of, name) ?? Missing(of, name);
    }

    /// <summary><c>of[key]</c>: an item, else an attribute.</summary>
    public object Item(object of, object key)
    {
        if (of is Undefined nothing)
            throw nothing.Fault();
        return TryItem(of, key) ?? (Python.AsText(key) is { } name ? Own(of, name) : null) ?? Missing(of, key);
    }

    /// <summary>The filter <c>attr</c>: never an item.</summary>
    public object OnlyAttribute(object of, string name) => Own(of, name) ?? Missing(of, name);

    /// <summary>By a path with dots and numbers, as filters take it.</summary>
    public object Path(object of, object path, object? otherwise = null)
    {
        IEnumerable<object> parts = Python.AsText(path) is { } text
            ? text.Split('.').Select(p => BigInteger.TryParse(p, out var i) && p.All(char.IsDigit) ? i : (object)p)
            : [path];
        foreach (var part in parts)
        {
            of = Item(of, part);
            if (of is Undefined && otherwise is not null)
                of = otherwise;
        }
        return of;
    }

    private object? Item(object of, string name) => TryItem(of, name);

    private static Undefined Missing(object of, object key)
    {
        var type =
            of is None ? "None"
            : of is NamespaceValue or LoopState or FunctionValue or CyclerValue ? $"jinja2 {Python.TypeOf(of)} object"
            : $"{Python.TypeOf(of)} object";
        return key is string name ? new($"'{type}' has no attribute {PythonText.Quoted(name)}")
            : key is BigInteger i ? new($"{type} has no element {i}")
            : new($"{type} has no element of type {Python.TypeOf(key)}");
    }

    private object? TryItem(object of, object key)
    {
        if (of is DictValue dict)
            return key is ListValue or DictValue or SliceValue ? null
                : dict.TryGet(key, out var found) ? found
                : null;
        var count = of is string or Markup or Sequence or RangeValue ? Python.LengthOf(of)!.Value : -1;
        if (count < 0)
            return null;
        if (Python.AsText(of) is { } text)
            python.Budget.Text(text.Length);
        if (key is SliceValue slice)
            return Slice(of, slice, count);
        if (Python.AsInteger(key) is not { } index)
            return null;
        if (index < 0)
            index += count;
        return index < 0 || index >= count ? null : At(of, (int)index);
    }

    private static object At(object of, int index) =>
        of switch
        {
            Sequence s => s.Items[index],
            RangeValue r => r.At(index),
            Markup m => new Markup(PointOf(m.Text, index)),
            _ => PointOf((string)of, index),
        };

    private static string PointOf(string text, int index)
    {
        var at = PythonText.CharacterAt(text, index);
        return text[
            at..(
                at
                + (char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1)
            )
        ];
    }

    private object Slice(object of, SliceValue slice, int count)
    {
        var step = Part(slice.Step) ?? 1;
        if (step == 0)
            throw JinjaFault.Type("slice step cannot be zero");
        var (low, high) = step > 0 ? (0, count) : (-1, count - 1);
        var start = Bound(slice.Start, step > 0 ? low : high);
        var stop = Bound(slice.Stop, step > 0 ? high : low);
        if (of is RangeValue range)
            return new RangeValue(range.Start + start * range.Step, range.Start + stop * range.Step, range.Step * step);
        var places = new List<int>();
        for (var i = start; step > 0 ? i < stop : i > stop; i += step)
            places.Add((int)i);
        python.Budget.Spend(places.Count);
        if (of is ListValue list)
            return new ListValue([.. places.Select(p => list.Items[p])]);
        if (of is TupleValue tuple)
            return new TupleValue([.. places.Select(p => tuple.Items[p])]);
        var points = PythonText.Points(Python.AsText(of)!);
        var text = string.Concat(places.Select(p => points[p]));
        return of is Markup ? new Markup(text) : text;

        BigInteger Bound(object given, int otherwise)
        {
            if (Part(given) is not { } at)
                return otherwise;
            return BigInteger.Clamp(at < 0 ? at + count : at, low, high);
        }
    }

    private static BigInteger? Part(object value) =>
        value is None
            ? null
            : Python.AsInteger(value)
                ?? throw JinjaFault.Type("slice indices must be integers or None or have an __index__ method");

    // What Python's getattr finds and the sandbox lets through; null for nothing.
    private object? Own(object of, string name)
    {
        if (name.StartsWith('_') && name.EndsWith("__", StringComparison.Ordinal) && of is not NamespaceValue)
            return Unsafe(of, name);
        return of switch
        {
            string or Markup => _texts.Find(of, name),
            ListValue or TupleValue => OfSequence((Sequence)of, name),
            DictValue dict => OfDict(dict, name),
            NamespaceValue space => space.Names.TryGet(name, out var value) ? value : null,
            LoopState loop => loop.Attribute(name),
            FunctionValue function => function.Attributes.GetValueOrDefault(name),
            CyclerValue cycler => OfCycler(cycler, name),
            bool or BigInteger => OfInteger(Python.AsInteger(of)!.Value, name),
            double d => OfFloat(d, name),
            RangeValue range => OfRange(range, name),
            _ => null,
        };
    }

    private static Undefined Unsafe(object of, string name) =>
        new($"access to attribute '{name}' of '{Python.TypeOf(of)}' object is unsafe.", FaultKind.Security);

    private object? OfSequence(Sequence of, string name)
    {
        if (of is ListValue && ListChanges.Contains(name))
            return Unsafe(of, name);
        if (of is TupleValue tuple && tuple.Names.Index().FirstOrDefault(n => n.Item == name) is { Item: not null } at)
            return tuple.Items[at.Index];
        return name switch
        {
            "index" => Function("index", 1, g => IndexOf(of.Items, g), "value", "start", "stop"),
            "count" => Function("count", 1, g => (BigInteger)of.Items.Count(i => python.Equal(i, g[0]!)), "value"),
            "copy" when of is ListValue => Function("copy", 0, _ => of),
            _ => null,
        };
    }

    private object IndexOf(IReadOnlyList<object> items, object?[] given)
    {
        var from = given[1] is null ? 0 : (int)BigInteger.Min(Part(given[1]!) ?? 0, items.Count);
        from = from < 0 ? Math.Max(0, from + items.Count) : from;
        for (var i = from; i < items.Count; i++)
            if (python.Equal(items[i], given[0]!))
                return (BigInteger)i;
        throw JinjaFault.Type($"{python.Shown(given[0]!)} is not in list");
    }

    private object? OfDict(DictValue of, string name)
    {
        if (DictChanges.Contains(name))
            return Unsafe(of, name);
        object View(string view, IEnumerable<object> items) => new ViewValue(view, python.NewList(items).Items);
        return name switch
        {
            "get" => Function(
                "get",
                1,
                g => of.TryGet(g[0]!, out var value) ? value : g[1] ?? None.Value,
                "key",
                "default"
            ),
            "keys" => Function("keys", 0, _ => View("dict_keys", of.Keys)),
            "values" => Function("values", 0, _ => View("dict_values", of.Values)),
            "items" => Function("items", 0, _ => View("dict_items", Pairs(of))),
            "copy" => Function("copy", 0, _ => python.NewDict(of.Entries)),
            "fromkeys" => throw JinjaFault.Unsupported("the method 'fromkeys' of a dict"),
            _ => null,
        };
    }

    /// <summary>Keys with their values.</summary>
    public static IEnumerable<object> Pairs(DictValue of) => of.Entries.Select(e => new TupleValue([e.Key, e.Value]));

    private static object? OfCycler(CyclerValue of, string name) =>
        name switch
        {
            "current" => of.Current,
            "next" => Function("next", 0, _ => of.Next()),
            "reset" => Function(
                "reset",
                0,
                _ =>
                {
                    of.Reset();
                    return None.Value;
                }
            ),
            _ => null,
        };

    private static object? OfInteger(BigInteger of, string name) =>
        name switch
        {
            "real" or "numerator" => of,
            "imag" => BigInteger.Zero,
            "denominator" => BigInteger.One,
            "bit_length" => Function("bit_length", 0, _ => (BigInteger)BigInteger.Abs(of).GetBitLength()),
            "bit_count" or "to_bytes" or "from_bytes" or "conjugate" or "as_integer_ratio" or "is_integer" =>
                throw JinjaFault.Unsupported($"the method '{name}' of a number"),
            _ => null,
        };

    private static object? OfFloat(double of, string name) =>
        name switch
        {
            "real" => of,
            "imag" => 0.0,
            "is_integer" => Function("is_integer", 0, _ => double.IsInteger(of)),
            "hex" or "fromhex" or "conjugate" or "as_integer_ratio" => throw JinjaFault.Unsupported(
                $"the method '{name}' of a number"
            ),
            _ => null,
        };

    private object? OfRange(RangeValue of, string name) =>
        name switch
        {
            "start" => of.Start,
            "stop" => of.Stop,
            "step" => of.Step,
            "index" => Function("index", 1, g => IndexOf([.. python.Iterate(of)], [g[0], null, null]), "value"),
            "count" => Function(
                "count",
                1,
                g => (BigInteger)python.Iterate(of).Count(i => python.Equal(i, g[0]!)),
                "value"
            ),
            _ => null,
        };

    /// <summary>A function of named parameters.</summary>
    public static FunctionValue Function(
        string name,
        int required,
        Func<object?[], object> call,
        params string[] parameters
    ) => new(name, given => call(given.Bind(name, required, parameters)));
}
