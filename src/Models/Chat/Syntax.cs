namespace EditUnlearn.Models.Chat;

/// <summary>A part of a template that gives a value.</summary>
/// <param name="Line">Where it begins, from 1.</param>
internal abstract record Expression(int Line);

internal sealed record Constant(object Value, int Line) : Expression(Line);

internal sealed record NameExpression(string Name, int Line) : Expression(Line);

internal sealed record ListExpression(IReadOnlyList<Expression> Items, int Line) : Expression(Line);

internal sealed record TupleExpression(IReadOnlyList<Expression> Items, int Line) : Expression(Line);

internal sealed record DictExpression(IReadOnlyList<(Expression Key, Expression Value)> Items, int Line)
    : Expression(Line);

internal sealed record AttributeExpression(Expression Of, string Name, int Line) : Expression(Line);

internal sealed record ItemExpression(Expression Of, Expression Key, int Line) : Expression(Line);

/// <summary>Stands in brackets only; a part that is left out is null.</summary>
internal sealed record SliceExpression(Expression? Start, Expression? Stop, Expression? Step, int Line)
    : Expression(Line);

internal sealed record CallExpression(Expression Function, CallArguments Given, int Line) : Expression(Line);

/// <summary>A filter; what it filters is null in a block, whose text it is.</summary>
internal sealed record FilterExpression(Expression? Of, string Name, CallArguments Given, int Line) : Expression(Line);

internal sealed record TestExpression(Expression Of, string Name, CallArguments Given, int Line) : Expression(Line);

internal sealed record UnaryExpression(string Operator, Expression Of, int Line) : Expression(Line);

internal sealed record BinaryExpression(string Operator, Expression Left, Expression Right, int Line)
    : Expression(Line);

internal sealed record ConcatExpression(IReadOnlyList<Expression> Items, int Line) : Expression(Line);

internal sealed record CompareExpression(
    Expression First,
    IReadOnlyList<(string Operator, Expression Right)> Rest,
    int Line
) : Expression(Line);

internal sealed record ConditionalExpression(Expression Test, Expression Then, Expression? Else, int Line)
    : Expression(Line);

/// <summary>What stands in the parentheses of a call.</summary>
internal sealed record CallArguments(
    IReadOnlyList<Expression> Places,
    IReadOnlyList<(string Name, Expression Value)> Names,
    Expression? MorePlaces,
    Expression? MoreNames
)
{
    public static readonly CallArguments Nothing = new([], [], null, null);
}

/// <summary>What a value is given to.</summary>
internal abstract record Target(int Line);

internal sealed record NameTarget(string Name, int Line) : Target(Line);

/// <summary>A name of a namespace.</summary>
internal sealed record MemberTarget(string Name, string Member, int Line) : Target(Line);

internal sealed record TupleTarget(IReadOnlyList<Target> Items, int Line) : Target(Line);

/// <summary>A part of a template that writes or sets something.</summary>
/// <param name="Line">Where it begins, from 1.</param>
internal abstract record Statement(int Line);

internal sealed record TextStatement(string Text, int Line) : Statement(Line);

internal sealed record PrintStatement(Expression Value, int Line) : Statement(Line);

internal sealed record IfStatement(
    IReadOnlyList<(Expression Test, IReadOnlyList<Statement> Body)> Branches,
    IReadOnlyList<Statement> Else,
    int Line
) : Statement(Line);

internal sealed record ForStatement(
    Target Target,
    Expression Over,
    Expression? Test,
    bool Recursive,
    IReadOnlyList<Statement> Body,
    IReadOnlyList<Statement> Else,
    int Line
) : Statement(Line);

internal sealed record BreakStatement(int Line) : Statement(Line);

internal sealed record ContinueStatement(int Line) : Statement(Line);

internal sealed record SetStatement(Target Target, Expression Value, int Line) : Statement(Line);

internal sealed record SetBlockStatement(Target Target, Expression? Filter, IReadOnlyList<Statement> Body, int Line)
    : Statement(Line);

internal sealed record WithStatement(
    IReadOnlyList<(Target Target, Expression Value)> Values,
    IReadOnlyList<Statement> Body,
    int Line
) : Statement(Line);

/// <summary>A macro, or the body of a call block, whose name is <c>caller</c>.</summary>
internal sealed record MacroStatement(
    string Name,
    IReadOnlyList<(string Name, Expression? Default)> Parameters,
    IReadOnlyList<Statement> Body,
    IReadOnlySet<string> Names,
    int Line
) : Statement(Line);

internal sealed record CallStatement(CallExpression Call, MacroStatement Body, int Line) : Statement(Line);

internal sealed record FilterStatement(Expression Filter, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

/// <summary>Statements with names of their own: a block, or what an assistant said.</summary>
/// <param name="Body">What stands in it.</param>
/// <param name="Isolated">Whether names of loops around it are not seen.</param>
/// <param name="Line">Where it begins, from 1.</param>
internal sealed record ScopeStatement(IReadOnlyList<Statement> Body, bool Isolated, int Line) : Statement(Line);

/// <summary>A tag that is refused where it is reached.</summary>
internal sealed record RefusedStatement(string Tag, int Line) : Statement(Line);
