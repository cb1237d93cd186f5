namespace EditUnlearn.Models.Chat;

/// <summary>Makes a syntax tree of a template: statements. Expressions stand in the other half.</summary>
internal sealed partial class Parser
{
    // Deeper templates than this are nobody's; the tree is walked by recursion.
    private const int MaxDepth = 150;

    private readonly List<Token> _tokens;
    private readonly List<HashSet<string>> _macroNames = [];
    private readonly HashSet<string> _blocks = new(StringComparer.Ordinal);

    // Unknown filters and tests fail at once, but inside an "if" only when they are reached, as in the library.
    private readonly List<JinjaFault> _unknown = [];
    private readonly HashSet<JinjaFault> _fatal = [];
    private int _at;
    private int _depth;
    private int _loops;

    // Loops around this place, through macros too: none of them lets go of its variable.
    private int _around;

    private Parser(List<Token> tokens) => _tokens = tokens;

    private Token Current => _tokens[_at];

    private Token Ahead => _tokens[Math.Min(_at + 1, _tokens.Count - 1)];

    /// <summary>The statements of a template.</summary>
    public static IReadOnlyList<Statement> Parse(string source)
    {
        var parser = new Parser(Lexer.Read(source));
        var body = parser.Body([]);
        if (parser._unknown.Count > 0)
            throw parser._unknown[0];
        return body;
    }

    private JinjaFault Fault(string message, int line = 0) =>
        new(FaultKind.Syntax, message, line > 0 ? line : Current.Line);

    private Token Next() => Current.Kind == TokenKind.End ? Current : _tokens[_at++];

    private bool IsName(string name) => Current.Is(TokenKind.Name, name);

    private bool IsOperator(string o) => Current.Is(TokenKind.Operator, o);

    private bool SkipName(string name)
    {
        if (IsName(name))
            _at++;
        else
            return false;
        return true;
    }

    private bool SkipOperator(string o)
    {
        if (IsOperator(o))
            _at++;
        else
            return false;
        return true;
    }

    private Token Expect(TokenKind kind, string? value = null)
    {
        if (Current.Kind == kind && (value is null || Current.Value == value))
            return Next();
        var expected = value ?? new Token(kind, kind == TokenKind.Name ? "name" : "", 0).ToString();
        throw Fault(
            Current.Kind == TokenKind.End
                ? $"unexpected end of template, expected '{expected}'."
                : $"expected token '{expected}', got '{Current}'"
        );
    }

    private void Down()
    {
        if (++_depth > MaxDepth)
            throw new JinjaFault(FaultKind.Limit, $"is nested more than {MaxDepth} levels deep", Current.Line);
    }

    // Statements up to a block that begins with one of the ends; that word is the next token.
    private List<Statement> Body(string[] ends)
    {
        Down();
        var body = new List<Statement>();
        while (Current.Kind != TokenKind.End)
        {
            var token = Next();
            if (token.Kind == TokenKind.Data)
                body.Add(new TextStatement(token.Value, token.Line));
            else if (token.Kind == TokenKind.VariableBegin)
            {
                body.Add(new PrintStatement(Tuple(), token.Line));
                Expect(TokenKind.VariableEnd);
            }
            else
            {
                if (Current.Kind == TokenKind.Name && ends.Contains(Current.Value))
                    break;
                body.Add(OneStatement());
                Expect(TokenKind.BlockEnd);
            }
        }
        _depth--;
        if (ends.Length > 0 && Current.Kind == TokenKind.End)
            throw Fault(
                "Unexpected end of template. Jinja was looking for the following tags: "
                    + $"{string.Join(" or ", ends.Select(e => $"'{e}'"))}."
            );
        return body;
    }

    // What follows the head of a block, up to its end.
    private List<Statement> Block(params string[] ends)
    {
        SkipOperator(":");
        Expect(TokenKind.BlockEnd);
        return Body(ends);
    }

    private List<Statement> BlockTo(string end)
    {
        var body = Block(end);
        Next();
        return body;
    }

