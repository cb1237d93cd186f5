using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>Collects what is wrong with a study, each mistake once however many cells it shows up in.</summary>
internal sealed class Problems
{
    private readonly List<InputProblem> _all = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    /// <summary>
    /// How often something was found wrong, repeats included. Whoever must know whether its own work went well compares
    /// this number before and after: the mistake may be one that another cell has shown already.
    /// </summary>
    public int Found { get; private set; }

    /// <summary>Takes a mistake.</summary>
    public void Add(SourcePlace place, string message, string? hint = null) =>
        Add(new InputProblem(place.File ?? "", place.Line, place.Column, message, hint));

    /// <summary>
    /// Whether what is missing is overlooked for the moment: it was written, but its value has a mistake of its own.
    /// </summary>
    public bool Overlooks { get; set; }

    /// <summary>Takes a value that is missing.</summary>
    public void Lacks(SourcePlace place, string message)
    {
        if (Overlooks)
            Found++;
        else
            Add(place, message);
    }

    /// <summary>Takes the mistakes of a reader.</summary>
    public void Add(InputException exception)
    {
        foreach (var problem in exception.Problems)
            Add(problem);
    }

    /// <exception cref="InputException">There is any problem.</exception>
    public void ThrowIfAny()
    {
        if (_all.Count > 0)
            throw new InputException([
                .. _all.OrderBy(p => p.File, StringComparer.Ordinal).ThenBy(p => p.Line).ThenBy(p => p.Column),
            ]);
    }

    /// <summary>The usual hint for an unknown name.</summary>
    public static string DidYouMean(string word, IEnumerable<string> known)
    {
        var all = known.ToList();
        if (Spelling.Nearest(word, all) is { } near)
            return $"did you mean '{near}'?";
        return all.Count == 0 ? "there is none" : "known: " + string.Join(", ", all);
    }

    private void Add(InputProblem problem)
    {
        Found++;
        if (_seen.Add(problem.ToString()))
            _all.Add(problem);
    }
}
