using System.Globalization;
using System.Text;

namespace EditUnlearn.Benchmarks.Beside;

/// <summary>Both sides in Markdown: every run, then means over draws with a verdict for each number.</summary>
internal static class BesideTable
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;
    private static readonly string[] Splits = ["forget", "rephrased", "retain seen", "retain unseen"];

    /// <summary>How far means may lie apart, whatever their noise.</summary>
    private const double Near = 0.1;

    /// <summary>Two tables.</summary>
    /// <param name="runs">Those of the study that were repeated, with ours.</param>
    public static string Of(IReadOnlyList<(StudyRun Theirs, OurRun Ours)> runs)
    {
        var ordered = runs.OrderBy(r => r.Theirs.Training is not null)
            .ThenBy(r => r.Theirs.Method, StringComparer.Ordinal)
            .ThenBy(r => r.Theirs.Setting, StringComparer.Ordinal)
            .ThenBy(r => r.Theirs.Draw)
            .ToList();
        var text = new StringBuilder();
        text.Append("Each cell: reference / ours (ours - reference). A star: seconds of the wall clock.\n\n");
        text.Append(Invariant, $"| method | setting | draw | {string.Join(" | ", Splits)} ");
        text.Append("| same answers | first loss | last loss | change | CPU s, change + asking |\n");
        text.Append("|---|---|---|---|---|---|---|---|---|---|---|---|\n");
        foreach (var (theirs, ours) in ordered)
            text.Append(Row(theirs, ours));
        text.Append("\nMean (sigma) over draws, reference / ours.\n\n");
        text.Append(Invariant, $"| method | setting | draws | {string.Join(" | ", Splits)} |\n");
        text.Append("|---|---|---|---|---|---|---|\n");
        foreach (var group in ordered.GroupBy(r => (r.Theirs.Method, r.Theirs.Setting)))
            text.Append(Summary(group.Key.Method, group.Key.Setting, [.. group]));
        return text.ToString();
    }

    private static string Row(StudyRun theirs, OurRun ours)
    {
        var cells = theirs
            .Means.All()
            .Zip(
                ours.Means.All(),
                (t, o) => string.Create(Invariant, $"{Short(t)} / {Short(o)} ({o - t:+.00;-.00;.00})")
            );
        var same = theirs.Said.Count(s => ours.Said.GetValueOrDefault(s.Key) == s.Value.Trim());
        var wall = theirs.Training is null ? "*" : "";
        var seconds = string.Create(Invariant, $"{theirs.EditSeconds:0} + {theirs.AskSeconds:0}{wall}");
        return string.Create(
            Invariant,
            $"| {theirs.Method} | {theirs.Setting} | {theirs.Draw} | {string.Join(" | ", cells)} "
                + $"| {same} of {theirs.Said.Count} | {Pair(theirs.Trace.FirstLoss, ours.Trace.FirstLoss)} "
                + $"| {Pair(theirs.Trace.LastLoss, ours.Trace.LastLoss)} "
                + $"| {Pair(theirs.Trace.Change, ours.Trace.Change)} "
                + $"| {seconds} / {ours.EditSeconds:0} + {ours.AskSeconds:0} |\n"
        );
    }

    private static string Summary(string method, string setting, List<(StudyRun Theirs, OurRun Ours)> runs)
    {
        var cells = Enumerable
            .Range(0, Splits.Length)
            .Select(i =>
                Verdict([.. runs.Select(r => r.Theirs.Means.All()[i])], [.. runs.Select(r => r.Ours.Means.All()[i])])
            );
        return string.Create(Invariant, $"| {method} | {setting} | {runs.Count} | {string.Join(" | ", cells)} |\n");
    }

    // Sigma of one draw, the larger of both sides'.
    private static string Verdict(double[] theirs, double[] ours)
    {
        var (difference, sigma) = (
            Math.Abs(theirs.Average() - ours.Average()),
            Math.Max(Sigma(theirs) ?? 0, Sigma(ours) ?? 0)
        );
        var verdict =
            difference <= Near + 1e-9 ? "within .1"
            : difference <= 2 * sigma ? "within two sigma"
            : theirs.Length == 1 ? "**beyond .1, one draw**"
            : "**beyond**";
        return $"{Mean(theirs)} / {Mean(ours)}: {verdict}";
    }

    private static string Mean(double[] values) =>
        Sigma(values) is { } sigma ? $"{Short(values.Average())} ({Short(sigma)})" : Short(values.Average());

    private static double? Sigma(double[] values)
    {
        var mean = values.Average();
        return values.Length < 2 ? null : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }

    private static string Short(double value) => value.ToString(value < 0.995 ? ".00" : "0.00", Invariant);

    private static string Pair(double? theirs, double? ours) =>
        theirs is { } t && ours is { } o ? string.Create(Invariant, $"{t:0.000} / {o:0.000}") : "";
}
