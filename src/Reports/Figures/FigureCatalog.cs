using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports.Figures;

/// <summary>The paper's figures made of numbers, as data: Figures 3, 4 and 6.</summary>
public static class FigureCatalog
{
    /// <summary>The four that the paper compares closely.</summary>
    private static readonly string[] Selected = ["gd", "dpo", "wise", "alphaedit"];

    /// <summary>
    /// Columns beyond those of the tables that figures read: forms of an answer, standing in for ratings.
    /// </summary>
    public static IReadOnlyList<string> StandIns { get; } = ["entityMention", "repetition"];

    /// <summary>Names of all figures, for who must declare their files.</summary>
    public static IReadOnlyList<string> Names { get; } =
    ["figure3", "figure4-left", "figure4-right", "figure6-left", "figure6-right"];

    /// <summary>All figures.</summary>
    /// <param name="book">The numbers.</param>
    /// <param name="scope">Who plays which part.</param>
    /// <param name="ratings">What people said; empty where nobody was asked.</param>
    public static IReadOnlyList<Figure> All(IScoreBook book, StudyScope scope, IReadOnlyList<RatedMean> ratings)
    {
        ArgumentNullException.ThrowIfNull(book);
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(ratings);
        var draw = new Draw(book, scope);
        return [draw.Sizes(), draw.ScoreBars(), draw.Radar(), draw.Improvement(ratings), draw.Merging()];
    }

    /// <summary>
    /// 1 - Rouge1 on the forget set + Rouge1 on the retain set: 2 is ideal, 1 is useless or unforgetting.
    /// </summary>
    public static double? Score(IScoreBook book, string table, ScoreKey key)
    {
        ArgumentNullException.ThrowIfNull(book);
        ArgumentNullException.ThrowIfNull(key);
        return
            book.Find(table, key with { Split = SplitNames.Forget, Metric = ColumnNames.Rouge1 })?.Mean is { } f
            && book.Find(table, key with { Split = SplitNames.Retain, Metric = ColumnNames.Rouge1 })?.Mean is { } r
            ? 1 - f + r
            : null;
    }

    /// <summary>sqrt(f^2 + (1 - r)^2): distance of a method to what it should do.</summary>
    public static double DistanceToIdeal(double forget, double retain) =>
        Math.Sqrt(forget * forget + (1 - retain) * (1 - retain));

    private sealed class Draw(IScoreBook book, StudyScope scope)
    {
        // What the models are comes first, then what is drawn.
        private string Note(params IEnumerable<string> sentences) =>
            string.Join(' ', sentences.Prepend(Captions.Warning(scope.Kind)).Where(s => s.Length > 0));

        // Silent where no interval is drawn.
        private string Intervals(IReadOnlyList<Panel> panels, string table, string model, IEnumerable<string> sets)
        {
            if (panels.SelectMany(p => p.Series).SelectMany(s => s.Values).All(v => v is null or { Low: null }))
                return "";
            var seeds = sets.SelectMany(s =>
                    scope.Drawn.Select(m => book.Find(table, Key(model, s, m.Name))?.Seeds ?? 1)
                )
                .Max();
            return "Thin vertical lines: 95% intervals over questions"
                + (seeds > 1 ? $", means over {seeds} seeds." : ", one seed.");
        }

        private string Unseen(IEnumerable<string> sets) =>
            sets.All(s => scope.SetOf(s).Unseen > 0) ? "Retain: questions that no method has trained on." : "";

        private static ScoreKey Key(string model, string set, string method) =>
            new(model, set, method, SplitNames.Forget, ColumnNames.Rouge1);

        private string Words(string set) => scope.SetOf(set).InWords;

        private PlottedValue? Rouge(string table, ScoreKey key, string split, bool inverted) =>
            Plotted(book.Find(table, key with { Split = split }), inverted);

        private static PlottedValue? Plotted(CellScore? score, bool inverted) =>
            score is { Mean: { } mean } s
                ? inverted
                    ? new PlottedValue(1 - mean, 1 - s.CiHigh, 1 - s.CiLow)
                    : new PlottedValue(mean, s.CiLow, s.CiHigh)
                : null;

        private PlottedValue? Score(string table, ScoreKey key) =>
            FigureCatalog.Score(book, table, key) is not { } x ? null
            : book.Find(table, key with { Split = SplitNames.Both, Metric = MetricNames.Score }) is { } own
                ? new PlottedValue(x, own.CiLow, own.CiHigh)
            : new PlottedValue(x);

