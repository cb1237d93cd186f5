using System.Numerics;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Filters over the values of a list.</summary>
internal static class ListFilters
{
    public static object First(Evaluator e, object value, Arguments given) =>
        e.Python.Iterate(value).FirstOrDefault() ?? new Undefined("No first item, sequence was empty.");

    public static object Last(Evaluator e, object value, Arguments given) =>
        value is Stream or LoopState
            ? throw JinjaFault.Type($"'{Python.TypeOf(value)}' object is not reversible")
            : e.Python.Iterate(value).LastOrDefault() ?? new Undefined("No last item, sequence was empty.");

    public static object Join(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("join", 0, "d", "attribute");
        var between = bound[0] is null ? "" : e.Python.Text(bound[0]!);
        var made = new StringBuilder();
        var first = true;
        foreach (var item in e.Python.Iterate(value))
        {
            var part = bound[1] is { } path and not None ? e.Attributes.Path(item, path) : item;
            made.Append(first ? "" : between).Append(e.Python.Text(part));
            first = false;
            e.Python.Budget.Spend();
            if (made.Length > Budget.Characters)
                e.Python.Budget.Text(made.Length);
        }
        return made.ToString();
    }

    public static object Reverse(Evaluator e, object value, Arguments given)
    {
        if (Python.AsText(value) is { } text)
            return value is Markup ? new Markup(PythonText.Reverse(text)) : PythonText.Reverse(text);
        var items = e.Python.ItemsOf(value);
        items.Reverse();
        return value is Stream ? new ListValue(items) : new Stream($"{Python.TypeOf(value)}_reverseiterator", items);
    }

    public static object Items(Evaluator e, object value, Arguments given) =>
        value switch
        {
            Undefined => new Stream("generator", []),
            DictValue dict => new Stream("generator", Attributes.Pairs(dict)),
            _ => throw JinjaFault.Type("Can only get item pairs from a mapping."),
        };

    public static object Sort(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("sort", 0, "reverse", "case_sensitive", "attribute");
        var (reverse, exact) = (Set(e, bound[0]), Set(e, bound[1]));
        // Several attributes with commas between are compared one after the other.
        object[] paths =
            bound[2] is not { } path || path is None ? []
            : Python.AsText(path) is { } text ? text.Split(',')
            : [path];
        return new ListValue(
            Sorted(
                e,
                e.Python.ItemsOf(value),
                item => new ListValue(
                    paths.Length == 0
                        ? [Folded(item, exact)]
                        : [.. paths.Select(p => Folded(e.Attributes.Path(item, p), exact))]
                ),
                reverse
            )
        );
    }

    public static object DictSort(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("dictsort", 0, "case_sensitive", "by", "reverse");
        var by = bound[1] is null ? "key" : e.Python.Text(bound[1]!);
        if (by is not ("key" or "value"))
            throw JinjaFault.Type("You can only sort by either \"key\" or \"value\"");
        if (value is not DictValue dict)
            throw JinjaFault.Type($"'{Python.TypeOf(value)}' object has no attribute 'items'");
        return new ListValue(
            Sorted(
                e,
                [.. Attributes.Pairs(dict)],
                pair => Folded(((TupleValue)pair).Items[by == "key" ? 0 : 1], Set(e, bound[0])),
                Set(e, bound[2])
            )
        );
    }

    public static object Unique(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("unique", 0, "case_sensitive", "attribute");
        return new Stream("generator", Fresh());

        IEnumerable<object> Fresh()
        {
            var seen = new HashSet<object>(e.Python);
            foreach (var item in e.Python.Iterate(value))
                if (seen.Add(Folded(At(e, item, bound[1]), Set(e, bound[0]))))
                    yield return item;
        }
    }

    /// <param name="e">Runs the template.</param>
    /// <param name="value">The items.</param>
    /// <param name="given">Arguments.</param>
    /// <param name="sign">1 for the largest, -1 for the smallest.</param>
    public static object Extreme(Evaluator e, object value, Arguments given, int sign)
    {
        var bound = given.Bind(sign > 0 ? "max" : "min", 0, "case_sensitive", "attribute");
        object? best = null,
            bestKey = null;
        foreach (var item in e.Python.Iterate(value))
        {
            e.Python.Budget.Spend();
            var key = Folded(At(e, item, bound[1]), Set(e, bound[0]));
            if (bestKey is null || e.Python.Order(key, bestKey) * sign > 0)
                (best, bestKey) = (item, key);
        }
        return best ?? new Undefined("No aggregated item, sequence was empty.");
    }

