using System.Globalization;
using System.Text;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>Every method beside the model that never knew, for one model: LaTeX, Markdown and CSV.</summary>
/// <remarks>
/// A block for each forget set: the untouched model, the methods, and another oracle, whose distance is what two
/// trainings of the same text differ by.
/// </remarks>
public sealed class ForgetQualityTable
{
    private const string Name = "forget-quality";
    private const double Significance = 0.05;

    private readonly IReadOnlyList<(string Set, IReadOnlyList<Line> Lines)> _blocks;
    private readonly IReadOnlyList<ForgetQualityMean> _means;
    private readonly StudyScope _scope;
    private readonly string _model,
        _control;

    private ForgetQualityTable(
        IReadOnlyList<ForgetQualityMean> means,
        IReadOnlyList<(string Set, IReadOnlyList<Line> Lines)> blocks,
        StudyScope scope,
        string control
    )
    {
        (_means, _blocks, _scope, _control) = (means, blocks, scope, control);
        _model = scope.LabelOf(means[0].Model);
    }

    // A row with its printed cells.
    private sealed record Line(string Label, bool Plain, IReadOnlyList<Cell> Cells);

    private sealed record Cell(string Text, bool Bold);

    // A column: how it is read off, how it is printed, and which end of it is nearer to the oracle; null where only a
    // test decides.
    private sealed record Column(
        string Heading,
        Func<ForgetQualityMean, double?> Of,
        Func<double, string> Print,
        bool? HigherIsNearer
    );

    private static readonly Column Rouge = new("Rouge1", m => m.Rouge1, Two, null),
        Same = new("Same", m => m.Same, Two, true),
        Kind = new("Kind", m => m.BothRefuse + m.BothRight + m.BothWrong, Two, true),
        F1 = new("F1", m => m.F1, Two, true),
        Kl = new("KL", m => m.KlTruth, Two, false),
        KlSaid = new("KL said", m => m.KlOracle, Two, false),
        Js = new("JS", m => m.JsTruth, Two, false),
        Probability = new("p", m => m.ProbabilityP, P, null),
        Ratio = new("p ratio", m => m.TruthRatioP, P, null);

    private static readonly Column[] OnForget = [Rouge, Same, Kind, F1, Kl, KlSaid, Js, Probability, Ratio],
        OnControl = [Rouge, Same, Kl, Js, Probability];

    /// <summary>Puts the numbers in place.</summary>
    /// <param name="means">Of one model; at least one.</param>
    /// <param name="scope">Its methods give rows and their order, its sets the words for each block.</param>
    /// <param name="control">The split of what is kept that stands beside the forget set.</param>
    /// <exception cref="ArgumentException">There are no numbers, or those of several models.</exception>
    public static ForgetQualityTable Of(
        IReadOnlyList<ForgetQualityMean> means,
        StudyScope scope,
        string control = SplitNames.Retain
    )
    {
        ArgumentNullException.ThrowIfNull(means);
        ArgumentNullException.ThrowIfNull(scope);
        if (means.Select(m => m.Model).Distinct(StringComparer.Ordinal).Count() != 1)
            throw new ArgumentException("A table is of one model.", nameof(means));
        (string Name, string Label, bool Plain)[] rows =
        [
            (MethodNames.Untouched, "Untouched", true),
            .. scope.Methods.Select(m => (m.Name, m.Heading, false)),
            (MethodNames.Oracle, "Another oracle", true),
        ];
        return new ForgetQualityTable(
            means,
            [.. means.GroupBy(m => m.Set).Select(set => (set.Key, Lines([.. set], rows, control)))],
            scope,
            control
        );
    }