        public Figure Sizes()
        {
            Panel Of(string title, string split, bool inverted) =>
                new(
                    PanelKind.Lines,
                    title,
                    "forget samples",
                    [.. scope.Sizes.Select(Size)],
                    0,
                    1,
                    [
                        .. Selected.Select(m => new Series(
                            scope.MethodLabel(m),
                            [.. scope.Sizes.Select(s => Rouge("table5", Key(scope.Main, s, m), split, inverted))]
                        )),
                    ],
                    []
                );
            Panel[] panels =
            [
                Of("forget set: 1 − Rouge1 (higher is better)", SplitNames.Forget, true),
                Of("retain set: Rouge1 (higher is better)", SplitNames.Retain, false),
            ];
            return new Figure(
                "figure3",
                $"Different numbers of forget samples: {scope.DataOf(scope.Sizes)}, {scope.LabelOf(scope.Main)}",
                Note(Unseen(scope.Sizes), Intervals(panels, "table5", scope.Main, scope.Sizes)),
                panels
            );
        }

        // A place along x is a number. A set whose size the study does not say has that of its scores.
        private string Size(string set) =>
            (
                scope.SetOf(set).Size
                ?? scope
                    .Methods.Select(m => book.Find("table5", Key(scope.Main, set, m.Name))?.Size)
                    .FirstOrDefault(n => n is not null)
                ?? 0
            ).ToString(CultureInfo.InvariantCulture);

        public Figure ScoreBars()
        {
            Panel Of(string title, string model, string set) =>
                new(
                    PanelKind.Bars,
                    title,
                    "",
                    [.. scope.Drawn.Select(m => m.Heading)],
                    0,
                    2,
                    [
                        new Series("unlearning", Family(model, set, false)),
                        new Series("editing", Family(model, set, true)),
                    ],
                    [new("useless or unforgetting", 1)]
                );
            // The paper has its second model here; a study of one model shows that one.
            var taught =
                ((string[])[scope.Second, scope.Main]).FirstOrDefault(model =>
                    scope.Drawn.Any(m => Score("table1", Key(model, scope.Contracts, m.Name)) is not null)
                ) ?? scope.Second;
            PlottedValue?[] Family(string model, string set, bool editing) =>
                [.. scope.Drawn.Select(m => m.IsEditing == editing ? Score("table1", Key(model, set, m.Name)) : null)];
            Panel[] panels =
            [
                Of($"{Words(scope.Facts)} (pretrained), {scope.LabelOf(scope.Main)}", scope.Main, scope.Facts),
                Of($"{Words(scope.Contracts)} (finetuned), {scope.LabelOf(taught)}", taught, scope.Contracts),
            ];
            return new Figure(
                "figure4-left",
                "Comprehensive score: 1 − Rouge1@Forget + Rouge1@Retain",
                Note(
                    "2: all of the forget set is gone and the retain set is whole. 1, dotted: nothing is forgotten, or "
                        + "the model is useless.",
                    Unseen([scope.Facts, scope.Contracts]),
                    Intervals(panels, "table1", scope.Main, [scope.Facts]),
                    scope.Drawn.Any(m => !m.InPaper) ? "*: not in the paper." : ""
                ),
                panels
            );
        }

        public Figure Radar() =>
            new(
                "figure4-right",
                $"Forget, rephrase, retain: {Words(scope.Facts)}, {scope.LabelOf(scope.Main)}",
                Note("Forget and rephrase: 1 − Rouge1; retain: Rouge1. Further out is better.", Unseen([scope.Facts])),
                [
                    new Panel(
                        PanelKind.Radar,
                        "",
                        "",
                        ["forget", "rephrase", "retain"],
                        0,
                        1,
                        [
                            .. Selected.Select(m => new Series(
                                scope.MethodLabel(m),
                                [
                                    Rouge("table1", Key(scope.Main, scope.Facts, m), SplitNames.Forget, true),
                                    Rouge("table2", Key(scope.Main, scope.Facts, m), SplitNames.Rephrased, true),
                                    Rouge("table1", Key(scope.Main, scope.Facts, m), SplitNames.Retain, false),
                                ]
                            )),
                        ],
                        []
                    ),
                ]
            );

