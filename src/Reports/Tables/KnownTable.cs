using System.Globalization;
using System.Text;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Tables;

/// <summary>
/// What the untouched models could answer and what they could not: the questions that were left out of the study, with
/// what was said to them.
/// </summary>
public sealed class KnownTable
{
    private const int ShownInPrint = 12,
        MaxCharacters = 110;

    /// <summary>One model asked one data set.</summary>
    /// <param name="Model">In print.</param>
    /// <param name="Sets">Forget sets that draw from it.</param>
    /// <param name="Rows">Every question asked.</param>
    public sealed record Asking(string Model, IReadOnlyList<string> Sets, IReadOnlyList<KnownRow> Rows)
    {
        /// <summary>The data set, as ids name it.</summary>
        public string Data => Rows.Count == 0 ? "" : Rows[0].Id.Split('/')[0];

        /// <summary>Questions that take no part.</summary>
        public IEnumerable<KnownRow> Dropped => Rows.Where(r => !r.Known);

        internal string Counts =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Model}, {Data}: {Rows.Count(r => r.Known)} of {Rows.Count} questions known"
            );
    }

    private readonly IReadOnlyList<Asking> _askings;
    private readonly string _note;

    /// <summary>Askings that are the same are shown once, with all sets that draw from them.</summary>
    /// <param name="askings">A line for each set.</param>
    /// <param name="kind">What the models are.</param>
    public KnownTable(IEnumerable<Asking> askings, ModelKind kind)
    {
        ArgumentNullException.ThrowIfNull(askings);
        _note = Captions.Warning(kind);
        _askings =
        [
            .. askings
                .GroupBy(a => (a.Model, a.Data, Said: string.Join('\n', a.Rows.Select(r => r.Id + " " + r.Said))))
                .Select(g => g.First() with { Sets = [.. g.SelectMany(a => a.Sets).Distinct(StringComparer.Ordinal)] }),
        ];
    }

    private string Caption =>
        (
            "Questions that the untouched model cannot answer: every word of the true answer must be in what it says, "
            + "greedily. They take no part: they can neither be forgotten nor kept. "
            + _note
        ).TrimEnd();

    /// <summary>A table for a paper, with the first of the questions that were dropped. Needs booktabs and
    /// array.</summary>
    public string Latex() =>
        _askings.Count == 0
            ? ""
            : Templating.Render(
                "known.tex",
                new
                {
                    Caption = Reports.Latex.Escape(Caption),
                    Blocks = _askings
                        .Select(a => new
                        {
                            Counts = Reports.Latex.Escape(a.Counts),
                            Rows = a
                                .Dropped.Take(ShownInPrint)
                                .Select(r => new
                                {
                                    Question = Reports.Latex.Escape(Shown(r.Question)),
                                    Answer = Reports.Latex.Escape(Shown(r.Answer)),
                                    Said = Reports.Latex.Escape(Shown(r.Said)),
                                })
                                .ToList(),
                            More = Math.Max(0, a.Dropped.Count() - ShownInPrint),
                        })
                        .ToList(),
                }
            );

    /// <summary>All of it, for reading.</summary>
    public string Markdown()
    {
        var text = new StringBuilder($"**What the untouched models know.** {Caption}\n");
        foreach (var asking in _askings)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{asking.Counts} (sets: {string.Join(", ", asking.Sets)}).\n");
            if (!asking.Dropped.Any())
                continue;
            text.Append("\n| dropped | true answer | what it said |\n|---|---|---|\n");
            foreach (var row in asking.Dropped)
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"| {Cell(row.Question)} | {Cell(row.Answer)} | {Cell(Shown(row.Said))} |\n"
                );
        }
        return text.ToString();
    }

    /// <summary>A question a line, dropped or not.</summary>
    public string Csv()
    {
        var csv = new StringBuilder("model,data,id,known,rouge1,question,answer,said\n");
        foreach (var asking in _askings)
            foreach (var row in asking.Rows)
                csv.AppendJoin(
                        ',',
                        Artifacts.Csv.Quote(asking.Model),
                        Artifacts.Csv.Quote(asking.Data),
                        Artifacts.Csv.Quote(row.Id),
                        row.Known ? "1" : "0",
                        row.Rouge1.ToString("R", CultureInfo.InvariantCulture),
                        Artifacts.Csv.Quote(row.Question),
                        Artifacts.Csv.Quote(row.Answer),
                        Artifacts.Csv.Quote(row.Said)
                    )
                    .Append('\n');
        return csv.ToString();
    }

    private static string Shown(string text) => ShownText.Of(text, MaxCharacters);

    private static string Cell(string text) =>
        text.Replace("|", @"\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);
}
