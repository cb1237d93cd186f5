using EditUnlearn.Foundation;
using EditUnlearn.HumanStudy;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.HumanStudy;

/// <summary>Small studies with invented answers, and raters who follow a rule.</summary>
internal static class Studies
{
    /// <summary>Methods whose answers to some questions agree word for word.</summary>
    public static IReadOnlyList<AnswerGroup> Groups(int questions, params string[] methods) =>
        [
            .. methods.Select(
                (method, m) =>
                    new AnswerGroup(
                        new RatedSystem("llama2", "facts-40", method),
                        $"answer[{method}]/answers.parquet",
                        $"hash-{m}",
                        [
                            .. Enumerable
                                .Range(0, questions)
                                .Select(q => new StudyAnswer(
                                    $"facts/{q:0000}",
                                    $"Who wrote book number {q}?",
                                    $"Writer {q}",
                                    // Every fifth question gets the same refusal from all.
                                    q % 5
                                    == 0
                                        ? $"I do not know who wrote book number {q}."
                                        : $"Answer {m} to question {q}.",
                                    $"book number {q}"
                                )),
                        ]
                    )
            ),
        ];

    /// <summary>Writes a study and fills in every sheet.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="design">What.</param>
    /// <param name="rate">Rater, item -> the three cells.</param>
    public static StudyKey Filled(
        string folder,
        StudyDesign design,
        Func<string, StudyItem, (string Forget, string Entailment, string Trust)> rate
    )
    {
        StudyExport.Write(design, folder);
        foreach (var (rater, items) in design.Sheets)
            SheetCsv.Write(
                Path.Combine(folder, StudyExport.SheetName(rater)),
                items
                    .Select(i =>
                    {
                        var (f, e, t) = rate(rater, i);
                        return (IReadOnlyList<string>)
                            [i.Code, i.Answer.Question, i.Answer.GroundTruth, i.Answer.Answer, f, e, t, ""];
                    })
                    .Prepend(StudyExport.Columns)
            );
        return StudyKey.Read(Path.Combine(folder, StudyKey.FileName));
    }

    /// <summary>Attentive: the true answer is 0, everything else 1 with scales by the method.</summary>
    public static (string, string, string) Attentive(string rater, StudyItem item) =>
        item.Attention == AttentionKind.TrueAnswer ? ("0", "", "")
        : item.Attention == AttentionKind.IdealRefusal ? ("1", "5", "5")
        : ("1", item.Systems.Contains("alphaedit") ? "4" : "2", "3");

    public static StudyOptions Options(int raters, int? perItem = null, int attention = 2) =>
        new()
        {
            Raters = StudyOptions.Numbered(raters),
            RatersPerItem = perItem,
            Attention = attention,
            Seed = new Seed(5),
        };

    public static string Read(TemporaryFolder folder, string name) => File.ReadAllText(folder[name]);
}
