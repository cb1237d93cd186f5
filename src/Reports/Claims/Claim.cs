namespace EditUnlearn.Reports.Claims;

/// <summary>How close a statement is to the sentence of the paper.</summary>
public enum Reading
{
    /// <summary>It says what the sentence says.</summary>
    Sentence,

    /// <summary>
    /// It says less than the statement before it, because the paper's own numbers do not bear the sentence out.
    /// </summary>
    Weaker,
}

/// <summary>One thing the paper says, as something that numbers can decide.</summary>
/// <param name="Text">In our words.</param>
/// <param name="Source">Where the paper says so: section, observation, sentence.</param>
/// <param name="Decide">From the numbers.</param>
public sealed record Statement(string Text, string Source, Func<ClaimNumbers, Finding> Decide)
{
    /// <summary>How close it is to the sentence.</summary>
    public Reading Reading { get; init; }

    /// <summary>What in the paper contradicts the sentence; empty for nothing.</summary>
    public string Note { get; init; } = "";
}

/// <summary>What decided.</summary>
/// <param name="Judgement">The comparisons and their verdict.</param>
/// <param name="Numbers">Those that decide, as text; where numbers are missing, which.</param>
public sealed record Finding(Judgement Judgement, string Numbers)
{
    private const int Shown = 4;

    /// <summary>How it came out.</summary>
    public Verdict Verdict => Judgement.Verdict;

    /// <summary>
    /// The comparisons with their 95 % intervals, or that there are none; of many the one that the verdict hangs on.
    /// Empty where nothing was decided.
    /// </summary>
    public string Interval =>
        Verdict == Verdict.Undecided ? ""
        : Judgement.Parts.All(p => p.Interval is null) ? "no interval"
        : Judgement.Parts.Count <= Shown ? string.Join(", ", Judgement.Parts)
        : $"{Judgement.Deciding} decides of {Judgement.Parts.Count} comparisons";

    /// <summary>A finding, or what is missing.</summary>
    /// <param name="judgement">The comparisons.</param>
    /// <param name="numbers">Those that decide.</param>
    /// <param name="missing">What to say where they cannot.</param>
    public static Finding Of(Judgement judgement, Func<string> numbers, string missing)
    {
        ArgumentNullException.ThrowIfNull(judgement);
        ArgumentNullException.ThrowIfNull(numbers);
        return new Finding(judgement, judgement.Verdict == Verdict.Undecided ? missing : numbers());
    }
}

/// <summary>An observation or takeaway of the paper: statements that must hold together.</summary>
/// <param name="Id"><c>observation1</c>.</param>
/// <param name="Title">In our words.</param>
/// <param name="Statements">In the order of the text; a weaker reading stands behind the statement it weakens.</param>
public sealed record Claim(string Id, string Title, IReadOnlyList<Statement> Statements);

/// <summary>A claim decided.</summary>
/// <param name="Id">Of the claim.</param>
/// <param name="Title">Of the claim.</param>
/// <param name="Statements">Each with what decided it.</param>
public sealed record ClaimResult(string Id, string Title, IReadOnlyList<StatementResult> Statements)
{
    /// <summary>
    /// Of the sentences: fails where one fails; else undecided where one cannot be decided, within noise where one is,
    /// and holds where all hold. Weaker readings do not count.
    /// </summary>
    public Verdict Verdict => Of(Statements.Where(s => s.Statement.Reading == Reading.Sentence));

    /// <summary>The same with weaker readings in the place of what they weaken; null where there are none.</summary>
    public Verdict? WeakerVerdict =>
        Statements.Any(s => s.Statement.Reading == Reading.Weaker)
            ? Of(Statements.Where((_, i) => !IsWeakened(i)))
            : null;

    private bool IsWeakened(int i) =>
        i + 1 < Statements.Count
        && Statements[i].Statement.Reading == Reading.Sentence
        && Statements[i + 1].Statement.Reading == Reading.Weaker;

    private static Verdict Of(IEnumerable<StatementResult> statements) =>
        Judgement.All(statements.Select(s => s.Finding.Judgement)).Verdict;
}

/// <summary>A statement decided.</summary>
/// <param name="Statement">The statement.</param>
/// <param name="Finding">What decided.</param>
public sealed record StatementResult(Statement Statement, Finding Finding)
{
    /// <summary>The statement; a weaker reading says that it is one.</summary>
    public string Text => Statement.Reading == Reading.Weaker ? "weaker reading: " + Statement.Text : Statement.Text;
}
