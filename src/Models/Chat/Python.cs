using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>
/// Python's rules for the values of a template: truth, equality, order, iteration. Everything that grows with its
/// values is charged to the budget.
/// </summary>
internal sealed partial class Python(Budget budget) : IEqualityComparer<object>
{
    public Budget Budget => budget;

    public DictValue NewDict() => new(this);

    public DictValue NewDict(IEnumerable<KeyValuePair<object, object>> entries)
    {
        var dict = NewDict();
        foreach (var (key, value) in entries)
        {
            budget.Spend();
            dict[key] = value;
        }
        return dict;
    }

    public ListValue NewList(IEnumerable<object> items)
    {
        var list = new List<object>();
        foreach (var item in items)
        {
            budget.Spend();
            list.Add(item);
            if (list.Count > Budget.Items)
                budget.List(list.Count);
        }
        return new ListValue(list);
    }

    /// <summary>What Python calls its type.</summary>
    public static string TypeOf(object value) =>
        value switch
        {
            None => "NoneType",
            bool => "bool",
            BigInteger => "int",
            double => "float",
            string => "str",
            Markup => "Markup",
            ListValue => "list",
            TupleValue => "tuple",
            DictValue => "dict",
            RangeValue => "range",
            ViewValue view => view.Name,
            Stream stream => stream.Name,
            Undefined => "Undefined",
            NamespaceValue => "Namespace",
            LoopState => "LoopContext",
            CyclerValue => "Cycler",
            FunctionValue { IsMacro: true } => "Macro",
            SliceValue => "slice",
            _ => "function",
        };

    /// <summary>Text of a string, escaped or not; null for what is none.</summary>
    public static string? AsText(object value) => value as string ?? (value as Markup)?.Text;

    /// <summary>Whole number of an int or bool; null for what is none.</summary>
    public static BigInteger? AsInteger(object value) =>
        value is BigInteger i ? i
        : value is bool b
            ? b ? BigInteger.One
                : BigInteger.Zero
        : null;

    /// <summary>Number as a float; null for what is none.</summary>
    public static double? AsNumber(object value) =>
        value is double d ? d
        : AsInteger(value) is { } i ? Real(i)
        : null;

    public static bool Truth(object value) =>
        value switch
        {
            None or Undefined => false,
            bool b => b,
            BigInteger i => !i.IsZero,
            double d => d != 0,
            string s => s.Length > 0,
            Markup m => m.Text.Length > 0,
            Sequence s => s.Items.Count > 0,
            DictValue d => d.Count > 0,
            RangeValue r => r.Count > 0,
            ViewValue v => v.Items.Count > 0,
            _ => true,
        };

    public static int? LengthOf(object value) =>
        value switch
        {
            Undefined => 0,
            string s => PythonText.Length(s),
            Markup m => PythonText.Length(m.Text),
            Sequence s => s.Items.Count,
            DictValue d => d.Count,
            RangeValue r => r.Count,
            ViewValue v => v.Items.Count,
            LoopState l => l.Length,
            _ => null,
        };

    /// <summary>The values a loop gets; null where it gets none.</summary>
    public IEnumerable<object>? TryIterate(object value)
    {
        switch (value)
        {
            case Undefined:
                return [];
            case string or Markup:
                var text = AsText(value)!;
                budget.Text(text.Length);
                return PythonText.Points(text);
            case Sequence s:
                return s.Items;
            case DictValue d:
                return d.Keys;
            case RangeValue r:
                return Enumerable.Range(0, r.Count).Select(i => (object)r.At(i));
            case ViewValue v:
                return v.Items;
            case Stream s:
                return s.Rest();
            default:
                return null;
        }
    }

    public IEnumerable<object> Iterate(object value) =>
        TryIterate(value) ?? throw JinjaFault.Type($"'{TypeOf(value)}' object is not iterable");

    public List<object> ItemsOf(object value) => [.. NewList(Iterate(value)).Items];

    public new bool Equals(object? a, object? b) => Equal(a!, b!);

    public bool Equal(object a, object b)
    {
        budget.Enter();
        var equal = (a, b) switch
        {
            (None, None) or (Undefined, Undefined) => true,
            _ when AsInteger(a) is { } x && AsInteger(b) is { } y => x == y,
            _ when AsNumber(a) is { } x && AsNumber(b) is { } y => EqualNumbers(a, b, x, y),
            _ when AsText(a) is { } x && AsText(b) is { } y => EqualTexts(x, y),
            (ListValue x, ListValue y) => EqualItems(x.Items, y.Items),
            (TupleValue x, TupleValue y) => EqualItems(x.Items, y.Items),
            (DictValue x, DictValue y) => x.Count == y.Count
                && x.Entries.All(e => y.TryGet(e.Key, out var other) && Equal(e.Value, other)),
            (RangeValue x, RangeValue y) => x.Count == y.Count
                && (x.Count == 0 || (x.Start == y.Start && (x.Count == 1 || x.Step == y.Step))),
            _ => ReferenceEquals(a, b),
        };
        budget.Leave();
        return equal;
    }

