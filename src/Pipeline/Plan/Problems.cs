using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>Collects what is wrong with a pipeline, each mistake once however many cells it shows up in.</summary>
internal sealed class Problems
{
    private readonly List<InputProblem> _all = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    public int Count => _all.Count;

    public void Add(SourcePlace place, string message, string? hint = null)
    {
        var problem = new InputProblem(place.File, place.Line, place.Column, message, hint);
        if (_seen.Add(problem.ToString()))
            _all.Add(problem);
    }

    /// <exception cref="InputException">There is any problem.</exception>
    public void ThrowIfAny()
    {
        if (_all.Count > 0)
            throw new InputException([.. _all.OrderBy(p => p.Line).ThenBy(p => p.Column)]);
    }

    /// <summary>The usual hint for an unknown name.</summary>
    public static string DidYouMean(string word, IEnumerable<string> known)
    {
        var all = known.ToList();
        if (Spelling.Nearest(word, all) is { } near)
            return $"did you mean '{near}'?";
        return all.Count == 0 ? "there is none" : "known: " + string.Join(", ", all);
    }
}
