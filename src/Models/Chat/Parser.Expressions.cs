namespace EditUnlearn.Models.Chat;

internal sealed partial class Parser
{
    private bool TupleEnds(string? end) =>
        Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd
        || IsOperator(")")
        || (end is not null && (IsName(end) || IsOperator(end)));

    // One expression, or several with commas between: a tuple.
    private Expression Tuple(bool conditional = true, string? end = null, bool parenthesised = false)
    {
        var line = Current.Line;
        var items = new List<Expression>();
        var many = false;
        while (true)
        {
            if (items.Count > 0)
                Expect(TokenKind.Operator, ",");
            if (TupleEnds(end))
                break;
            items.Add(conditional ? Conditional() : Or());
            if (!IsOperator(","))
                break;
            many = true;
        }
        if (many || (items.Count == 0 && parenthesised))
            return new TupleExpression(items, line);
        return items.Count > 0 ? items[0] : throw Fault($"Expected an expression, got '{Current}'");
    }

    private Expression Conditional()
    {
        Down();
        var line = Current.Line;
        var from = _unknown.Count;
        var value = Or();
        while (SkipName("if"))
        {
            var test = Or();
            var other = SkipName("else") ? Conditional() : null;
            value = new ConditionalExpression(test, value, other, line);
            Forgive(from);
            line = Current.Line;
        }
        _depth--;
        return value;
    }

    private Expression Or()
    {
        var left = And();
        for (var line = Current.Line; SkipName("or"); line = Current.Line)
            left = new BinaryExpression("or", left, And(), line);
        return left;
    }

    private Expression And()
    {
        var left = Not();
        for (var line = Current.Line; SkipName("and"); line = Current.Line)
            left = new BinaryExpression("and", left, Not(), line);
        return left;
    }

    private Expression Not()
    {
        if (!IsName("not"))
            return Compare();
        Down();
        var line = Next().Line;
        var not = new UnaryExpression("not", Not(), line);
        _depth--;
        return not;
    }

    private Expression Compare()
    {
        var line = Current.Line;
        var first = Sum();
        var rest = new List<(string, Expression)>();
        while (true)
        {
            if (Current.Kind == TokenKind.Operator && Current.Value is "==" or "!=" or "<" or "<=" or ">" or ">=")
                rest.Add((Next().Value, Sum()));
            else if (SkipName("in"))
                rest.Add(("in", Sum()));
            else if (IsName("not") && Ahead.Is(TokenKind.Name, "in"))
            {
                _at += 2;
                rest.Add(("not in", Sum()));
            }
            else
                return rest.Count > 0 ? new CompareExpression(first, rest, line) : first;
        }
    }

    private Expression Sum()
    {
        var left = Concat();
        while (IsOperator("+") || IsOperator("-"))
        {
            var sign = Next();
            left = new BinaryExpression(sign.Value, left, Concat(), sign.Line);
        }
        return left;
    }

    private Expression Concat()
    {
        var line = Current.Line;
        var items = new List<Expression> { Product() };
        while (SkipOperator("~"))
            items.Add(Product());
        return items.Count > 1 ? new ConcatExpression(items, line) : items[0];
    }

    private Expression Product()
    {
        var left = Power();
        while (Current.Kind == TokenKind.Operator && Current.Value is "*" or "/" or "//" or "%")
        {
            var sign = Next();
            left = new BinaryExpression(sign.Value, left, Power(), sign.Line);
        }
        return left;
    }

    private Expression Power()
    {
        var left = Unary();
        while (IsOperator("**"))
        {
            var line = Next().Line;
            left = new BinaryExpression("**", left, Unary(), line);
        }
        return left;
    }

    private Expression Unary(bool filters = true)
    {
        Down();
        Expression value;
        if (IsOperator("-") || IsOperator("+"))
        {
            var sign = Next();
            value = new UnaryExpression(sign.Value, Unary(filters: false), sign.Line);
        }
        else
            value = Primary();
        value = Postfix(value);
        if (filters)
            value = FiltersAndTests(value);
        _depth--;
        return value;
    }

