using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Which cells a command means: <c>apply</c>, <c>apply[rome]</c>, <c>apply[llama2,*,rome]</c>,
/// <c>table1/table1.tex</c>.
/// </summary>
public static class Targets
{
    /// <summary>The cells that are named, in plan order; all of them where nothing is named.</summary>
    /// <exception cref="InputException">A name means no cell.</exception>
    public static IReadOnlyList<Cell> Named(Plan plan, IReadOnlyList<string> targets)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(targets);
        if (targets.Count == 0)
            return plan.Cells;
        var problems = new List<InputProblem>();
        var chosen = new HashSet<CellId>();
        foreach (var target in targets)
        {
            var found = Matching(plan, target);
            if (found.Count == 0)
                problems.Add(Unknown(plan, target));
            chosen.UnionWith(found.Select(c => c.Id));
        }
        if (problems.Count > 0)
            throw new InputException(problems);
        return [.. plan.Cells.Where(c => chosen.Contains(c.Id))];
    }

    /// <summary>The cells and everything they read, in plan order.</summary>
    public static IReadOnlyList<Cell> WithUpstream(Plan plan, IReadOnlyList<Cell> cells)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(cells);
        var wanted = cells.Select(c => c.Id).ToHashSet();
        // A producer stands before its consumers, so one pass from the end closes the set.
        foreach (var cell in plan.Cells.Reverse())
            if (wanted.Contains(cell.Id))
                wanted.UnionWith(cell.Inputs.OfType<CellOutputInput>().Select(i => i.Cell));
        return [.. plan.Cells.Where(c => wanted.Contains(c.Id))];
    }

    /// <summary>The cells and everything that reads them, in plan order.</summary>
    public static IReadOnlyList<Cell> WithDownstream(Plan plan, IReadOnlyList<Cell> cells)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(cells);
        var wanted = cells.Select(c => c.Id).ToHashSet();
        foreach (var cell in plan.Cells)
            if (cell.Inputs.OfType<CellOutputInput>().Any(i => wanted.Contains(i.Cell)))
                wanted.Add(cell.Id);
        return [.. plan.Cells.Where(c => wanted.Contains(c.Id))];
    }

    private static List<Cell> Matching(Plan plan, string target)
    {
        var name = target.TrimEnd('/');
        var bracket = name.IndexOf('[', StringComparison.Ordinal);
        if (bracket < 0)
        {
            // A path of the readable view, or a stage.
            var shown = plan
                .Cells.Where(c =>
                    c.Id.Axes.Count > 0
                    && (name == c.Id.Folder || name.StartsWith(c.Id.Folder + "/", StringComparison.Ordinal))
                )
                .ToList();
            var stage = name.Split('/')[0];
            return shown.Count > 0
                ? shown
                : [.. plan.Cells.Where(c => c.Id.Stage == stage && (name == stage || c.Id.Axes.Count == 0))];
        }
        if (!name.EndsWith(']'))
            return [];
        var labels = name[(bracket + 1)..^1].Split(',', StringSplitOptions.TrimEntries);
        bool Fits(CellId id) =>
            labels.Length == id.Axes.Count
                ? labels.Zip(id.Axes).All(p => p.First is "*" || p.First == p.Second.Value)
                // Fewer labels than axes: each must be the label of some axis, in order.
                : labels.Length < id.Axes.Count && IsSubsequence(labels, id.Axes.Select(a => a.Value));
        return [.. plan.Cells.Where(c => c.Id.Stage == name[..bracket] && Fits(c.Id))];
    }

    private static bool IsSubsequence(IReadOnlyList<string> labels, IEnumerable<string> all)
    {
        var at = 0;
        foreach (var label in all)
            if (at < labels.Count && labels[at] == label)
                at++;
        return at == labels.Count;
    }

    private static InputProblem Unknown(Plan plan, string target)
    {
        var stage = target.Split('[', '/')[0];
        if (plan.Stages.FirstOrDefault(s => s.Name == stage) is not { } known)
            return new InputProblem(
                target,
                0,
                0,
                "there is no such stage",
                Problems.DidYouMean(stage, plan.Stages.Select(s => s.Name))
            );
        var axes = string.Join(", ", known.Axes.Select(a => $"{a.Key}: {string.Join('|', a.Value)}"));
        return new InputProblem(
            target,
            0,
            0,
            $"'{stage}' has no such cell",
            axes.Length == 0 ? "it has no axes" : axes
        );
    }
}
