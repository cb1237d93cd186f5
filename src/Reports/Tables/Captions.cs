using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>
/// What a table says of itself: what the models are, profile, refusals, marks. No table goes without.
/// </summary>
public static class Captions
{
    /// <summary>The warning of every table, figure and claim made from miniatures.</summary>
    public const string Miniature = "Miniature models that this pipeline pretrained itself: not the paper's numbers.";

    /// <summary>The warning of everything made in a rehearsal.</summary>
    public const string StandIn =
        "Stand-ins of random weights in the place of the models, to see that everything runs: the numbers mean "
        + "nothing.";

    /// <summary>What must be said of models that are not real ones; empty for real ones.</summary>
    public static string Warning(ModelKind kind) =>
        kind switch
        {
            ModelKind.Miniature => Miniature,
            ModelKind.StandIn => StandIn,
            _ => "",
        };

    /// <summary>The caption of a table.</summary>
    public static string Of(Table table, StudyScope scope)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(scope);
        var layout = table.Layout;
        List<string> sentences = [layout.Title + "."];
        if (scope.Kind != ModelKind.Real)
            sentences.Add(Warning(scope.Kind));
        var cells = table.ShownCells.ToList();
        if (cells.Count == 0)
        {
            sentences.Add("Nothing of this table was run.");
            return string.Join(' ', sentences);
        }
        if (table.LeftOut.Count > 0)
            sentences.Add($"Not run, and left out: {string.Join("; ", table.LeftOut)}.");
        sentences.Add($"Metrics of profile {table.Profile}.");
        if (table.Profile == ProfileNames.Paper)
            sentences.Add(
                "Prob. is the mean of the largest probabilities at the first positions of the question, as the "
                    + "paper's code has it: it does not measure forgetting. MRR and Hit follow that code too; only "
                    + "Rouge1 measures forgetting."
            );
        var targets = cells.Select(c => c.Target).Where(t => t.Length > 0).Distinct(StringComparer.Ordinal);
        if (!layout.ComparesTargets && string.Join(", ", targets) is { Length: > 0 } refusals)
            sentences.Add($"Refusals: {refusals}.");
        if (cells.Any(c => c.Metric == ColumnNames.Refusals))
            sentences.Add("Ref.: share of answers that refuse, not in the paper.");
        if (cells.Any(c => c.Split == SplitNames.RetainAll))
            sentences.Add(
                "Retain set: kept questions that no method has seen. All: with those that methods may train on, "
                    + "as the paper scores."
            );
        if (layout.Marks != Marks.Grey)
            sentences.Add(
                "Bold: best of the unlearning and of the editing methods"
                    + (layout.Marks == Marks.All ? "; underlined: the two best of all." : ".")
            );
        if (cells.Where(c => c.Value is not null).Select(c => c.Seeds).ToList() is { Count: > 0 } seeds)
            if (seeds.Max() > 1)
                sentences.Add(
                    $"Means over {(seeds.Min() == seeds.Max() ? "" : "up to ")}{seeds.Max()} seeds, ±: standard "
                        + "deviation over them."
                );
        sentences.Add("Gray: the model is broken, or nothing was forgotten.");
        if (layout.RiseOver is { } over)
            sentences.Add($"In brackets: rise over the split {over}.");
        if (table.Shown.Blocks.Any(b => b.Rows.Any(r => r.Family == LayoutRow.Further)))
            sentences.Add("*: not in the paper, left out of bold and underline.");
        if (cells.Any(c => c.Diverged))
            sentences.Add("†: training diverged; the numbers are those of the last finite state.");
        if (cells.Any(c => c.FellBack))
            sentences.Add("‡: memory ran out and smaller batches were asked, which changes no number.");
        if (cells.Any(c => c.Value is null))
            sentences.Add("—: not run.");
        return string.Join(' ', sentences);
    }
}
