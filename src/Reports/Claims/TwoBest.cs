using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports.Claims;

/// <summary>
/// Who is among the two best of one setting of Table 1, by the rule of the underline, on both sides: on some column of
/// the forget set and on some column of the retain set.
/// </summary>
internal sealed class TwoBest
{
    private const int Decimals = 2;
    private const string MainTable = "table1";

    private static readonly (string Split, string Metric)[] Columns =
    [
        .. ((string[])[SplitNames.Forget, SplitNames.Retain]).SelectMany(s =>
            ScoreColumn.All.Where(c => c.Direction == Direction.Knowledge).Select(c => (s, c.Name))
        ),
    ];

    private readonly Dictionary<(string Method, string Split, string Metric), Number> _numbers = [];
    private readonly bool _relative;

    private sealed record Number(double Value, IReadOnlyList<double>? Resamples);

    public TwoBest(IScoreBook book, PairedResamples? resamples, ClaimNumbers.Setting setting, bool relative)
    {
        _relative = relative;
        foreach (var method in ClaimNumbers.Every.Append(ScoreBook.Untouched))
            foreach (var (split, metric) in Columns)
            {
                var place = setting.Run(method) with { Split = split, Metric = metric };
                if (book.Find(MainTable, place)?.Mean is { } mean)
                    _numbers[(method, split, metric)] = new Number(mean, resamples?.Means(place));
            }
    }

    /// <summary>Whether every number has its resamples.</summary>
    public bool IsResampled => _numbers.Values.All(n => n.Resamples is not null);

    /// <summary>Whether a method was run here.</summary>
    public bool Has(string method) =>
        _numbers.ContainsKey((method, SplitNames.Forget, ColumnNames.Rouge1))
        && _numbers.ContainsKey((method, SplitNames.Retain, ColumnNames.Rouge1));

    /// <summary>The methods, in one resample or, for null, from all rows.</summary>
    public IReadOnlySet<string> Of(int? resample)
    {
        double? At(string method, string split, string metric) =>
            _numbers.TryGetValue((method, split, metric), out var n)
                ? resample is { } b && n.Resamples is { } all
                    ? all[b]
                    : n.Value
                : null;
        var before = _relative ? At(ScoreBook.Untouched, SplitNames.Forget, ColumnNames.Rouge1) : null;
        var usable = ClaimNumbers
            .Every.Where(m =>
                !MarkingRule.IsGrey(
                    At(m, SplitNames.Forget, ColumnNames.Rouge1),
                    At(m, SplitNames.Retain, ColumnNames.Rouge1),
                    before,
                    Decimals
                )
            )
            .ToList();
        var sides = Columns
            .GroupBy(c => c.Split)
            .Select(side =>
                side.SelectMany(c =>
                        MarkingRule.TwoBest(
                            usable
                                .Select(m => (Item: m, Value: At(m, c.Split, c.Metric)))
                                .Where(m => m.Value is { } v && double.IsFinite(v))
                                .Select(m =>
                                    (
                                        m.Item,
                                        MarkingRule.Ranked(
                                            m.Value!.Value,
                                            !SplitNames.IsToBeForgotten(c.Split),
                                            Decimals
                                        )
                                    )
                                )
                        )
                    )
                    .ToHashSet(StringComparer.Ordinal)
            )
            .ToList();
        return sides[0].Where(sides[1].Contains).ToHashSet(StringComparer.Ordinal);
    }
}
