using System.Numerics;

namespace EditUnlearn.Models.Chat;

// Values of a template are plain objects: None, bool, BigInteger, double, string, Markup, ListValue, TupleValue,
// DictValue, RangeValue, Stream, Undefined, NamespaceValue and callables. All but namespaces, streams, cyclers and
// joiners never change: the published sandbox refuses changes in place.

/// <summary>Python's None.</summary>
internal sealed class None
{
    public static readonly None Value = new();

    private None() { }
}

/// <summary>What a name stands for that is nothing: it prints as nothing, and most uses fail with the reason.</summary>
/// <param name="Reason">Told when it is used.</param>
/// <param name="Kind">Of the failure.</param>
internal sealed record Undefined(string Reason, FaultKind Kind = FaultKind.Undefined)
{
    public JinjaFault Fault() => new(Kind, Reason);

    public static Undefined Name(string name) => new($"'{name}' is undefined");
}

/// <summary>Text that was escaped for HTML: what is added to it is escaped too.</summary>
internal sealed record Markup(string Text)
{
    public static string Escape(string text) =>
        text.Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal)
            .Replace("\"", "&#34;", StringComparison.Ordinal)
            .Replace("'", "&#39;", StringComparison.Ordinal);
}

/// <summary>Values in an order: a list or a tuple.</summary>
internal abstract class Sequence(IReadOnlyList<object> items)
{
    public IReadOnlyList<object> Items { get; } = items;
}

/// <summary>Python's list.</summary>
internal sealed class ListValue(IReadOnlyList<object> items) : Sequence(items);

/// <summary>Python's tuple.</summary>
/// <param name="items">Of the tuple.</param>
/// <param name="names">Of the items, for a named tuple; else empty.</param>
internal sealed class TupleValue(IReadOnlyList<object> items, params string[] names) : Sequence(items)
{
    public IReadOnlyList<string> Names { get; } = names;
}

/// <summary>Python's range.</summary>
internal sealed record RangeValue(BigInteger Start, BigInteger Stop, BigInteger Step)
{
    public int Count { get; } = CountOf(Start, Stop, Step);

    public BigInteger At(int index) => Start + index * Step;

    private static int CountOf(BigInteger start, BigInteger stop, BigInteger step)
    {
        var count =
            step.Sign > 0 && start < stop ? (stop - start - 1) / step + 1
            : step.Sign < 0 && start > stop ? (start - stop - 1) / -step + 1
            : BigInteger.Zero;
        return count <= Budget.Items
            ? (int)count
            : throw new JinjaFault(
                FaultKind.Limit,
                $"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({Budget.Items})."
            );
    }
}

/// <summary>Values that can be read once, as what <c>map</c> and <c>select</c> give.</summary>
internal sealed class Stream(string name, IEnumerable<object> items)
{
    private readonly IEnumerator<object> _items = items.GetEnumerator();

    public string Name { get; } = name;

    public IEnumerable<object> Rest()
    {
        while (_items.MoveNext())
            yield return _items.Current;
    }
}

/// <summary>A look at the keys, values or pairs of a dictionary.</summary>
internal sealed record ViewValue(string Name, IReadOnlyList<object> Items);

/// <summary>Python's dict: in the order of entry.</summary>
internal sealed class DictValue(IEqualityComparer<object> equality)
{
    private readonly OrderedDictionary<object, object> _entries = new(equality);

    public int Count => _entries.Count;

    public IEnumerable<KeyValuePair<object, object>> Entries => _entries;

    public IEnumerable<object> Keys => _entries.Keys;

    public IEnumerable<object> Values => _entries.Values;

    public object this[object key]
    {
        set => _entries[key] = value;
    }

    public bool TryGet(object key, out object value) => _entries.TryGetValue(key, out value!);

    public bool Holds(object key) => _entries.ContainsKey(key);
}

/// <summary>What <c>namespace()</c> makes: names that a loop can set for good.</summary>
internal sealed class NamespaceValue(DictValue names)
{
    public DictValue Names { get; } = names;
}

/// <summary>Something that can be called.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Call">What it does.</param>
internal sealed record FunctionValue(string Name, Func<Arguments, object> Call)
{
    /// <summary>Attributes of it, as a macro has.</summary>
    public IReadOnlyDictionary<string, object> Attributes { get; init; } = new Dictionary<string, object>();

    /// <summary>Whether it is a macro, which is handed the body of a call block.</summary>
    public bool IsMacro { get; init; }
}

/// <summary>What <c>cycler()</c> makes.</summary>
internal sealed class CyclerValue(IReadOnlyList<object> items)
{
    private int _at;

    public object Current => items[_at];

    public object Next()
    {
        var current = Current;
        _at = (_at + 1) % items.Count;
        return current;
    }

    public void Reset() => _at = 0;
}
