using System.Text;

namespace EditUnlearn.Foundation;

/// <summary>One mistake in something a person wrote: where it is, what is wrong, what to do.</summary>
/// <param name="File">The file, as the user would type it.</param>
/// <param name="Line">1-based; 0 when the file as a whole is meant.</param>
/// <param name="Column">1-based; 0 when the line as a whole is meant.</param>
/// <param name="Message">One sentence without a full stop, naming the field.</param>
/// <param name="Hint">What to do about it, or null.</param>
public sealed record InputProblem(string File, int Line, int Column, string Message, string? Hint = null)
{
    /// <summary>
    /// <c>pipeline.yaml(41,7): message</c>, the form editors and MSBuild make clickable, then the hint on its own line.
    /// </summary>
    public override string ToString()
    {
        var place = (Line, Column) switch
        {
            (0, _) => File,
            (_, 0) => $"{File}({Line})",
            _ => $"{File}({Line},{Column})",
        };
        return Hint is null ? $"{place}: {Message}" : $"{place}: {Message}\n  hint: {Hint}";
    }
}

/// <summary>
/// Everything that is wrong with an input, found in one pass. The command line ends with exit code 2.
/// </summary>
public sealed class InputException : Exception
{
    /// <summary>Wraps all problems of one input.</summary>
    public InputException(IReadOnlyList<InputProblem> problems)
        : base(Render(problems)) => Problems = problems;

    /// <summary>Wraps a single problem.</summary>
    public InputException(InputProblem problem)
        : this([problem]) { }

    /// <summary>Wraps a single problem of a whole file.</summary>
    public InputException(string file, string message, string? hint = null)
        : this(new InputProblem(file, 0, 0, message, hint)) { }

    /// <summary>In the order in which they stand in the input.</summary>
    public IReadOnlyList<InputProblem> Problems { get; }

    private static string Render(IReadOnlyList<InputProblem> problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        return new StringBuilder().AppendJoin('\n', problems).ToString();
    }
}
