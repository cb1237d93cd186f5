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
/// <param name="resamples">What is known of their noise; null for printed numbers.</param>
public sealed class ClaimNumbers(
    IScoreBook book,
    StudyScope scope,
    IReadOnlyList<RatedMean> ratings,
    bool relative,
    PairedResamples? resamples = null
)
{
    // What still rounds to the bound of a broken model, and to full memory (MarkingRule).
    private const double Broken = 0.105,
        Unforgotten = 0.985,
        NoForgettingShare = 0.99;

    private const string MainTable = "table1";

    private readonly Dictionary<string, IReadOnlyDictionary<string, Quantity>> _best = new(StringComparer.Ordinal);

    /// <summary>Of the paper's unlearning baselines.</summary>
    public static IReadOnlyList<string> Unlearning { get; } = ["ga", "gd", "kl", "dpo"];

    /// <summary>Of the paper's editing methods.</summary>
    public static IReadOnlyList<string> Editing { get; } = ["rome", "memit", "grace", "wise", "alphaedit"];

    /// <summary>Both.</summary>
    public static IReadOnlyList<string> Every { get; } = [.. Unlearning, .. Editing];

    /// <summary>A model and a forget set of Table 1.</summary>
    public sealed record Setting(string Label, string Model, string Set)
    {
        /// <summary>The place of a run.</summary>
        public ScoreKey Run(string method) => new(Model, Set, method, SplitNames.Forget, ColumnNames.Rouge1);
    }

    /// <summary>Who plays which part.</summary>
    public StudyScope Scope => scope;

    /// <summary>The four settings of Table 1, facts first.</summary>
    public IReadOnlyList<Setting> Settings => [.. SettingsOf(scope.Facts), .. SettingsOf(scope.Contracts)];

    /// <summary>The settings of one set, the main model first.</summary>
    public IReadOnlyList<Setting> SettingsOf(string set) =>
        [.. ((string[])[scope.Main, scope.Second]).Select(model => new Setting($"{set}/{model}", model, set))];

    /// <summary>The place of a run of the main model.</summary>
    public ScoreKey Run(string method, string set) =>
        new(scope.Main, set, method, SplitNames.Forget, ColumnNames.Rouge1);

    /// <summary>
    /// Those of the methods that Table 1 is to have in a setting: the paper has no MEMIT with its second model, so that
    /// one may be missing.
    /// </summary>
    public IEnumerable<string> In(Setting setting, IEnumerable<string> methods) =>
        methods.Where(m =>
            m != "memit" || setting.Model != scope.Second || Score(MainTable, setting.Run(m)) is not null
        );

    /// <summary>Rouge1 of a split.</summary>
    public Quantity? Rouge(string table, ScoreKey key, string split)
    {
        var place = key with { Split = split, Metric = ColumnNames.Rouge1 };
        return book.Find(table, place)?.Mean is { } mean ? new Quantity(mean, resamples?.Means(place)) : null;
    }

    /// <summary>1 - forget + retain.</summary>
    public Quantity? Score(string table, ScoreKey key) =>
        1 - Rouge(table, key, SplitNames.Forget) + Rouge(table, key, SplitNames.Retain);

    /// <summary>
    /// Whether a run left no model to speak of: near zero on both sides. Undecided without numbers, and where there was
    /// no model to speak of to begin with.
    /// </summary>
    public Judgement Breaks(Setting setting, string method)
    {
        var (f, r) = Sides(setting, method);
        return Judgement.All([
            Judgement.Below(Side(setting, method, SplitNames.Forget), f, Broken),
            Judgement.Below(Side(setting, method, SplitNames.Retain), r, Broken),
        ]);
    }

    /// <summary>The opposite.</summary>
    public Judgement Survives(Setting setting, string method)
    {
        var (f, r) = Sides(setting, method);
        return Judgement.Any([
            Judgement.AtLeast(Side(setting, method, SplitNames.Forget), f, Broken),
            Judgement.AtLeast(Side(setting, method, SplitNames.Retain), r, Broken),
        ]);
    }

    /// <summary>Whether a run forgot anything, by the rule of the grey marks.</summary>
    public Judgement Forgets(Setting setting, string method)
    {
        ArgumentNullException.ThrowIfNull(setting);
        var (f, before) = (Sides(setting, method).Forget, Before(setting.Run(method), SplitNames.Forget));
        var label = Side(setting, method, SplitNames.Forget);
        return relative && before is not null
            ? Judgement.Below($"{label} − {NoForgettingShare} of before", f - NoForgettingShare * before)
            : Judgement.Below(label, f, Unforgotten);
    }

    /// <summary>Rouge1 of both sides; nothing where the untouched model is broken.</summary>
    public (Quantity? Forget, Quantity? Retain) Sides(Setting setting, string method)
    {
        ArgumentNullException.ThrowIfNull(setting);
        var run = setting.Run(method);
        return
            Before(run, SplitNames.Forget) is { } f0
            && Before(run, SplitNames.Retain) is { } r0
            && MarkingRule.IsBroken(f0.Value, r0.Value, 2)
            ? (null, null)
            : (Rouge(MainTable, run, SplitNames.Forget), Rouge(MainTable, run, SplitNames.Retain));
    }

    /// <summary>What a comparison of one side is called.</summary>
    public string Side(Setting setting, string method, string split)
    {
        ArgumentNullException.ThrowIfNull(setting);
        return $"{Label(method)} {split} on {setting.Label}";
    }

    private Quantity? Before(ScoreKey run, string split) =>
        Rouge(MainTable, run with { Method = ScoreBook.Untouched }, split);

    /// <summary>
    /// Whether a run is broken or forgot nothing, as its numbers are printed; null without numbers.
    /// </summary>
    public bool? IsGrey(string table, ScoreKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var before = relative ? Rouge(table, key with { Method = ScoreBook.Untouched }, SplitNames.Forget) : null;
        return Rouge(table, key, SplitNames.Forget) is { } f && Rouge(table, key, SplitNames.Retain) is { } r
            ? MarkingRule.IsGrey(f.Value, r.Value, before?.Value, 2)
            : null;
    }

    /// <summary>
    /// For each method that was run on a set: whether it is among the two best on some forget column and some retain
    /// column of one setting of Table 1, as 1 or 0.
    /// </summary>
    public IReadOnlyDictionary<string, Quantity> BestOnBothSides(string set)
    {
        ArgumentNullException.ThrowIfNull(set);
        if (_best.TryGetValue(set, out var known))
            return known;
        var ranks = SettingsOf(set).Select(s => new TwoBest(book, resamples, s, relative)).ToList();
        var inAll = resamples is not null && ranks.All(r => r.IsResampled);
        return _best[set] = Every
            .Where(m => ranks.Any(r => r.Has(m)))
            .ToDictionary(
                m => m,
                m => new Quantity(
                    ranks.Any(r => r.Of(null).Contains(m)) ? 1 : 0,
                    inAll
                        ?
                        [
                            .. Enumerable
                                .Range(0, PairedResamples.Count)
                                .Select(b => ranks.Any(r => r.Of(b).Contains(m)) ? 1.0 : 0.0),
                        ]
                        : null
                )
            );
    }

    /// <summary>A human mean; null where nobody was asked.</summary>
    public Quantity? Rated(string measure, string method, bool after) =>
        ratings
            .Where(r =>
                r.Measure == measure
                && r.Method == method
                && (after ? r.Variant == "after" : r.Variant is "before" or "")
            )
            .OrderByDescending(r => r.Raters == "unflagged")
            .FirstOrDefault()
            is { Mean: { } mean } found
            ? Quantity.WithInterval(mean, found is { CiLow: { } low, CiHigh: { } high } ? (low, high) : null)
            : null;

    /// <summary>The method in print.</summary>
    public string Label(string method) => scope.MethodLabel(method);

    /// <summary>Three decimals.</summary>
    public static string Text(Quantity? value) => value is null ? "none" : Text(value.Value);

    /// <summary>Three decimals.</summary>
    public static string Text(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>Methods with their numbers, as text.</summary>
    public string List(IEnumerable<(string Method, Quantity? Number)> numbers) =>
        string.Join(", ", numbers.Select(s => $"{Label(s.Method)} {Text(s.Number)}"));
}
