using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>Runs the statements of a template.</summary>
internal sealed partial class Evaluator
{
    private readonly IReadOnlyDictionary<string, object> _context;
    private readonly Dictionary<string, object> _globals;
    private readonly Frame _root = new(null);

    /// <param name="context">Names the template is given.</param>
    /// <param name="now">What <c>strftime_now</c> reads.</param>
    public Evaluator(Func<Python, IReadOnlyDictionary<string, object>> context, DateTime now)
    {
        Python = new Python(new Budget());
        Attributes = new Attributes(Python);
        _context = context(Python);
        _globals = Globals.Of(Python, now);
    }

    public Python Python { get; }

    public Attributes Attributes { get; }

    private Budget Budget => Python.Budget;

    private enum Flow
    {
        On,
        Break,
        Continue,
    }

    /// <summary>The text a template gives.</summary>
    public string Run(IReadOnlyList<Statement> template)
    {
        var made = new StringBuilder();
        Execute(template, _root, made);
        return made.ToString();
    }

    private Flow Execute(IReadOnlyList<Statement> body, Frame frame, StringBuilder made)
    {
        foreach (var statement in body)
        {
            Budget.Enter();
            Flow flow;
            try
            {
                flow = Execute(statement, frame, made);
            }
            catch (JinjaFault e) when (e.Line == 0)
            {
                e.Line = statement.Line;
                throw;
            }
            Budget.Leave();
            if (flow != Flow.On)
                return flow;
        }
        return Flow.On;
    }

    private Flow Execute(Statement statement, Frame frame, StringBuilder made)
    {
        switch (statement)
        {
            case TextStatement text:
                Write(made, text.Text);
                return Flow.On;
            case PrintStatement print:
                Write(made, Python.Text(Evaluate(print.Value, frame)));
                return Flow.On;
            case IfStatement choice:
                return Choose(choice, frame, made);
            case ForStatement loop:
                return Loop(loop, Evaluate(loop.Over, frame), frame, made, 1);
            case BreakStatement:
                return Flow.Break;
            case ContinueStatement:
                return Flow.Continue;
            case SetStatement set:
                Assign(set.Target, Evaluate(set.Value, frame), frame);
                return Flow.On;
            case WithStatement with:
                return With(with, frame, made);
            case ScopeStatement scope:
                return Execute(scope.Body, new Frame(scope.Isolated ? _root : frame), made);
            case FilterStatement filter:
                return Filtered(filter, frame, made);
            default:
                Define(statement, frame, made);
                return Flow.On;
        }
    }

    private void Define(Statement statement, Frame frame, StringBuilder made)
    {
        switch (statement)
        {
            case SetBlockStatement block:
                var inner = new StringBuilder();
                Execute(block.Body, new Frame(frame), inner);
                object text = inner.ToString();
                Assign(block.Target, block.Filter is { } f ? Filtered(f, text, frame) : text, frame);
                break;
            case MacroStatement macro:
                frame.Names[macro.Name] = Macro(macro, frame);
                break;
            case CallStatement call:
                var given = Given(call.Call.Given, frame);
                var names = given.Names.Append(new("caller", Macro(call.Body, frame)));
                var function = Evaluate(call.Call.Function, frame);
                var all = new Arguments(given.Places, names.ToDictionary(n => n.Key, n => n.Value));
                Write(made, Python.Text(Call(function, all)));
                break;
            case RefusedStatement refused:
                throw JinjaFault.Unsupported($"the tag '{refused.Tag}'");
            default:
                throw new InvalidOperationException($"No rule for {statement.GetType().Name}.");
        }
    }

    private void Write(StringBuilder made, string text)
    {
        if (made.Length + text.Length > Budget.Characters)
            Budget.Text((long)made.Length + text.Length);
        Budget.Spend(text.Length / 8);
        made.Append(text);
    }

    private Flow Choose(IfStatement choice, Frame frame, StringBuilder made)
    {
        foreach (var (test, body) in choice.Branches)
            if (Python.Truth(Evaluate(test, frame)))
                return Execute(body, frame, made);
        return Execute(choice.Else, frame, made);
    }

    private Flow With(WithStatement with, Frame frame, StringBuilder made)
    {
        var inner = new Frame(frame);
        foreach (var (target, value) in with.Values)
            Assign(target, Evaluate(value, frame), inner);
        return Execute(with.Body, inner, made);
    }

    private Flow Filtered(FilterStatement statement, Frame frame, StringBuilder made)
    {
        var inner = new StringBuilder();
        var own = new Frame(frame);
        var flow = Execute(statement.Body, own, inner);
        if (flow == Flow.On)
            Write(made, Python.Text(Filtered(statement.Filter, inner.ToString(), own)));
        return flow;
    }

    private Flow Loop(ForStatement loop, object over, Frame frame, StringBuilder made, int depth)
    {
        Budget.Enter();
        var items = Python.Iterate(over);
        if (loop.Test is { } test)
            items = Passing(loop.Target, test, items, frame);
        var state = new LoopState(
            Python,
            items,
            loop.Test is null ? Python.LengthOf(over) : null,
            depth,
            loop.Recursive ? other => Again(loop, other, frame, depth + 1) : null
        );
        while (state.Next() is { } item)
        {
            Budget.Spend();
            var own = new Frame(frame);
            own.Names["loop"] = state;
            Assign(loop.Target, item, own);
            if (Execute(loop.Body, own, made) == Flow.Break)
                break;
        }
        var flow = state.Index == 0 ? Execute(loop.Else, new Frame(frame), made) : Flow.On;
        Budget.Leave();
        return flow;
    }

    private string Again(ForStatement loop, object over, Frame frame, int depth)
    {
        var made = new StringBuilder();
        Loop(loop, over, frame, made, depth);
        return Budget.Made(made.ToString());
    }

    private IEnumerable<object> Passing(Target target, Expression test, IEnumerable<object> items, Frame frame)
    {
        foreach (var item in items)
        {
            var own = new Frame(frame);
            Assign(target, item, own);
            if (Python.Truth(Evaluate(test, own)))
                yield return item;
        }
    }

    private void Assign(Target target, object value, Frame frame)
    {
        switch (target)
        {
            case NameTarget name:
                frame.Names[name.Name] = value;
                break;
            case MemberTarget member:
                if (Look(member.Name, frame) is not NamespaceValue space)
                    throw JinjaFault.Type("cannot assign attribute on non-namespace object");
                space.Names[member.Member] = value;
                break;
            case TupleTarget tuple:
                var items = Python.ItemsOf(value);
                if (items.Count != tuple.Items.Count)
                    throw JinjaFault.Type(
                        items.Count > tuple.Items.Count
                            ? $"too many values to unpack (expected {tuple.Items.Count})"
                            : $"not enough values to unpack (expected {tuple.Items.Count}, got {items.Count})"
                    );
                foreach (var (part, item) in tuple.Items.Zip(items))
                    Assign(part, item, frame);
                break;
        }
    }

    private object Look(string name, Frame frame)
    {
        for (var at = frame; at is not null; at = at.Parent)
            if (at.Names.TryGetValue(name, out var value))
                return value;
        return _context.TryGetValue(name, out var given) || _globals.TryGetValue(name, out given) ? given
            : name is "self" or "super" or "lipsum" ? throw JinjaFault.Unsupported($"'{name}'")
            : Undefined.Name(name);
    }

    /// <summary>Names that are seen here: those of this part of the template, then those around it.</summary>
    private sealed class Frame(Frame? parent)
    {
        public Frame? Parent { get; } = parent;

        public Dictionary<string, object> Names { get; } = new(StringComparer.Ordinal);
    }
}