    /// <summary>A table for a paper. Needs booktabs.</summary>
    public string Latex() =>
        Templating.Render(
            "forget-quality.tex",
            new
            {
                Caption = Reports.Latex.Escape(Caption()),
                Name,
                Columns = $"l {new string('r', OnForget.Length)} {new string('r', OnControl.Length)}",
                Heads = Heads(),
                Names = OnForget.Concat(OnControl).Select(c => c.Heading).ToList(),
                Total = 1 + OnForget.Length + OnControl.Length,
                Blocks = _blocks
                    .Select(b => new
                    {
                        Label = Reports.Latex.Escape(Heading(b.Set)),
                        Rows = b
                            .Lines.Select(l => new
                            {
                                Label = l.Plain
                                    ? $@"\textit{{{Reports.Latex.Escape(l.Label)}}}"
                                    : Reports.Latex.Escape(l.Label),
                                Cells = l
                                    .Cells.Select(c =>
                                        c.Bold
                                            ? $@"\textbf{{{Reports.Latex.Escape(c.Text)}}}"
                                            : Reports.Latex.Escape(c.Text)
                                    )
                                    .ToList(),
                            })
                            .ToList(),
                    })
                    .ToList(),
            }
        );

    /// <summary>For a README.</summary>
    public string Markdown()
    {
        var text = new StringBuilder($"**Forget quality.** {Caption()}\n");
        foreach (var (set, lines) in _blocks)
        {
            text.Append($"\n{Heading(set)}:\n\n| |");
            foreach (var (split, columns) in Groups())
                text.AppendJoin("", columns.Select(c => $" {split} {c.Heading} |"));
            text.Append("\n|---|").Insert(text.Length, "---:|", OnForget.Length + OnControl.Length).Append('\n');
            foreach (var line in lines)
                text.Append($"| {(line.Plain ? $"*{line.Label}*" : line.Label)} |")
                    .AppendJoin("", line.Cells.Select(c => $" {(c.Bold ? $"**{Html(c.Text)}**" : Html(c.Text))} |"))
                    .Append('\n');
        }
        return text.ToString();
    }

    /// <summary>Every number of every split, a line each.</summary>
    public string Csv()
    {
        var csv = new StringBuilder(
            "model,set,method,split,n,same,same_se,f1,both_refuse,both_right,both_wrong,oracle_refuses,rouge1,"
                + "rouge1_oracle,finite,kl,kl_se,js,kl_said,js_said,ks_probability,p_probability,n_truth_ratio,"
                + "ks_truth_ratio,p_truth_ratio\n"
        );
        foreach (var m in _means)
            csv.AppendJoin(',', ((string[])[m.Model, m.Set, m.Method, m.Split]).Select(Artifacts.Csv.Quote))
                .Append(',')
                .AppendJoin(
                    ',',
                    (
                        (double?[])
                            [
                                m.Count,
                                m.Same,
                                m.SameError,
                                m.F1,
                                m.BothRefuse,
                                m.BothRight,
                                m.BothWrong,
                                m.OracleRefuses,
                                m.Rouge1,
                                m.OracleRouge1,
                                m.Finite,
                                m.KlTruth,
                                m.KlTruthError,
                                m.JsTruth,
                                m.KlOracle,
                                m.JsOracle,
                                m.ProbabilityD,
                                m.ProbabilityP,
                                m.TruthRatios,
                                m.TruthRatioD,
                                m.TruthRatioP,
                            ]
                    ).Select(v => v?.ToString("R", CultureInfo.InvariantCulture) ?? "")
                )
                .Append('\n');
        return csv.ToString();
    }

    private static List<Line> Lines(
        IReadOnlyList<ForgetQualityMean> set,
        (string Name, string Label, bool Plain)[] rows,
        string control
    )
    {
        ForgetQualityMean? Mean(string method, string split) =>
            set.FirstOrDefault(m => m.Method == method && m.Split == split);
        var lines = new List<Line>();
        foreach (var (name, label, plain) in rows.Where(r => set.Any(m => m.Method == r.Name)))
        {
            IEnumerable<Cell> Cells(string split, Column[] columns) =>
                columns.Select(c =>
                {
                    var value = Mean(name, split) is { } mean ? c.Of(mean) : null;
                    var rivals = rows.Where(r => !r.Plain)
                        .Select(r => Mean(r.Name, split))
                        .OfType<ForgetQualityMean>()
                        .Select(c.Of);
                    return value is { } v ? new Cell(c.Print(v), !plain && IsNear(c, v, rivals)) : new Cell("—", false);
                });
            lines.Add(new Line(label, plain, [.. Cells(SplitNames.Forget, OnForget), .. Cells(control, OnControl)]));
        }
        return lines;
    }

