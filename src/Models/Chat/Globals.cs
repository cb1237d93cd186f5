using System.Globalization;
using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>Functions that every template can call.</summary>
internal static class Globals
{
    public static Dictionary<string, object> Of(Python python, DateTime now)
    {
        FunctionValue[] all =
        [
            new("range", Range),
            new("dict", given => Dict(python, "dict", given)),
            new("namespace", given => new NamespaceValue(Dict(python, "namespace", given))),
            new("cycler", Cycler),
            new("joiner", given => Joiner(given.Bind("joiner", 0, "sep")[0] ?? ", ")),
            Attributes.Function(
                "raise_exception",
                1,
                given => throw new JinjaFault(FaultKind.Raised, python.Text(given[0]!)),
                "message"
            ),
            Attributes.Function(
                "strftime_now",
                1,
                given =>
                    Python.AsText(given[0]!) is { } format
                        ? TimeText.Format(now, format)
                        : throw JinjaFault.Type($"strftime() argument 1 must be str, not {Python.TypeOf(given[0]!)}"),
                "format"
            ),
        ];
        return all.ToDictionary(f => f.Name, f => (object)f, StringComparer.Ordinal);
    }

    private static object Range(Arguments given)
    {
        if (given.Names.Count > 0 || given.Places.Count is 0 or > 3)
            throw JinjaFault.Type($"range expected 1 to 3 arguments, got {given.Places.Count}");
        var numbers = given
            .Places.Select(p =>
                p is Undefined nothing
                    ? throw nothing.Fault()
                    : Python.AsInteger(p)
                        ?? throw JinjaFault.Type($"'{Python.TypeOf(p)}' object cannot be interpreted as an integer")
            )
            .ToList();
        var (start, stop) = numbers.Count == 1 ? (BigInteger.Zero, numbers[0]) : (numbers[0], numbers[1]);
        var step = numbers.Count == 3 ? numbers[2] : BigInteger.One;
        return step.IsZero
            ? throw JinjaFault.Type("range() arg 3 must not be zero")
            : new RangeValue(start, stop, step);
    }

    private static DictValue Dict(Python python, string name, Arguments given)
    {
        if (given.Places.Count > 1)
            throw JinjaFault.Type($"{name} expected at most 1 argument, got {given.Places.Count}");
        var dict = python.NewDict();
        if (given.Places is [DictValue source])
            dict = python.NewDict(source.Entries);
        else if (given.Places is [var pairs])
            foreach (var pair in python.Iterate(pairs))
            {
                var both = python.ItemsOf(pair);
                if (both.Count != 2)
                    throw JinjaFault.Type(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"dictionary update sequence element #{dict.Count} has length {both.Count}; 2 is required"
                        )
                    );
                dict[both[0]] = both[1];
            }
        foreach (var (key, value) in given.Names)
            dict[key] = value;
        return dict;
    }

    private static CyclerValue Cycler(Arguments given) =>
        given.Places.Count > 0
            ? new CyclerValue(given.Places)
            : throw JinjaFault.Type("at least one item has to be provided");

    private static FunctionValue Joiner(object separator)
    {
        var used = false;
        return new FunctionValue(
            "joiner",
            _ =>
            {
                if (used)
                    return separator;
                used = true;
                return "";
            }
        );
    }
}
