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
    // Equal findings of one file that are shown one by one.
    private const int Few = 3;

    /// <summary>Wraps all problems of one input. Many equal ones of a file become one with their number.</summary>
    public InputException(IReadOnlyList<InputProblem> problems)
        : this(Grouped(problems), grouped: true) { }

    private InputException(IReadOnlyList<InputProblem> problems, bool grouped)
        : base(Render(problems)) => Problems = grouped ? problems : Grouped(problems);

    /// <summary>Wraps a single problem.</summary>
    public InputException(InputProblem problem)
        : this([problem]) { }

    /// <summary>Wraps a single problem of a whole file.</summary>
    public InputException(string file, string message, string? hint = null)
        : this(new InputProblem(file, 0, 0, message, hint)) { }

    /// <summary>In the order in which they stand in the input.</summary>
    public IReadOnlyList<InputProblem> Problems { get; }

    private static IReadOnlyList<InputProblem> Grouped(IReadOnlyList<InputProblem> problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        var groups = problems.GroupBy(p => (p.File, p.Message, p.Hint)).ToDictionary(g => g.Key, g => g.ToList());
        if (groups.Values.All(g => g.Count <= Few))
            return problems;
        return
        [
            .. problems
                .Select(p => (Problem: p, Group: groups[(p.File, p.Message, p.Hint)]))
                .Where(p => p.Group.Count <= Few || ReferenceEquals(p.Group[0], p.Problem))
                .Select(p => p.Group.Count > Few ? Together(p.Group) : p.Problem),
        ];
    }

    private static InputProblem Together(List<InputProblem> equal)
    {
        var lines = equal.Select(p => p.Line).Where(l => l > 0).Skip(1).Take(Few).ToList();
        var places = lines.Count == 0 ? "" : $": lines {string.Join(", ", lines)}";
        var more = equal.Count - 1 - lines.Count;
        return equal[0] with
        {
            Message = $"{equal[0].Message} (and {equal.Count - 1} times more{places}"
                + (lines.Count > 0 && more > 0 ? ", ..)" : ")"),
        };
    }

    private static string Render(IReadOnlyList<InputProblem> problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        return new StringBuilder().AppendJoin('\n', problems).ToString();
    }
}
