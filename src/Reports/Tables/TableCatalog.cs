using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>The seven tables of the paper, each a declaration (docs/metrics.md, "Tables and figures").</summary>
public static class TableCatalog
{
    private const string Unlearning = "unlearning",
        Editing = "editing";
    private static readonly (string Target, string Label)[] Halves =
    [
        ("plain", "Before: plain refusals"),
        ("self-improved", "After: self-improved refusals"),
    ];
    private static readonly string[] Four =
    [
        ColumnNames.Rouge1,
        ColumnNames.Probability,
        ColumnNames.ReciprocalRank,
        ColumnNames.HitRate,
    ];

    /// <summary>All tables for a study.</summary>
    /// <param name="scope">Who plays which part.</param>
    /// <param name="refusals">Whether the share of refusals stands beside every Rouge1 of forget and retain; the paper
    /// has no such column.</param>
    /// <param name="before">Whether the untouched model has a row.</param>
    public static IReadOnlyList<TableLayout> All(StudyScope scope, bool refusals = true, bool before = true)
    {
        ArgumentNullException.ThrowIfNull(scope);
        LayoutRow Row(ReportMethod m) =>
            new(m.Label, new Where { Method = m.Name }, m.IsEditing ? Editing : Unlearning);
        List<LayoutRow> untouched = before
            ?
            [
                new(
                    "before",
                    new Where
                    {
                        Method = ScoreBook.Untouched,
                        Target = "",
                        Merge = 1,
                    },
                    null
                ),
            ]
            : [];
        List<LayoutRow> every = [.. untouched, .. scope.Methods.Select(Row)];
        string[] Metrics(bool withRefusals) =>
            withRefusals && refusals ? [ColumnNames.Rouge1, ColumnNames.Refusals, .. Four[1..]] : Four;
        LayoutColumns Forget(bool more = true) => new(SplitNames.Forget, "Forget set (reliability)", Metrics(more));
        LayoutColumns Retain(bool more = true) => new(SplitNames.Retain, "Retain set (locality)", Metrics(more));
        LayoutColumns Rephrased() => new(SplitNames.Rephrased, "Rephrased forget set", Four);
        LayoutGroup Plain(string model, params LayoutColumns[] columns) =>
            new("", new Where { Model = model, Target = scope.Target }, columns);
        LayoutGroup Named(string model, params LayoutColumns[] columns) =>
            new(scope.LabelOf(model), new Where { Model = model, Target = scope.Target }, columns);
        LayoutBlock Facts(int size, string label) => new(label, new Where { Data = scope.Facts, Size = size }, every);
        LayoutBlock Contracts(int size, string label) =>
            new(label, new Where { Data = scope.Contracts, Size = size }, every);
        var main = scope.LabelOf(scope.Main);
        return
        [
            new TableLayout
            {
                Name = "table1",
                Title =
                    $"Editing and unlearning compared: {scope.FactsSize} facts, {scope.ContractsSize} contract "
                    + "questions",
                Blocks =
                [
                    Facts(scope.FactsSize, "Facts (knowledge from pretraining)"),
                    Contracts(scope.ContractsSize, "Contracts (knowledge from finetuning)"),
                ],
                Groups = [Named(scope.Main, Forget(), Retain()), Named(scope.Second, Forget(), Retain())],
            },
            new TableLayout
            {
                Name = "table2",
                Title = $"The forget set in other words: {scope.FactsSize} facts, {main}",
                Blocks = [Facts(scope.FactsSize, "")],
                Groups = [Plain(scope.Main, Rephrased())],
                Marks = Marks.Bold,
                RiseOver = SplitNames.Forget,
            },
            new TableLayout
            {
                Name = "table3",
                Title = $"A further model: {scope.FactsSize} facts, {scope.LabelOf(scope.Third)}",
                Blocks = [Facts(scope.FactsSize, "")], // the paper has GD, DPO, WISE and AlphaEdit only
                Groups = [Plain(scope.Third, Forget(), Retain())],
                Decimals = 3,
            },
            new TableLayout
            {
                Name = "table4",
                Title =
                    $"More contracts, and what forgetting them does to facts: {scope.LargeContractsSize} contract "
                    + "questions",
                Blocks =
                [
                    .. ((string[])[scope.Main, scope.Second]).Select(m => new LayoutBlock(
                        scope.LabelOf(m),
                        new Where
                        {
                            Model = m,
                            Data = scope.Contracts,
                            Size = scope.LargeContractsSize,
                        },
                        every
                    )),
                ],
                Groups =
                [
                    new(
                        "",
                        new Where { Target = scope.Target },
                        [Forget(), Retain(), Rephrased(), new(SplitNames.Factual, "Facts", [ColumnNames.Rouge1])]
                    ),
                ],
            },
            new TableLayout
            {
                Name = "table5",
                Title = $"Forget sets of different size: facts, {main}",
                Blocks = [.. scope.Sizes.Select(n => Facts(n, $"{n} facts"))],
                Groups = [Plain(scope.Main, Forget(), Retain())],
                Decimals = 3,
            },
            new TableLayout
            {
                Name = "table6",
                Title = $"Editing before and after self-improvement: {scope.ImprovedSize} facts, {main}",
                Blocks =
                [
                    .. Halves.Select(h => new LayoutBlock(
                        h.Label,
                        new Where
                        {
                            Data = scope.Facts,
                            Size = scope.ImprovedSize,
                            Target = h.Target,
                        },
                        [.. scope.Methods.Where(m => m.IsEditing).Select(Row)]
                    )),
                ],
                Groups = [new("", new Where { Model = scope.Main }, [Forget(), Retain(), Rephrased()])],
                Decimals = 3,
                Marks = Marks.Grey,
                NamesTarget = true,
            },
            new TableLayout
            {
                Name = "table7",
                Title = $"Queries merged before the edit: {scope.MergedSize} facts, {main}",
                Blocks =
                [
                    .. ((string[])["rome", "memit"]).Select(m => new LayoutBlock(
                        scope.MethodLabel(m),
                        new Where
                        {
                            Method = m,
                            Data = scope.Facts,
                            Size = scope.MergedSize,
                        },
                        [
                            .. scope.Merges.Select(k => new LayoutRow(
                                $"{k} into 1 ({(scope.MergedSize + k - 1) / k} edits)",
                                new Where { Merge = k },
                                Editing
                            )),
                        ]
                    )),
                ],
                Groups =
                [
                    new("", new Where { Model = scope.Main, Target = scope.Target }, [Forget(), Retain(), Rephrased()]),
                ],
                Decimals = 3,
                Marks = Marks.Grey,
            },
        ];
    }
}