    public static object Sum(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("sum", 0, "attribute", "start");
        var sum = bound[1] ?? BigInteger.Zero;
        if (Python.AsText(sum) is not null)
            throw JinjaFault.Type("sum() can't sum strings [use ''.join(seq) instead]");
        foreach (var item in e.Python.Iterate(value))
            sum = e.Python.Calculate("+", sum, At(e, item, bound[0]));
        return sum;
    }

    public static object Batch(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("batch", 1, "linecount", "fill_with");
        var size = TextFilters.Whole(bound[0], 1);
        return new Stream("generator", Batches());

        IEnumerable<object> Batches()
        {
            var batch = new List<object>();
            foreach (var item in e.Python.Iterate(value))
            {
                if (batch.Count == size)
                {
                    yield return new ListValue(batch);
                    batch = [];
                }
                batch.Add(item);
                e.Python.Budget.Spend();
            }
            if (batch.Count == 0)
                yield break;
            var missing = size - batch.Count;
            if (bound[1] is { } fill and not None && missing > 0)
            {
                e.Python.Budget.List(missing);
                batch.AddRange(Enumerable.Repeat(fill, missing));
            }
            yield return new ListValue(batch);
        }
    }

    public static object Slice(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("slice", 1, "slices", "fill_with");
        var count = TextFilters.Whole(bound[0], 1);
        if (count == 0)
            throw JinjaFault.Type("integer division or modulo by zero");
        return new Stream("generator", Slices());

        IEnumerable<object> Slices()
        {
            var items = e.Python.ItemsOf(value);
            var (each, longer) = (items.Count / count, items.Count % count);
            for (int i = 0, at = 0; i < count; i++)
            {
                e.Python.Budget.Spend();
                var length = each + (i < longer ? 1 : 0);
                var slice = items.GetRange(at, length);
                at += length;
                if (bound[1] is { } fill and not None && i >= longer)
                    slice.Add(fill);
                yield return new ListValue(slice);
            }
        }
    }

    public static object GroupBy(Evaluator e, object value, Arguments given)
    {
        var bound = given.Bind("groupby", 1, "attribute", "default", "case_sensitive");
        object Name(object item) => e.Attributes.Path(item, bound[0]!, bound[1] is None ? null : bound[1]);
        object Key(object item) => Folded(Name(item), Set(e, bound[2]));
        var groups = new List<(object Key, object Name, List<object> Items)>();
        foreach (var item in Sorted(e, e.Python.ItemsOf(value), Key, false))
            if (groups.Count > 0 && e.Python.Equal(groups[^1].Key, Key(item)))
                groups[^1].Items.Add(item);
            else
                groups.Add((Key(item), Name(item), [item]));
        return new ListValue([
            .. groups.Select(g => new TupleValue([g.Name, new ListValue(g.Items)], "grouper", "list")),
        ]);
    }

    private static bool Set(Evaluator e, object? flag) => flag is not null && Python.Truth(flag);

    private static object At(Evaluator e, object item, object? path) =>
        path is null or None ? item : e.Attributes.Path(item, path);

    private static object Folded(object value, bool exact) =>
        !exact && Python.AsText(value) is { } text ? PythonText.Lower(text) : value;

    private static List<object> Sorted(Evaluator e, List<object> items, Func<object, object> key, bool reverse)
    {
        var order = Comparer<object>.Create(
            (a, b) =>
            {
                e.Python.Budget.Spend();
                return e.Python.Order(a, b) ?? 0;
            }
        );
        try
        {
            return reverse ? [.. items.OrderByDescending(key, order)] : [.. items.OrderBy(key, order)];
        }
        catch (InvalidOperationException x) when (x.InnerException is JinjaFault fault)
        {
            throw fault;
        }
    }
}