    // The nearest of all methods as printed, or not told apart by the test.
    private static bool IsNear(Column column, double value, IEnumerable<double?> rivals)
    {
        if (column == Probability || column == Ratio)
            return value >= Significance;
        if (column.HigherIsNearer is not { } higher)
            return false;
        var sign = higher ? -1 : 1;
        double Printed(double v) => sign * MarkingRule.Round(v, 2);
        return Printed(value) <= rivals.OfType<double>().Min(Printed);
    }

    private string Caption()
    {
        List<string> sentences =
        [
            $"{_model}: methods beside an oracle, the same model trained without the questions to be forgotten.",
            Captions.Warning(_scope.Kind),
            "Same: share of answers that are the oracle's, letter by letter; Kind: share where both refuse, both are "
                + "right or both are wrong; F1: Rouge1 F1 of the two answers; KL: KL(oracle || method) of the next "
                + "token along the true answer, in nats; KL said: along the oracle's answer; JS: Jensen-Shannon along "
                + "the true answer, in bits; p: Kolmogorov-Smirnov test on the probability of the true answer, p "
                + "ratio: on TOFU's truth ratio.",
            "Bold: the nearest of the methods, or not told apart at p = .05. Another oracle, drawn anew, is as near as "
                + "two models can be that saw the same.",
        ];
        if (_scope.Methods.Any(m => !m.InPaper))
            sentences.Add("*: not in the paper.");
        if (_blocks.Any(b => b.Lines.Any(l => l.Cells.Any(c => c.Text == "—"))))
            sentences.Add("—: no wrong answers to compare with.");
        return string.Join(' ', sentences.Where(s => s.Length > 0));
    }

    // The set, and whether its oracle is one: it must not know what it never learned.
    private string Heading(string set)
    {
        ForgetQualityMean? Of(string split) => _means.FirstOrDefault(m => m.Set == set && m.Split == split);
        var knows = ((string[])[SplitNames.Forget, SplitNames.Rephrased, _control])
            .Where(s => Of(s) is not null)
            .Select(s => $"{Two(Of(s)!.OracleRouge1)} {s}");
        return $"{_scope.SetOf(set).InWords}; Rouge1 of the oracle: {string.Join(", ", knows)}";
    }

    private IEnumerable<(string Split, Column[] Columns)> Groups() =>
        [(SplitNames.Forget, OnForget), (_control, OnControl)];

    private object Heads()
    {
        var rules = new StringBuilder();
        var cells = new List<string>();
        var from = 2;
        foreach (var (split, columns) in Groups())
        {
            var to = from + columns.Length - 1;
            rules.Append(CultureInfo.InvariantCulture, $@"\cmidrule(lr){{{from}-{to}}}");
            cells.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $@"\multicolumn{{{columns.Length}}}{{c}}{{{Reports.Latex.Escape(split)}}}"
                )
            );
            from = to + 1;
        }
        return new { Cells = cells, Rules = rules.ToString() };
    }

    private static string Html(string text) => text.Replace("<", "&lt;", StringComparison.Ordinal);

    private static string Two(double value) => MarkingRule.Round(value, 2).ToString("F2", CultureInfo.InvariantCulture);

    // Three decimals; below them the power of ten that it stays under.
    private static string P(double p) =>
        p >= 0.001 ? p.ToString("F3", CultureInfo.InvariantCulture)
        : p <= 0 ? "0"
        : string.Create(CultureInfo.InvariantCulture, $"<1e{Math.Floor(Math.Log10(p)) + 1:0}");
}
