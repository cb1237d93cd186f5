namespace EditUnlearn.Pipeline;

/// <summary>Puts stages in an order in which each stands after what it reads, otherwise as in the file.</summary>
internal sealed class StageOrder
{
    private readonly IReadOnlyDictionary<string, StageDraft> _drafts;
    private readonly Problems _problems;
    private readonly Dictionary<string, IReadOnlyList<string>> _reads;
    private readonly List<string> _order = [];
    private readonly List<string> _path = [];

    /// <summary>Orders the stages; a circle is a problem, and one of its arrows is then passed over.</summary>
    public StageOrder(
        IReadOnlyDictionary<string, StageDraft> drafts,
        IReadOnlyDictionary<string, IReadOnlyList<Cell>> cells,
        Problems problems
    )
    {
        (_drafts, _problems) = (drafts, problems);
        _reads = cells.ToDictionary(c => c.Key, c => Reads(c.Value), StringComparer.Ordinal);
        foreach (var name in cells.Keys)
            Visit(name);
    }

    /// <summary>Names of the stages, in order.</summary>
    public IReadOnlyList<string> Names => _order;

    /// <summary>Names of the stages that cells read, without repeats.</summary>
    public static IReadOnlyList<string> Reads(IReadOnlyList<Cell> cells) =>
        [.. cells.SelectMany(c => c.Inputs).OfType<CellOutputInput>().Select(i => i.Cell.Stage).Distinct()];

    // Depth first.
    private void Visit(string name)
    {
        if (_order.Contains(name))
            return;
        var open = _path.IndexOf(name);
        if (open >= 0)
        {
            _problems.Add(
                _drafts[name].Place,
                $"the stages read each other in a circle: {string.Join(" -> ", _path[open..].Append(name))}",
                "one of them must read something else"
            );
            return;
        }
        _path.Add(name);
        foreach (var source in _reads[name])
            Visit(source);
        _path.RemoveAt(_path.Count - 1);
        _order.Add(name);
    }
}
