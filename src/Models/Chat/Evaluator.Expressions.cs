using System.Text;

namespace EditUnlearn.Models.Chat;

internal sealed partial class Evaluator
{
    private object Evaluate(Expression expression, Frame frame)
    {
        Budget.Enter();
        object value;
        try
        {
            value = Value(expression, frame);
        }
        catch (JinjaFault e) when (e.Line == 0)
        {
            e.Line = expression.Line;
            throw;
        }
        Budget.Leave();
        return value;
    }

    private object Value(Expression expression, Frame frame) =>
        expression switch
        {
            Constant c => c.Value,
            NameExpression n => Look(n.Name, frame),
            ListExpression l => new ListValue([.. l.Items.Select(i => Evaluate(i, frame))]),
            TupleExpression t => new TupleValue([.. t.Items.Select(i => Evaluate(i, frame))]),
            DictExpression d => Python.NewDict(
                d.Items.Select(e => KeyValuePair.Create(Evaluate(e.Key, frame), Evaluate(e.Value, frame)))
            ),
            AttributeExpression a => Attributes.Attribute(Evaluate(a.Of, frame), a.Name),
            ItemExpression i => Attributes.Item(Evaluate(i.Of, frame), Evaluate(i.Key, frame)),
            SliceExpression s => new SliceValue(Part(s.Start, frame), Part(s.Stop, frame), Part(s.Step, frame)),
            CallExpression c => Call(Evaluate(c.Function, frame), Given(c.Given, frame)),
            FilterExpression f => Filtered(f, null, frame),
            TestExpression t => Test(t.Name, Evaluate(t.Of, frame), Given(t.Given, frame)),
            UnaryExpression { Operator: "not" } u => !Python.Truth(Evaluate(u.Of, frame)),
            UnaryExpression u => Python.Negate(u.Operator, Evaluate(u.Of, frame)),
            BinaryExpression b => Binary(b, frame),
            ConcatExpression c => Concat(c, frame),
            CompareExpression c => Compare(c, frame),
            ConditionalExpression c => Python.Truth(Evaluate(c.Test, frame)) ? Evaluate(c.Then, frame)
            : c.Else is { } other ? Evaluate(other, frame)
            : new Undefined(
                $"the inline if-expression on line {c.Line} evaluated to false and no else section was defined."
            ),
            _ => throw new InvalidOperationException($"No rule for {expression.GetType().Name}."),
        };

    private object Part(Expression? part, Frame frame) => part is null ? None.Value : Evaluate(part, frame);

    private object Binary(BinaryExpression b, Frame frame)
    {
        var left = Evaluate(b.Left, frame);
        return b.Operator switch
        {
            "and" => Python.Truth(left) ? Evaluate(b.Right, frame) : left,
            "or" => Python.Truth(left) ? left : Evaluate(b.Right, frame),
            _ => Python.Calculate(b.Operator, left, Evaluate(b.Right, frame)),
        };
    }

    private string Concat(ConcatExpression c, Frame frame)
    {
        var made = new StringBuilder();
        foreach (var item in c.Items)
        {
            made.Append(Python.Text(Evaluate(item, frame)));
            if (made.Length > Budget.Characters)
                Budget.Text(made.Length);
        }
        return Budget.Made(made.ToString());
    }

    private object Compare(CompareExpression c, Frame frame)
    {
        var left = Evaluate(c.First, frame);
        foreach (var (sign, expression) in c.Rest)
        {
            var right = Evaluate(expression, frame);
            if (!Python.Compare(sign, left, right))
                return false;
            left = right;
        }
        return true;
    }