    // A part of a template with names of its own: what is unknown in it fails at once.
    private T Own<T>(Func<T> part)
    {
        var from = _unknown.Count;
        var made = part();
        _fatal.UnionWith(_unknown.Skip(from));
        return made;
    }

    private void Forgive(int from)
    {
        for (var i = _unknown.Count - 1; i >= from; i--)
            if (!_fatal.Contains(_unknown[i]))
                _unknown.RemoveAt(i);
    }

    private Statement OneStatement()
    {
        var token = Expect(TokenKind.Name);
        var line = token.Line;
        return token.Value switch
        {
            "if" => If(line),
            "for" => For(line),
            "set" => Set(line),
            "with" => With(line),
            "macro" => Macro(line),
            "call" => Call(line),
            "filter" => Own(() => new FilterStatement(Filters(null, inline: true)!, BlockTo("endfilter"), line)),
            "print" => Print(line),
            "block" => NamedBlock(line),
            "generation" => new ScopeStatement(Apart(() => BlockTo("endgeneration")), false, line),
            "break" => InLoop(new BreakStatement(line)),
            "continue" => InLoop(new ContinueStatement(line)),
            "include" or "import" or "from" or "extends" => Refused(token),
            "autoescape" => throw new JinjaFault(
                FaultKind.Unsupported,
                "the tag 'autoescape' is not supported: a prompt is no HTML",
                line
            ),
            _ => throw Fault($"Encountered unknown tag '{token.Value}'.", line),
        };
    }

