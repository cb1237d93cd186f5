using System.Numerics;

namespace EditUnlearn.Models.Chat;

/// <summary>What can follow <c>is</c>.</summary>
internal static class Tests
{
    /// <summary>A test.</summary>
    public delegate bool Test(Evaluator evaluator, object value, Arguments given);

    private static readonly Dictionary<string, Test> All = new(StringComparer.Ordinal)
    {
        ["defined"] = Plain(v => v is not Undefined),
        ["undefined"] = Plain(v => v is Undefined),
        ["none"] = Plain(v => v is None),
        ["boolean"] = Plain(v => v is bool),
        ["true"] = Plain(v => v is true),
        ["false"] = Plain(v => v is false),
        ["integer"] = Plain(v => v is BigInteger),
        ["float"] = Plain(v => v is double),
        ["number"] = Plain(v => v is bool or BigInteger or double),
        ["string"] = Plain(v => v is string or Markup),
        ["escaped"] = Plain(v => v is Markup),
        ["mapping"] = Plain(v => v is DictValue),
        ["sequence"] = Plain(v => v is string or Markup or Sequence or DictValue or RangeValue or Undefined),
        ["iterable"] = (e, v, _) => v is LoopState || e.Python.TryIterate(v) is not null,
        ["callable"] = Plain(v => v is FunctionValue or LoopState or Undefined),
        ["lower"] = (e, v, _) => TextMethods.IsLower(e.Python.Text(v)),
        ["upper"] = (e, v, _) => TextMethods.IsUpper(e.Python.Text(v)),
        ["even"] = (e, v, _) => Rest(e, v, new BigInteger(2)),
        ["odd"] = (e, v, _) => e.Python.Equal(e.Python.Calculate("%", v, new BigInteger(2)), BigInteger.One),
        ["divisibleby"] = (e, v, given) => Rest(e, v, given.Bind("divisibleby", 1, "num")[0]!),
        ["sameas"] = (e, v, given) => Same(e, v, given.Bind("sameas", 1, "other")[0]!),
        ["in"] = (e, v, given) => e.Python.Contains(given.Bind("in", 1, "seq")[0]!, v),
        ["filter"] = (_, v, _) => FilterTable.Find(Python.AsText(v) ?? "") is not null,
        ["test"] = (_, v, _) => Knows(Python.AsText(v) ?? ""),
        ["eq"] = Sign("=="),
        ["equalto"] = Sign("=="),
        ["=="] = Sign("=="),
        ["ne"] = Sign("!="),
        ["!="] = Sign("!="),
        ["lt"] = Sign("<"),
        ["lessthan"] = Sign("<"),
        ["<"] = Sign("<"),
        ["le"] = Sign("<="),
        ["<="] = Sign("<="),
        ["gt"] = Sign(">"),
        ["greaterthan"] = Sign(">"),
        [">"] = Sign(">"),
        ["ge"] = Sign(">="),
        [">="] = Sign(">="),
    };

    public static bool Knows(string name) => All.ContainsKey(name);

    public static Test? Find(string name) => All.GetValueOrDefault(name);

    private static Test Plain(Func<object, bool> test) =>
        (_, value, given) =>
        {
            given.Bind("test", 0);
            return test(value);
        };

    private static Test Sign(string sign) =>
        (e, value, given) => e.Python.Compare(sign, value, given.Bind(sign, 1, "other")[0]!);

    private static bool Rest(Evaluator e, object value, object by) =>
        e.Python.Equal(e.Python.Calculate("%", value, by), BigInteger.Zero);

    // Python tells objects apart; what is equal and of one type is one object here, but for lists and dicts.
    private static bool Same(Evaluator e, object a, object b) =>
        ReferenceEquals(a, b)
        || (a.GetType() == b.GetType() && a is bool or BigInteger or double or string && e.Python.Equal(a, b));
}