    private Arguments Given(CallArguments given, Frame frame)
    {
        var places = given.Places.Select(p => Evaluate(p, frame)).ToList();
        if (given.MorePlaces is { } more)
            places.AddRange(Python.ItemsOf(Evaluate(more, frame)));
        var names = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var (name, value) in given.Names)
            names[name] = Evaluate(value, frame);
        if (given.MoreNames is not { } others)
            return new Arguments(places, names);
        if (Evaluate(others, frame) is not DictValue dict)
            throw JinjaFault.Type("argument after ** must be a mapping");
        foreach (var (key, value) in dict.Entries)
            if (!names.TryAdd(Python.AsText(key) ?? throw JinjaFault.Type("keywords must be strings"), value))
                throw JinjaFault.Type($"got multiple values for keyword argument '{Python.Text(key)}'");
        return new Arguments(places, names);
    }

    private static object Call(object function, Arguments given) =>
        function switch
        {
            FunctionValue f => f.Call(given),
            LoopState loop => loop.Again(given),
            Undefined nothing => throw nothing.Fault(),
            _ => throw JinjaFault.Type($"'{Python.TypeOf(function)}' object is not callable"),
        };

    /// <summary>A filter by name.</summary>
    public object Filter(string name, object value, Arguments given)
    {
        Budget.Spend(1 + (Python.AsText(value)?.Length ?? 0) / 8);
        var filter = FilterTable.Find(name) ?? throw FilterTable.Unknown(name, 0);
        return filter(this, value, given) is var made && made is string text ? Budget.Made(text) : made;
    }

    /// <summary>A test by name.</summary>
    public bool Test(string name, object value, Arguments given) =>
        (Tests.Find(name) ?? throw new JinjaFault(FaultKind.Syntax, $"No test named '{name}'."))(this, value, given);

    // Of a filter in the head of a block, the innermost filters the block's text.
    private object Filtered(Expression filter, object? text, Frame frame)
    {
        var f = (FilterExpression)filter;
        var value =
            f.Of is null ? text!
            : text is null ? Evaluate(f.Of, frame)
            : Filtered(f.Of, text, frame);
        return Filter(f.Name, value, Given(f.Given, frame));
    }

    private FunctionValue Macro(MacroStatement macro, Frame around)
    {
        var parameters = macro.Parameters.Select(p => p.Name).ToList();
        return new FunctionValue(macro.Name, given => Expand(macro, given, around))
        {
            IsMacro = true,
            Attributes = new Dictionary<string, object>
            {
                ["name"] = macro.Name,
                ["arguments"] = new TupleValue([.. parameters]),
                ["catch_varargs"] = macro.Names.Contains("varargs"),
                ["catch_kwargs"] = macro.Names.Contains("kwargs"),
                ["caller"] = macro.Names.Contains("caller"),
            },
        };
    }

    private string Expand(MacroStatement macro, Arguments given, Frame around)
    {
        Budget.Enter();
        var frame = new Frame(around);
        var names = new Dictionary<string, object>(given.Names, StringComparer.Ordinal);
        Special(macro, given, names, frame);
        foreach (var (i, (name, otherwise)) in macro.Parameters.Index())
            frame.Names[name] =
                i < given.Places.Count ? given.Places[i]
                : given.Names.TryGetValue(name, out var value) ? value
                : otherwise is not null ? Evaluate(otherwise, frame)
                : new Undefined($"parameter '{name}' was not provided");
        var made = new StringBuilder();
        Execute(macro.Body, frame, made);
        Budget.Leave();
        return Budget.Made(made.ToString());
    }

    // What a macro gets beyond its parameters.
    private void Special(MacroStatement macro, Arguments given, Dictionary<string, object> names, Frame frame)
    {
        foreach (var (name, _) in macro.Parameters.Skip(given.Places.Count))
            names.Remove(name);
        if (macro.Names.Contains("caller"))
            frame.Names["caller"] = names.Remove("caller", out var caller)
                ? caller
                : new Undefined("No caller defined");
        if (macro.Names.Contains("kwargs"))
            frame.Names["kwargs"] = Python.NewDict(names.Select(n => KeyValuePair.Create((object)n.Key, n.Value)));
        else if (names.Count > 0)
            throw JinjaFault.Type($"macro '{macro.Name}' takes no keyword argument '{names.First().Key}'");
        if (macro.Names.Contains("varargs"))
            frame.Names["varargs"] = new TupleValue([.. given.Places.Skip(macro.Parameters.Count)]);
        else if (given.Places.Count > macro.Parameters.Count)
            throw JinjaFault.Type($"macro '{macro.Name}' takes not more than {macro.Parameters.Count} argument(s)");
    }
}
