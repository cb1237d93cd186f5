using System.Text;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports;

/// <summary>What models answered to the same questions, before and after: the paper's Figure 5.</summary>
/// <remarks>
/// Answers are shown as given, cut where a collapsed model will not end. Nothing is picked by hand: the first questions
/// of the forget set, in the order of the data.
/// </remarks>
public sealed class CaseTable
{
    private const int MaxCharacters = 160;

    /// <summary>A question with all its answers.</summary>
    /// <param name="Id">Of the question.</param>
    /// <param name="Question">As asked.</param>
    /// <param name="Truth">The true answer.</param>
    /// <param name="Answers">Who answered what.</param>
    public sealed record Case(
        string Id,
        string Question,
        string Truth,
        IReadOnlyList<(string Who, string Text, bool Refused)> Answers
    );

    private CaseTable(string title, IReadOnlyList<Case> cases, StudyScope scope)
    {
        Title = title;
        Cases = cases;
        Note = Captions.Warning(scope.Kind);
    }

    /// <summary>What is shown.</summary>
    public string Title { get; }

    /// <summary>What it is not; may be empty.</summary>
    public string Note { get; }

    /// <summary>In the order of the data.</summary>
    public IReadOnlyList<Case> Cases { get; }

    /// <summary>Gathers answers.</summary>
    /// <param name="runs">Who answered, in print order, and the evidence of the run.</param>
    /// <param name="count">Questions to show.</param>
    /// <param name="title">One sentence.</param>
    /// <param name="scope">What the models are.</param>
    public static CaseTable Of(
        IReadOnlyList<(string Who, IReadOnlyList<AnswerRow> Answers)> runs,
        int count,
        string title,
        StudyScope scope
    )
    {
        ArgumentNullException.ThrowIfNull(runs);
        ArgumentNullException.ThrowIfNull(scope);
        var forget = runs.Select(r =>
                (
                    r.Who,
                    ById: r.Answers.Where(a => a.Split == SplitNames.Forget)
                        .ToDictionary(a => a.Id, StringComparer.Ordinal)
                )
            )
            .ToList();
        var questions = forget
            .SelectMany(r => r.ById.Values)
            .GroupBy(a => a.Id)
            .Select(g => g.First())
            .OrderBy(a => a.Order)
            .ThenBy(a => a.Id, StringComparer.Ordinal)
            .Take(count);
        return new CaseTable(
            title,
            [
                .. questions.Select(q => new Case(
                    q.Id,
                    q.Question,
                    q.Answer,
                    [
                        .. forget
                            .Where(r => r.ById.ContainsKey(q.Id))
                            .Select(r => (r.Who, Answer: r.ById[q.Id]))
                            .Select(r => (r.Who, ShownText.Of(r.Answer.Generated, MaxCharacters), r.Answer.Refused)),
                    ]
                )),
            ],
            scope
        );
    }

    /// <summary>A table for a paper. Needs booktabs and array.</summary>
    public string Latex() =>
        Templating.Render(
            "cases.tex",
            new
            {
                Caption = Reports.Latex.Escape($"{Title}. {Note}".TrimEnd()),
                Cases = Cases
                    .Select(c => new
                    {
                        Question = Reports.Latex.Escape(c.Question),
                        Truth = Reports.Latex.Escape(c.Truth),
                        Answers = c
                            .Answers.Select(a => new
                            {
                                Who = Reports.Latex.Escape(a.Who),
                                Text = a.Text.Length == 0 ? @"\textit{(nothing)}" : Reports.Latex.Escape(a.Text),
                            })
                            .ToList(),
                    })
                    .ToList(),
            }
        );

    /// <summary>For a README.</summary>
    public string Markdown()
    {
        var text = new StringBuilder($"**Figure 5.** {Title}. {Note}".TrimEnd()).Append('\n');
        foreach (var c in Cases)
        {
            text.Append($"\n**{Cell(c.Question)}** (true answer: {Cell(c.Truth)})\n\n| who | answer |\n|---|---|\n");
            foreach (var (who, answer, _) in c.Answers)
                text.Append($"| {Cell(who)} | {(answer.Length == 0 ? "*(nothing)*" : Cell(answer))} |\n");
        }
        return text.ToString();
    }

    /// <summary>An answer a line.</summary>
    public string Csv()
    {
        var csv = new StringBuilder("id,question,truth,who,answer,refused\n");
        foreach (var c in Cases)
            foreach (var (who, answer, refused) in c.Answers)
                csv.AppendJoin(
                        ',',
                        Artifacts.Csv.Quote(c.Id),
                        Artifacts.Csv.Quote(c.Question),
                        Artifacts.Csv.Quote(c.Truth),
                        Artifacts.Csv.Quote(who),
                        Artifacts.Csv.Quote(answer),
                        refused ? "1" : "0"
                    )
                    .Append('\n');
        return csv.ToString();
    }

    private static string Cell(string text) =>
        text.Replace(@"\", @"\\", StringComparison.Ordinal)
            .Replace("|", @"\|", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace("*", @"\*", StringComparison.Ordinal);
}