    // Several values are written one after the other; between braces they would be a tuple.
    private PrintStatement Print(int line)
    {
        var items = new List<Expression>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (items.Count > 0)
                Expect(TokenKind.Operator, ",");
            items.Add(Conditional());
        }
        return new PrintStatement(new ConcatExpression(items, line), line);
    }

    private Statement InLoop(Statement statement) =>
        _loops > 0
            ? statement
            : throw Fault($"'{(statement is BreakStatement ? "break" : "continue")}' outside loop", statement.Line);

    // A body that runs as a function of its own: no loop around it can be left from there.
    private T Apart<T>(Func<T> part)
    {
        var loops = _loops;
        _loops = 0;
        var made = Own(part);
        _loops = loops;
        return made;
    }

    private RefusedStatement Refused(Token tag)
    {
        while (Current.Kind is not (TokenKind.BlockEnd or TokenKind.End))
            _at++;
        return new RefusedStatement(tag.Value, tag.Line);
    }

    private IfStatement If(int line)
    {
        var from = _unknown.Count;
        var branches = new List<(Expression, IReadOnlyList<Statement>)>();
        while (true)
        {
            var test = Tuple(conditional: false);
            branches.Add((test, Block("elif", "else", "endif")));
            var end = Next().Value;
            if (end == "elif")
                continue;
            var others = end == "else" ? BlockTo("endif") : [];
            Forgive(from);
            return new IfStatement(branches, others, line);
        }
    }

    private ForStatement For(int line)
    {
        var target = Targets("in", members: false);
        if (target is NameTarget { Name: "loop" })
            throw Fault("can't assign to special loop variable in for-loop target", line);
        Expect(TokenKind.Name, "in");
        var over = Tuple(conditional: false, end: "recursive");
        var test = SkipName("if") ? Own(() => Conditional()) : null;
        var recursive = SkipName("recursive");
        _loops++;
        _around++;
        var body = Own(() => Block("endfor", "else"));
        _loops--;
        var others = Next().Value == "else" ? Own(() => BlockTo("endfor")) : [];
        _around--;
        return new ForStatement(target, over, test, recursive, body, others, line);
    }

    private Statement Set(int line)
    {
        var target = Targets(null, members: true);
        if (SkipOperator("="))
            return new SetStatement(target, Tuple(), line);
        return Own(() =>
        {
            var filter = Filters(null, inline: false);
            return new SetBlockStatement(target, filter, BlockTo("endset"), line);
        });
    }

    private WithStatement With(int line)
    {
        var values = new List<(Target, Expression)>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (values.Count > 0)
                Expect(TokenKind.Operator, ",");
            var target = Targets(null, members: false);
            Expect(TokenKind.Operator, "=");
            values.Add((target, Conditional()));
        }
        return new WithStatement(values, Own(() => BlockTo("endwith")), line);
    }

    private MacroStatement Macro(int line)
    {
        var name = Expect(TokenKind.Name).Value;
        return MacroBody(Assignable(name), Parameters, "endmacro", line);
    }

    private CallStatement Call(int line)
    {
        // The signature of the body stands before the call, the body after it.
        List<(string, Expression?)> parameters = IsOperator("(") ? Own(Parameters) : [];
        if (Conditional() is not CallExpression call)
            throw Fault("expected call", line);
        return new CallStatement(call, MacroBody("caller", () => parameters, "endcall", line), line);
    }

    private MacroStatement MacroBody(string name, Func<List<(string, Expression?)>> parameters, string end, int line) =>
        Apart(() =>
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            _macroNames.Add(names);
            var given = parameters();
            var body = BlockTo(end);
            _macroNames.RemoveAt(_macroNames.Count - 1);
            return new MacroStatement(name, given, body, names, line);
        });

    private List<(string, Expression?)> Parameters()
    {
        var parameters = new List<(string Name, Expression? Default)>();
        Expect(TokenKind.Operator, "(");
        while (!IsOperator(")"))
        {
            if (parameters.Count > 0)
                Expect(TokenKind.Operator, ",");
            var name = Assignable(Expect(TokenKind.Name).Value);
            var value = SkipOperator("=") ? Conditional() : null;
            if (value is null && parameters.Count > 0 && parameters[^1].Default is not null)
                throw Fault("non-default argument follows default argument");
            if (parameters.Any(p => p.Name == name))
                throw Fault($"duplicate argument '{name}' in function definition");
            parameters.Add((name, value));
        }
        Next();
        return parameters;
    }

    private ScopeStatement NamedBlock(int line)
    {
        var name = Expect(TokenKind.Name).Value;
        if (!_blocks.Add(name))
            throw Fault($"block '{name}' defined twice", line);
        var scoped = SkipName("scoped");
        SkipName("required");
        var body = Apart(() => Block("endblock"));
        Next();
        SkipName(name);
        return new ScopeStatement(body, !scoped, line);
    }

    private string Assignable(string name) =>
        name is "true" or "false" or "none" or "True" or "False" or "None"
            ? throw Fault($"can't assign to '{name.ToLowerInvariant()}'")
            : name;

    private Target Targets(string? end, bool members)
    {
        var line = Current.Line;
        var targets = new List<Target>();
        var many = false;
        while (true)
        {
            if (targets.Count > 0 && !SkipOperator(","))
                break;
            many |= targets.Count > 0;
            if (TupleEnds(end) || IsOperator("="))
                break;
            targets.Add(OneTarget(members));
        }
        return targets.Count == 0 ? throw Fault($"Expected an expression, got '{Current}'")
            : many ? new TupleTarget(targets, line)
            : targets[0];
    }

    private Target OneTarget(bool members)
    {
        var line = Current.Line;
        if (SkipOperator("("))
        {
            Down();
            var inner = Targets(")", members);
            _depth--;
            Expect(TokenKind.Operator, ")");
            return inner;
        }
        if (Current.Kind != TokenKind.Name)
            throw Fault($"can't assign to '{Current}'");
        var name = Assignable(Next().Value);
        if (!members || !IsOperator("."))
            return name != "loop" || _around == 0
                ? new NameTarget(name, line)
                : throw Fault("Can't assign to special loop variable in for-loop", line);
        Next();
        See(name);
        return new MemberTarget(name, Expect(TokenKind.Name).Value, line);
    }

    private void See(string name)
    {
        foreach (var names in _macroNames)
            names.Add(name);
    }
}