    private static bool EqualNumbers(object a, object b, double x, double y) =>
        AsInteger(a) is { } i ? double.IsInteger(y) && i == new BigInteger(y)
        : AsInteger(b) is { } j ? double.IsInteger(x) && j == new BigInteger(x)
        : x == y;

    private bool EqualTexts(string a, string b)
    {
        if (a.Length != b.Length)
            return false;
        budget.Spend(a.Length / 64);
        return string.Equals(a, b, StringComparison.Ordinal);
    }

    private bool EqualItems(IReadOnlyList<object> a, IReadOnlyList<object> b)
    {
        if (a.Count != b.Count)
            return false;
        for (var i = 0; i < a.Count; i++)
            if (!ReferenceEquals(a[i], b[i]) && !Equal(a[i], b[i]))
                return false;
        return true;
    }

    public int GetHashCode(object value)
    {
        budget.Enter();
        var hash = value switch
        {
            _ when AsInteger(value) is { } i => i.GetHashCode(),
            double d => double.IsInteger(d) ? new BigInteger(d).GetHashCode() : d.GetHashCode(),
            _ when AsText(value) is { } s => Charged(s).GetHashCode(StringComparison.Ordinal),
            TupleValue t => t.Items.Aggregate(17, (h, item) => HashCode.Combine(h, GetHashCode(item))),
            Undefined => 1,
            ListValue or DictValue or SliceValue => throw JinjaFault.Type($"unhashable type: '{TypeOf(value)}'"),
            RangeValue r => r.Count,
            _ => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(value),
        };
        budget.Leave();
        return hash;
    }

    private string Charged(string text)
    {
        budget.Spend(text.Length / 64);
        return text;
    }

    /// <summary>Whether the first stands before, with or after the second; null for a NaN.</summary>
    /// <param name="a">Left.</param>
    /// <param name="b">Right.</param>
    /// <param name="sign">For the message.</param>
    public int? Order(object a, object b, string sign = "<")
    {
        foreach (var side in new[] { a, b })
            if (side is Undefined nothing)
                throw nothing.Fault();
        if (AsInteger(a) is { } i && AsInteger(b) is { } j)
            return i.CompareTo(j);
        if (AsNumber(a) is { } x && AsNumber(b) is { } y)
            return double.IsNaN(x) || double.IsNaN(y) ? null : x.CompareTo(y);
        if (AsText(a) is { } s && AsText(b) is { } t)
            return PythonText.Compare(Charged(s), t);
        if ((a, b) is (ListValue or TupleValue, ListValue or TupleValue) && a.GetType() == b.GetType())
            return OrderItems(((Sequence)a).Items, ((Sequence)b).Items, sign);
        throw JinjaFault.Type($"'{sign}' not supported between instances of '{TypeOf(a)}' and '{TypeOf(b)}'");
    }

    private int? OrderItems(IReadOnlyList<object> a, IReadOnlyList<object> b, string sign)
    {
        budget.Enter();
        int? order = a.Count.CompareTo(b.Count);
        for (var i = 0; i < a.Count && i < b.Count; i++)
            if (!Equal(a[i], b[i]))
            {
                order = Order(a[i], b[i], sign);
                break;
            }
        budget.Leave();
        return order;
    }

    /// <summary>One comparison of a chain.</summary>
    public bool Compare(string sign, object a, object b) =>
        sign switch
        {
            "==" => Equal(a, b),
            "!=" => !Equal(a, b),
            "in" => Contains(b, a),
            "not in" => !Contains(b, a),
            "<" => Order(a, b, sign) < 0,
            "<=" => Order(a, b, sign) <= 0,
            ">" => Order(a, b, sign) > 0,
            _ => Order(a, b, sign) >= 0,
        };

    public bool Contains(object container, object item)
    {
        if (AsText(container) is { } text)
            return AsText(item) is { } part ? Charged(text).Contains(part, StringComparison.Ordinal)
                : item is Undefined nothing ? throw nothing.Fault()
                : throw JinjaFault.Type($"'in <string>' requires string as left operand, not {TypeOf(item)}");
        if (container is DictValue dict)
            return dict.Holds(item);
        return (
            TryIterate(container) ?? throw JinjaFault.Type($"argument of type '{TypeOf(container)}' is not iterable")
        ).Any(i => Equal(i, item));
    }
}

/// <summary>Python's slice, between brackets.</summary>
internal sealed record SliceValue(object Start, object Stop, object Step);
