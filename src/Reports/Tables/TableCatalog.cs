using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>The seven tables of the paper, each a declaration (docs/metrics.md, "Tables and figures").</summary>
public static class TableCatalog
{
    private const string Unlearning = "unlearning",
        Editing = "editing";
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
        var draft = new Draft(scope, refusals, before);
        return
        [
            draft.Main(),
            draft.Rephrasing(),
            draft.ThirdModel(),
            draft.MoreContracts(),
            draft.Sizes(),
            draft.Improvement(),
            draft.Merging(),
        ];
    }

    private sealed class Draft(StudyScope scope, bool refusals, bool before)
    {
        public TableLayout Main()
        {
            string[] sets = [scope.Facts, scope.Contracts, .. scope.Further];
            var words = sets.Select(s => scope.SetOf(s).InWords).Distinct(StringComparer.Ordinal);
            return new TableLayout
            {
                Name = "table1",
                Title = $"Editing and unlearning compared: {string.Join(", ", words)}",
                Blocks = Blocks(sets, s => s.Heading),
                Groups =
                [
                    .. ((string[])[scope.Main, scope.Second]).Select(m => new LayoutGroup(
                        scope.LabelOf(m),
                        new Where { Model = m },
                        [Forget(), .. Retain(sets)]
                    )),
                ],
            };
        }

        public TableLayout Rephrasing() =>
            new()
            {
                Name = "table2",
                Title = $"The forget set in other words: {Words(scope.Facts)}, {scope.LabelOf(scope.Main)}",
                Blocks = Blocks([scope.Facts], _ => ""),
                Groups = [Of(scope.Main, Rephrased())],
                Marks = Marks.Bold,
                RiseOver = SplitNames.Forget,
            };

        // The paper has GD, DPO, WISE and AlphaEdit only.
        public TableLayout ThirdModel() =>
            new()
            {
                Name = "table3",
                Title = $"A further model: {Words(scope.Facts)}, {scope.LabelOf(scope.Third)}",
                Blocks = Blocks([scope.Facts], _ => ""),
                Groups = [Of(scope.Third, [Forget(), .. Retain(scope.Facts)])],
                Decimals = 3,
            };

        public TableLayout MoreContracts() =>
            new()
            {
                Name = "table4",
                Title = $"More contracts, and what forgetting them does to facts: {Words(scope.MoreContracts)}",
                Blocks =
                [
                    .. ((string[])[scope.Main, scope.Second]).Select(m => new LayoutBlock(
                        scope.LabelOf(m),
                        new Where { Model = m, Set = scope.MoreContracts },
                        Every(scope.MoreContracts)
                    )),
                ],
                Groups =
                [
                    new(
                        "",
                        Where.Nothing,
                        [
                            Forget(),
                            .. Retain(scope.MoreContracts),
                            Rephrased(),
                            new(SplitNames.Factual, "Facts", [ColumnNames.Rouge1]),
                        ]
                    ),
                ],
            };

        public TableLayout Sizes() =>
            new()
            {
                Name = "table5",
                Title = $"Forget sets of different size: {scope.DataOf(scope.Sizes)}, {scope.LabelOf(scope.Main)}",
                Blocks = Blocks(scope.Sizes, s => s.InWords),
                Groups = [Of(scope.Main, [Forget(), .. Retain([.. scope.Sizes])])],
                Decimals = 3,
            };

        public TableLayout Improvement()
        {
            LayoutBlock Half(string label, string set, string other) =>
                new(
                    label,
                    new Where { Set = set, Baselines = [other] },
                    [.. On(set).Where(m => m.IsEditing).Select(Row)]
                );
            var (first, second) = (scope.BeforeImprovement, scope.AfterImprovement);
            return new TableLayout
            {
                Name = "table6",
                Title = $"Editing before and after self-improvement: {Words(first)}, {scope.LabelOf(scope.Main)}",
                Blocks =
                [
                    Half("Before: plain refusals", first, second),
                    Half("After: self-improved refusals", second, first),
                ],
                Groups = [Of(scope.Main, [Forget(), .. Retain(first, second), Rephrased()])],
                Decimals = 3,
                Marks = Marks.Grey,
                ComparesTargets = true,
            };
        }

        public TableLayout Merging()
        {
            var labels = scope.Labels(scope.Merged, Merge);
            return new TableLayout
            {
                Name = "table7",
                Title = $"Queries merged before the edit: {Words(scope.Unmerged)}, {scope.LabelOf(scope.Main)}",
                Blocks =
                [
                    .. ((string[])["rome", "memit"]).Select(m => new LayoutBlock(
                        scope.MethodLabel(m),
                        new Where { Method = m, Baselines = [scope.Unmerged] },
                        [
                            .. scope.Merged.Zip(
                                labels,
                                (set, label) => new LayoutRow(label, new Where { Set = set }, Editing)
                            ),
                        ]
                    )),
                ],
                Groups = [Of(scope.Main, [Forget(), .. Retain([scope.Unmerged, .. scope.Merged]), Rephrased()])],
                Decimals = 3,
                Marks = Marks.Grey,
            };
        }

        private static string Merge(StudySet set) =>
            set.Size is { } n ? $"{set.Merge} into 1 ({(n + set.Merge - 1) / set.Merge} edits)" : set.Name;

        private string Words(string set) => scope.SetOf(set).InWords;

        // A block of all methods for each set, one heading each.
        private IReadOnlyList<LayoutBlock> Blocks(IReadOnlyList<string> sets, Func<StudySet, string> heading) =>
            [
                .. sets.Zip(
                    scope.Labels(sets, heading),
                    (set, label) => new LayoutBlock(label, new Where { Set = set }, Every(set))
                ),
            ];

        private IReadOnlyList<LayoutRow> Every(string set) =>
            [
                .. before ? (LayoutRow[])[new("before", new Where { Method = ScoreBook.Untouched }, null)] : [],
                .. On(set).Select(Row),
            ];

        private IEnumerable<ReportMethod> On(string set) =>
            scope.Methods.Where(m => m.OnlyIn is null || m.OnlyIn.Contains(set));

        private static LayoutRow Row(ReportMethod m) =>
            new(
                m.Heading,
                new Where { Method = m.Name },
                !m.InPaper ? LayoutRow.Further
                    : m.IsEditing ? Editing
                    : Unlearning
            );

        private static LayoutGroup Of(string model, params IReadOnlyList<LayoutColumns> columns) =>
            new("", new Where { Model = model }, columns);

        private LayoutColumns Forget() => new(SplitNames.Forget, "Forget set (reliability)", WithRefusals);

        // The paper scores rows that methods may train on: its reading stays a column where we score others.
        private IEnumerable<LayoutColumns> Retain(params string[] sets)
        {
            yield return new(SplitNames.Retain, "Retain set (locality)", WithRefusals);
            if (sets.Any(s => scope.SetOf(s).Unseen > 0))
                yield return new(SplitNames.RetainAll, "All", [ColumnNames.Rouge1]);
        }

        private static LayoutColumns Rephrased() => new(SplitNames.Rephrased, "Rephrased forget set", Four);

        private IReadOnlyList<string> WithRefusals { get; } =
            refusals ? [ColumnNames.Rouge1, ColumnNames.Refusals, .. Four[1..]] : Four;
    }
}