        public Figure Improvement(IReadOnlyList<RatedMean> ratings)
        {
            var rephrased = Halves(
                "rephrase: 1 − Rouge1",
                0,
                1,
                (m, after) => Half(m, after, SplitNames.Rephrased, ColumnNames.Rouge1, true)
            );
            var source =
                ratings.Count > 0
                    ? "Means of human ratings, counted where the rater marked the answer as forgotten."
                        + OtherRuns(ratings)
                    : "No human ratings: the two panels on the right are automatic stand-ins for the form of an "
                        + "answer, not judgements of people.";
            Panel[] panels =
                ratings.Count > 0
                    ?
                    [
                        rephrased,
                        .. ((string[])["trustworthiness", "entailment"]).Select(measure =>
                            Halves($"{measure} (1 to 5)", 1, 5, (m, after) => Rated(ratings, measure, m, after))
                        ),
                    ]
                    :
                    [
                        rephrased,
                        Halves(
                            "stand-in: 1 − repetition",
                            0,
                            1,
                            (m, after) => Half(m, after, SplitNames.Forget, "repetition", true)
                        ),
                        Halves(
                            "stand-in: entity named",
                            0,
                            1,
                            (m, after) => Half(m, after, SplitNames.Forget, "entityMention", false)
                        ),
                    ];
            return new Figure(
                "figure6-left",
                $"Before and after the self-improvement pipeline: {Words(scope.BeforeImprovement)}, "
                    + scope.LabelOf(scope.Main),
                Note(
                    source,
                    "GD and DPO are not run towards self-improved refusals.",
                    Intervals(panels, "table6", scope.Main, [scope.BeforeImprovement, scope.AfterImprovement]),
                    panels.Any(HasGaps) ? "—: not run." : ""
                ),
                panels
            );
        }

        // A panel that has values, and a method without any.
        private static bool HasGaps(Panel panel) =>
            panel.Series.Any(s => s.Values.Any(v => v is not null))
            && panel.Categories.Index().Any(c => panel.Series.All(s => s.Values[c.Index] is null));

        // After self-improvement only what edits towards the new refusals has a value.
        private Panel Halves(string title, double low, double high, Func<string, bool, PlottedValue?> value) =>
            new(
                PanelKind.Bars,
                title,
                "",
                [.. Selected.Select(scope.MethodLabel)],
                low,
                high,
                [
                    new Series("plain refusals", [.. Selected.Select(m => value(m, false))]),
                    new Series(
                        "self-improved refusals",
                        [.. Selected.Select(m => m is "wise" or "alphaedit" ? value(m, true) : null)]
                    ),
                ],
                []
            );

        // A method that sees no refusal has the same scores in both halves, but may have been run in one.
        private PlottedValue? Half(string method, bool after, string split, string metric, bool inverted)
        {
            CellScore? Of(string set) =>
                book.Find("table6", Key(scope.Main, set, method) with { Split = split, Metric = metric });
            var (first, second) = (scope.BeforeImprovement, scope.AfterImprovement);
            var found = after ? Of(second) : Of(first) ?? (Of(second) is { Target: "" } other ? other : null);
            return Plotted(found, inverted);
        }

        private string OtherRuns(IReadOnlyList<RatedMean> ratings)
        {
            var other = ratings.Where(r => r.OfAnotherRun).Select(r => scope.MethodLabel(r.Method)).Distinct();
            return string.Join(", ", other) is { Length: > 0 } names
                ? $" Answers of another run were rated: {names}."
                : "";
        }

        // Without the raters who failed the attention items, where both results are there.
        private static PlottedValue? Rated(IReadOnlyList<RatedMean> ratings, string measure, string method, bool after)
        {
            var found = ratings
                .Where(r =>
                    r.Measure == measure
                    && r.Method == method
                    && (after ? r.Variant == "after" : r.Variant is "before" or "")
                )
                .OrderByDescending(r => r.Raters == "unflagged")
                .FirstOrDefault();
            return found is { Mean: { } mean } ? new PlottedValue(mean, found.CiLow, found.CiHigh) : null;
        }

        public Figure Merging()
        {
            (string Table, string Set, int Merge)[] places =
            [
                ("table5", scope.Unmerged, 1),
                .. scope.Merged.Select(s => ("table7", s, scope.SetOf(s).Merge)),
            ];
            ReferenceLine[] references =
            [
                .. ((string[])["alphaedit", "gd", "dpo"])
                    .Select(m =>
                        (Label: scope.MethodLabel(m), Value: Score("table5", Key(scope.Main, scope.Unmerged, m)))
                    )
                    .Where(r => r.Value is not null)
                    .Select(r => new ReferenceLine(r.Label + ", not merged", r.Value!.Value)),
            ];
            var panel = new Panel(
                PanelKind.Lines,
                "score: 1 − Rouge1@Forget + Rouge1@Retain",
                "queries merged into one",
                [.. places.Select(p => p.Merge.ToString(CultureInfo.InvariantCulture))],
                0.8,
                2,
                [
                    .. ((string[])["rome", "memit"]).Select(m => new Series(
                        scope.MethodLabel(m),
                        [.. places.Select(p => Score(p.Table, Key(scope.Main, p.Set, m)))]
                    )),
                ],
                references
            );
            return new Figure(
                "figure6-right",
                $"Query merging: {Words(scope.Unmerged)}, {scope.LabelOf(scope.Main)}",
                Note(Unseen([scope.Unmerged]), Intervals([panel], "table5", scope.Main, [scope.Unmerged])),
                [panel]
            );
        }
    }
}
