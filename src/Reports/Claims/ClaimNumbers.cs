using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports.Claims;

/// <summary>What claims ask of the numbers.</summary>
/// <param name="book">The numbers.</param>
/// <param name="scope">Who plays which part.</param>
/// <param name="ratings">What people said; empty where nobody was asked.</param>
/// <param name="relative">See <see cref="Table.Of"/>.</param>
public sealed class ClaimNumbers(IScoreBook book, StudyScope scope, IReadOnlyList<RatedMean> ratings, bool relative)
{
    /// <summary>Of the paper's unlearning baselines.</summary>
    public static IReadOnlyList<string> Unlearning { get; } = ["ga", "gd", "kl", "dpo"];

    /// <summary>Of the paper's editing methods.</summary>
    public static IReadOnlyList<string> Editing { get; } = ["rome", "memit", "grace", "wise", "alphaedit"];

    /// <summary>A model and a forget set of Table 1.</summary>
    public sealed record Setting(string Label, string Model, string Set)
    {
        /// <summary>The place of a run.</summary>
        public ScoreKey Run(string method) => new(Model, Set, method, SplitNames.Forget, ColumnNames.Rouge1);
    }

    /// <summary>Who plays which part.</summary>
    public StudyScope Scope => scope;

    /// <summary>The four settings of Table 1, facts first.</summary>
    public IReadOnlyList<Setting> Settings =>
        [
            .. ((string[])[scope.Facts, scope.Contracts]).SelectMany(set =>
                ((string[])[scope.Main, scope.Second]).Select(model => new Setting($"{set}/{model}", model, set))
            ),
        ];

    /// <summary>The place of a run of the main model.</summary>
    public ScoreKey Run(string method, string set) =>
        new(scope.Main, set, method, SplitNames.Forget, ColumnNames.Rouge1);

    /// <summary>Rouge1 of a split.</summary>
    public double? Rouge(string table, ScoreKey key, string split) =>
        book.Find(table, key with { Split = split, Metric = ColumnNames.Rouge1 })?.Mean;

    /// <summary>1 - forget + retain.</summary>
    public double? Score(string table, ScoreKey key) => FigureCatalog.Score(book, table, key);

    /// <summary>
    /// Whether a run left no model to speak of; null without numbers, or where there was none to begin with.
    /// </summary>
    public bool? IsBroken(string table, ScoreKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var before = key with { Method = ScoreBook.Untouched };
        if (
            Rouge(table, before, SplitNames.Forget) is { } f0
            && Rouge(table, before, SplitNames.Retain) is { } r0
            && MarkingRule.IsBroken(f0, r0, 2)
        )
            return null;
        return Rouge(table, key, SplitNames.Forget) is { } f && Rouge(table, key, SplitNames.Retain) is { } r
            ? MarkingRule.IsBroken(f, r, 2)
            : null;
    }

    /// <summary>Whether a run is broken or forgot nothing; null without numbers.</summary>
    public bool? IsGrey(string table, ScoreKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var before = relative ? Rouge(table, key with { Method = ScoreBook.Untouched }, SplitNames.Forget) : null;
        return Rouge(table, key, SplitNames.Forget) is { } f && Rouge(table, key, SplitNames.Retain) is { } r
            ? MarkingRule.IsGrey(f, r, before, 2)
            : null;
    }

    /// <summary>
    /// Methods of Table 1 that are among the two best on some forget column and some retain column of one setting, by
    /// set.
    /// </summary>
    public IReadOnlyList<string> BestOnBothSides(string set)
    {
        var layout = TableCatalog
            .All(scope with { Methods = StudyScope.PaperMethods }, refusals: false, before: false)
            .First(t => t.Name == "table1");
        var table = Table.Of(layout, book, scope, relative);
        return
        [
            .. table
                .Cells.Where(c => c.Set == set && c.Underlined)
                .GroupBy(c => (c.Model, c.Method))
                .Where(g => g.Any(c => c.Split == SplitNames.Forget) && g.Any(c => c.Split == SplitNames.Retain))
                .Select(g => g.Key.Method)
                .Distinct()
                .OrderBy(m => StudyScope.PaperMethods.Index().First(p => p.Item.Name == m).Index),
        ];
    }

    /// <summary>A human mean; null where nobody was asked.</summary>
    public double? Rated(string measure, string method, bool after) =>
        ratings
            .Where(r =>
                r.Measure == measure
                && r.Method == method
                && (after ? r.Variant == "after" : r.Variant is "before" or "")
            )
            .OrderByDescending(r => r.Raters == "unflagged")
            .FirstOrDefault()
            ?.Mean;

    /// <summary>The method in print.</summary>
    public string Label(string method) => scope.MethodLabel(method);

    /// <summary>Three decimals.</summary>
    public static string Text(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>A finding, or what is missing.</summary>
    public static Finding Decide(bool known, Func<(bool Holds, string Numbers)> decide, string missing)
    {
        ArgumentNullException.ThrowIfNull(decide);
        if (!known)
            return new Finding(Verdict.NotApplicable, missing);
        var (holds, numbers) = decide();
        return new Finding(holds ? Verdict.Pass : Verdict.Fail, numbers);
    }
}
