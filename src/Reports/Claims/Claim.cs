namespace EditUnlearn.Reports.Claims;

/// <summary>How a statement came out.</summary>
public enum Verdict
{
    /// <summary>The numbers say so.</summary>
    Pass,

    /// <summary>The numbers say otherwise: a result like any other.</summary>
    Fail,

    /// <summary>Numbers it needs are not there.</summary>
    NotApplicable,
}

/// <summary>One thing the paper says, as something that numbers can decide.</summary>
/// <param name="Text">In our words.</param>
/// <param name="Decide">From the numbers.</param>
public sealed record Statement(string Text, Func<ClaimNumbers, Finding> Decide);

/// <summary>What decided.</summary>
/// <param name="Verdict">How it came out.</param>
/// <param name="Numbers">Those that decide, as text; for <see cref="Claims.Verdict.NotApplicable"/> what is
/// missing.</param>
public sealed record Finding(Verdict Verdict, string Numbers);

/// <summary>An observation or takeaway of the paper: statements that must hold together.</summary>
/// <param name="Id"><c>observation1</c>.</param>
/// <param name="Title">In our words.</param>
/// <param name="Statements">In the order of the text.</param>
public sealed record Claim(string Id, string Title, IReadOnlyList<Statement> Statements);

/// <summary>A claim decided.</summary>
/// <param name="Id">Of the claim.</param>
/// <param name="Title">Of the claim.</param>
/// <param name="Statements">Each with what decided it.</param>
public sealed record ClaimResult(string Id, string Title, IReadOnlyList<StatementResult> Statements)
{
    /// <summary>Fails when a statement fails; passes when one passes and none fails.</summary>
    public Verdict Verdict =>
        Statements.Any(s => s.Finding.Verdict == Verdict.Fail) ? Verdict.Fail
        : Statements.Any(s => s.Finding.Verdict == Verdict.Pass) ? Verdict.Pass
        : Verdict.NotApplicable;
}

/// <summary>A statement decided.</summary>
/// <param name="Text">Of the statement.</param>
/// <param name="Finding">What decided.</param>
public sealed record StatementResult(string Text, Finding Finding);
