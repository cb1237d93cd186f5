namespace EditUnlearn.Models.Chat;

/// <summary>Why a template gave no text.</summary>
internal enum FaultKind
{
    /// <summary>The template called <c>raise_exception</c>.</summary>
    Raised,

    /// <summary>It used a name that is not defined.</summary>
    Undefined,

    /// <summary>It is not written in the language.</summary>
    Syntax,

    /// <summary>It tried what a template may not do.</summary>
    Security,

    /// <summary>An operation does not take the values it got.</summary>
    Type,

    /// <summary>It went beyond a limit of <see cref="Budget"/>.</summary>
    Limit,

    /// <summary>It uses a part of the language that is not read here.</summary>
    Unsupported,
}

/// <summary>A template that cannot be rendered; <see cref="JinjaTemplate"/> makes an input's problem of it.</summary>
internal sealed class JinjaFault(FaultKind kind, string message, int line = 0) : Exception(message)
{
    public FaultKind Kind { get; } = kind;

    /// <summary>Of the template, from 1; 0 until somebody who knows the place has seen it.</summary>
    public int Line { get; set; } = line;

    public static JinjaFault Type(string message) => new(FaultKind.Type, message);

    public static JinjaFault Unsupported(string what) => new(FaultKind.Unsupported, what + " is not supported");
}