    private Expression Primary()
    {
        var token = Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return NameOrConstant(token);
            case TokenKind.Text:
                var text = token.Value;
                while (Current.Kind == TokenKind.Text)
                    text += Next().Value;
                return new Constant(text, token.Line);
            case TokenKind.Integer or TokenKind.Float:
                return new Constant(token.Number!, token.Line);
            case TokenKind.Operator when token.Value == "(":
                var tuple = Tuple(parenthesised: true);
                Expect(TokenKind.Operator, ")");
                return tuple;
            case TokenKind.Operator when token.Value == "[":
                return new ListExpression(Items("]", Conditional), token.Line);
            case TokenKind.Operator when token.Value == "{":
                return new DictExpression(Items("}", Entry), token.Line);
            default:
                throw Fault(
                    token.Kind == TokenKind.End
                        ? "unexpected end of template, expected an expression."
                        : $"unexpected '{token}'",
                    token.Line
                );
        }
    }

    private Expression NameOrConstant(Token token)
    {
        switch (token.Value)
        {
            case "true" or "True":
                return new Constant(true, token.Line);
            case "false" or "False":
                return new Constant(false, token.Line);
            case "none" or "None":
                return new Constant(None.Value, token.Line);
            default:
                See(token.Value);
                return new NameExpression(token.Value, token.Line);
        }
    }

    private (Expression, Expression) Entry()
    {
        var key = Conditional();
        Expect(TokenKind.Operator, ":");
        return (key, Conditional());
    }

    private List<T> Items<T>(string end, Func<T> item)
    {
        var items = new List<T>();
        while (!IsOperator(end))
        {
            if (items.Count > 0)
                Expect(TokenKind.Operator, ",");
            if (IsOperator(end))
                break;
            items.Add(item());
        }
        Expect(TokenKind.Operator, end);
        return items;
    }

    private Expression Postfix(Expression value)
    {
        for (var from = _depth; ; Down())
            if (IsOperator(".") || IsOperator("["))
                value = Subscript(value);
            else if (IsOperator("("))
                value = CallOf(value);
            else
            {
                _depth = from;
                return value;
            }
    }

    private Expression FiltersAndTests(Expression value)
    {
        for (var from = _depth; ; Down())
            if (IsOperator("|"))
                value = Filters(value, inline: false)!;
            else if (IsName("is"))
                value = Test(value);
            else if (IsOperator("("))
                value = CallOf(value);
            else
            {
                _depth = from;
                return value;
            }
    }

    private Expression Subscript(Expression value)
    {
        var open = Next();
        if (open.Value == ".")
        {
            var name = Next();
            return name.Kind switch
            {
                TokenKind.Name => new AttributeExpression(value, name.Value, name.Line),
                TokenKind.Integer => new ItemExpression(value, new Constant(name.Number!, name.Line), name.Line),
                _ => throw Fault("expected name or number", name.Line),
            };
        }
        var keys = new List<Expression>();
        while (!IsOperator("]"))
        {
            if (keys.Count > 0)
                Expect(TokenKind.Operator, ",");
            keys.Add(Key());
        }
        Next();
        return new ItemExpression(value, keys.Count == 1 ? keys[0] : new TupleExpression(keys, open.Line), open.Line);
    }

    private Expression Key()
    {
        var line = Current.Line;
        Expression? start = null;
        if (!SkipOperator(":"))
        {
            start = Conditional();
            if (!SkipOperator(":"))
                return start;
        }
        var stop = IsOperator(":") || IsOperator("]") || IsOperator(",") ? null : Conditional();
        var step = SkipOperator(":") && !IsOperator("]") && !IsOperator(",") ? Conditional() : null;
        return new SliceExpression(start, stop, step, line);
    }

    private CallExpression CallOf(Expression function) => new(function, Given(), Current.Line);

    private CallArguments Given()
    {
        Expect(TokenKind.Operator, "(");
        var places = new List<Expression>();
        var names = new List<(string Name, Expression Value)>();
        Expression? morePlaces = null,
            moreNames = null;
        for (var comma = false; !IsOperator(")"); comma = true)
        {
            if (comma)
            {
                Expect(TokenKind.Operator, ",");
                if (IsOperator(")"))
                    break;
            }
            var fits = moreNames is null;
            if (SkipOperator("*"))
            {
                fits &= morePlaces is null;
                morePlaces = Conditional();
            }
            else if (SkipOperator("**"))
                moreNames = Conditional();
            else if (Current.Kind == TokenKind.Name && Ahead.Is(TokenKind.Operator, "="))
            {
                var name = Next().Value;
                _at++;
                fits &= names.All(n => n.Name != name);
                names.Add((name, Conditional()));
            }
            else
            {
                fits &= names.Count == 0 && morePlaces is null;
                places.Add(Conditional());
            }
            if (!fits)
                throw Fault("invalid syntax for function call expression");
        }
        Next();
        return new CallArguments(places, names, morePlaces, moreNames);
    }

    // One or more filters; where the first stands by itself, as in the head of a block, there is no bar before it.
    private Expression? Filters(Expression? value, bool inline)
    {
        for (var from = _depth; inline || IsOperator("|"); inline = false)
        {
            Down();
            if (!inline)
                Next();
            var (name, line) = DottedName();
            var given = IsOperator("(") ? Given() : CallArguments.Nothing;
            if (!FilterTable.Knows(name))
                _unknown.Add(FilterTable.Unknown(name, line));
            value = new FilterExpression(value, name, given, line);
            if (!IsOperator("|"))
            {
                _depth = from;
                break;
            }
        }
        return value;
    }

    private (string Name, int Line) DottedName()
    {
        var first = Expect(TokenKind.Name);
        var name = first.Value;
        while (SkipOperator("."))
            name += "." + Expect(TokenKind.Name).Value;
        return (name, first.Line);
    }

    private Expression Test(Expression value)
    {
        var line = Next().Line;
        var not = SkipName("not");
        var (name, _) = DottedName();
        var given = CallArguments.Nothing;
        if (IsOperator("("))
            given = Given();
        else if (TestTakesNext())
        {
            if (IsName("is"))
                throw Fault("You cannot chain multiple tests with is");
            given = new CallArguments([Postfix(Primary())], [], null, null);
        }
        if (!Tests.Knows(name))
            _unknown.Add(new JinjaFault(FaultKind.Syntax, $"No test named '{name}'.", line));
        Expression test = new TestExpression(value, name, given, line);
        return not ? new UnaryExpression("not", test, line) : test;
    }

    private bool TestTakesNext() =>
        Current.Kind switch
        {
            TokenKind.Name => Current.Value is not ("else" or "or" or "and"),
            TokenKind.Text or TokenKind.Integer or TokenKind.Float => true,
            TokenKind.Operator => Current.Value is "[" or "{",
            _ => false,
        };
}
