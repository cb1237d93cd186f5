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
        private string Note => Captions.Warning(scope.Kind);

        private ScoreKey Key(
            string model,
            string data,
            int size,
            string method,
            string? target = null,
            int merge = 1
        ) => new(model, data, size, method, target ?? scope.Target, merge, SplitNames.Forget, ColumnNames.Rouge1);

        private PlottedValue? Rouge(string table, ScoreKey key, string split, bool inverted) =>
            book.Find(table, key with { Split = split }) is { Mean: { } mean } s
                ? inverted
                    ? new PlottedValue(1 - mean, 1 - s.CiHigh, 1 - s.CiLow)
                    : new PlottedValue(mean, s.CiLow, s.CiHigh)
                : null;

        private PlottedValue? Score(string table, ScoreKey key) =>
            FigureCatalog.Score(book, table, key) is { } x ? new PlottedValue(x) : null;

        public Figure Sizes()
        {
            Panel Of(string title, string split, bool inverted) =>
                new(
                    PanelKind.Lines,
                    title,
                    "questions to be forgotten",
                    [.. scope.Sizes.Select(n => n.ToString(CultureInfo.InvariantCulture))],
                    0,
                    1,
                    [
                        .. Selected.Select(m => new Series(
                            scope.MethodLabel(m),
                            [
                                .. scope.Sizes.Select(n =>
                                    Rouge("table5", Key(scope.Main, scope.Facts, n, m), split, inverted)
                                ),
                            ]
                        )),
                    ],
                    []
                );
            return new Figure(
                "figure3",
                $"Forget sets of different size: facts, {scope.LabelOf(scope.Main)}",
                Note,
                [
                    Of("forgotten: 1 − Rouge1 on the forget set", SplitNames.Forget, true),
                    Of("kept: Rouge1 on the retain set", SplitNames.Retain, false),
                ]
            );
        }

        public Figure ScoreBars()
        {
            Panel Of(string title, string model, string data, int size) =>
                new(
                    PanelKind.Bars,
                    title,
                    "",
                    [.. scope.Methods.Select(m => m.Label)],
                    0,
                    2,
                    [
                        new Series("unlearning", Family(model, data, size, false)),
                        new Series("editing", Family(model, data, size, true)),
                    ],
                    [new("useless or unforgetting", 1)]
                );
            PlottedValue?[] Family(string model, string data, int size, bool editing) =>
                [
                    .. scope.Methods.Select(m =>
                        m.IsEditing == editing ? Score("table1", Key(model, data, size, m.Name)) : null
                    ),
                ];
            return new Figure(
                "figure4-left",
                "Score: 1 − Rouge1 forget + Rouge1 retain (2 ideal, 1 useless)",
                Note,
                [
                    Of(
                        $"{scope.FactsSize} facts (pretrained), {scope.LabelOf(scope.Main)}",
                        scope.Main,
                        scope.Facts,
                        scope.FactsSize
                    ),
                    Of(
                        $"{scope.ContractsSize} contract questions (finetuned), {scope.LabelOf(scope.Second)}",
                        scope.Second,
                        scope.Contracts,
                        scope.ContractsSize
                    ),
                ]
            );
        }

        public Figure Radar() =>
            new(
                "figure4-right",
                $"Three sides of forgetting: {scope.FactsSize} facts, {scope.LabelOf(scope.Main)}",
                Note,
                [
                    new Panel(
                        PanelKind.Radar,
                        "",
                        "",
                        ["forgotten", "rephrased", "kept"],
                        0,
                        1,
                        [
                            .. Selected.Select(m => new Series(
                                scope.MethodLabel(m),
                                [
                                    Rouge(
                                        "table1",
                                        Key(scope.Main, scope.Facts, scope.FactsSize, m),
                                        SplitNames.Forget,
                                        true
                                    ),
                                    Rouge(
                                        "table2",
                                        Key(scope.Main, scope.Facts, scope.FactsSize, m),
                                        SplitNames.Rephrased,
                                        true
                                    ),
                                    Rouge(
                                        "table1",
                                        Key(scope.Main, scope.Facts, scope.FactsSize, m),
                                        SplitNames.Retain,
                                        false
                                    ),
                                ]
                            )),
                        ],
                        []
                    ),
                ]
            );

        public Figure Improvement(IReadOnlyList<RatedMean> ratings)
        {
            // After self-improvement only what edits towards the new refusals has a value.
            Panel Of(string title, double low, double high, Func<string, string, PlottedValue?> value) =>
                new(
                    PanelKind.Bars,
                    title,
                    "",
                    [.. Selected.Select(scope.MethodLabel)],
                    low,
                    high,
                    [
                        new Series("plain refusals", [.. Selected.Select(m => value(m, "plain"))]),
                        new Series(
                            "self-improved refusals",
                            [.. Selected.Select(m => m is "wise" or "alphaedit" ? value(m, "self-improved") : null)]
                        ),
                    ],
                    []
                );
            ScoreKey At(string m, string target) => Key(scope.Main, scope.Facts, scope.ImprovedSize, m, target);
            PlottedValue? Rated(string measure, string method, string target)
            {
                // Without the raters who failed the attention items, where both results are there.
                var found = ratings
                    .Where(r =>
                        r.Measure == measure
                        && r.Method == method
                        && (
                            r.Variant == (target == "plain" ? "before" : "after")
                            || (r.Variant.Length == 0 && target == "plain")
                        )
                    )
                    .OrderByDescending(r => r.Raters == "unflagged")
                    .FirstOrDefault();
                return found is { Mean: { } mean } ? new PlottedValue(mean, found.CiLow, found.CiHigh) : null;
            }
            PlottedValue? StandIn(string metric, string m, string target, bool inverted) =>
                book.Find("table6", At(m, target) with { Split = SplitNames.Forget, Metric = metric })
                    is { Mean: { } mean } s
                    ? inverted
                        ? new PlottedValue(1 - mean, 1 - s.CiHigh, 1 - s.CiLow)
                        : new PlottedValue(mean, s.CiLow, s.CiHigh)
                    : null;
            var rephrased = Of(
                "1 − Rouge1, rephrased",
                0,
                1,
                (m, t) => Rouge("table6", At(m, t), SplitNames.Rephrased, true)
            );
            var note =
                ratings.Count > 0
                    ? "Means of human ratings, counted where the rater marked the answer as forgotten."
                    : "No human ratings: the two panels on the right are automatic stand-ins for the form of an "
                        + "answer, not judgements of people.";
            return new Figure(
                "figure6-left",
                $"Before and after self-improvement: {scope.ImprovedSize} facts, {scope.LabelOf(scope.Main)}",
                string.Join(' ', ((string[])[Note, note]).Where(n => n.Length > 0)),
                ratings.Count > 0
                    ?
                    [
                        rephrased,
                        Of("trustworthiness (1 to 5)", 1, 5, (m, t) => Rated("trustworthiness", m, t)),
                        Of("entailment (1 to 5)", 1, 5, (m, t) => Rated("entailment", m, t)),
                    ]
                    :
                    [
                        rephrased,
                        Of("stand-in: 1 − repetition", 0, 1, (m, t) => StandIn("repetition", m, t, true)),
                        Of("stand-in: entity named", 0, 1, (m, t) => StandIn("entityMention", m, t, false)),
                    ]
            );
        }

        public Figure Merging()
        {
            var merges = scope.Merges.Prepend(1).ToList();
            ReferenceLine[] references =
            [
                .. ((string[])["alphaedit", "gd", "dpo"])
                    .Select(m =>
                        (
                            Label: scope.MethodLabel(m),
                            Value: Score("table5", Key(scope.Main, scope.Facts, scope.MergedSize, m))
                        )
                    )
                    .Where(r => r.Value is not null)
                    .Select(r => new ReferenceLine(r.Label + ", not merged", r.Value!.Value)),
            ];
            return new Figure(
                "figure6-right",
                $"Merging queries: {scope.MergedSize} facts, {scope.LabelOf(scope.Main)}",
                Note,
                [
                    new Panel(
                        PanelKind.Lines,
                        "score: 1 − Rouge1 forget + Rouge1 retain",
                        "questions merged into one",
                        [.. merges.Select(k => k.ToString(CultureInfo.InvariantCulture))],
                        0.8,
                        2,
                        [
                            .. ((string[])["rome", "memit"]).Select(m => new Series(
                                scope.MethodLabel(m),
                                [
                                    .. merges.Select(k =>
                                        Score(
                                            k == 1 ? "table5" : "table7",
                                            Key(scope.Main, scope.Facts, scope.MergedSize, m, merge: k)
                                        )
                                    ),
                                ]
                            )),
                        ],
                        references
                    ),
                ]
            );
        }
    }
}
