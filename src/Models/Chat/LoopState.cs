using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>The variable <c>loop</c>. It looks ahead only where it is asked to.</summary>
/// <param name="python">Rules and budget.</param>
/// <param name="items">What is gone through.</param>
/// <param name="known">How many they are, where that is known.</param>
/// <param name="depth">From 1; loops that call themselves go down.</param>
/// <param name="again">Runs the loop over other items; null for a loop that is not recursive.</param>
internal sealed class LoopState(
    Python python,
    IEnumerable<object> items,
    int? known,
    int depth,
    Func<object, string>? again
)
{
    private IEnumerator<object> _items = items.GetEnumerator();
    private object? _before,
        _current,
        _after;
    private ListValue? _changed;
    private int? _length = known;

    /// <summary>Of the current item, from 1; 0 before the first.</summary>
    public int Index { get; private set; }

    /// <summary>Of all items; reads the rest of them where that is not known.</summary>
    public int Length
    {
        get
        {
            if (_length is { } length)
                return length;
            var rest = new List<object>();
            while (_items.MoveNext())
            {
                rest.Add(_items.Current);
                python.Budget.List(0);
            }
            _items = rest.GetEnumerator();
            _length = rest.Count + Index + (_after is null ? 0 : 1);
            return _length.Value;
        }
    }

    /// <summary>Goes on; null at the end.</summary>
    public object? Next()
    {
        var next = Peek();
        _after = null;
        if (next is null)
            return null;
        Index++;
        _before = _current;
        return _current = next;
    }

    /// <summary>The loop over other items, as text.</summary>
    public string Again(Arguments given) =>
        again is null
            ? throw JinjaFault.Type("The loop must have the 'recursive' marker to be called recursively.")
            : again(given.Bind("loop", 1, "iterable")[0]!);

    public object? Attribute(string name) =>
        name switch
        {
            "index" => (BigInteger)Index,
            "index0" => (BigInteger)(Index - 1),
            "revindex" => (BigInteger)(Length - Index + 1),
            "revindex0" => (BigInteger)(Length - Index),
            "first" => Index == 1,
            "last" => Peek() is null,
            "length" => (BigInteger)Length,
            "depth" => (BigInteger)depth,
            "depth0" => (BigInteger)(depth - 1),
            "previtem" => _before ?? new Undefined("there is no previous item"),
            "nextitem" => Peek() ?? new Undefined("there is no next item"),
            "cycle" => new FunctionValue(
                name,
                given =>
                    given.Places.Count > 0
                        ? given.Places[(Index - 1) % given.Places.Count]
                        : throw JinjaFault.Type("no items for cycling given")
            ),
            "changed" => new FunctionValue(name, given => Changed(new ListValue(given.Places))),
            _ => null,
        };

    private object? Peek() => _after ??= _items.MoveNext() ? _items.Current : null;

    private object Changed(ListValue now)
    {
        var changed = _changed is null || !python.Equal(_changed, now);
        _changed = now;
        return changed;
    }
}
