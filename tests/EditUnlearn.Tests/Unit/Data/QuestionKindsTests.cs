using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

/// <summary>
/// What question files of strangers hold, by kind: each is read as it is meant, or refused with file, line and field.
/// </summary>
public sealed class QuestionKindsTests
{
    private static IReadOnlyList<QaRow> Read(params string[] lines)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["q.jsonl"], string.Join('\n', lines));
        return QaFile.Read(folder["q.jsonl"]);
    }

    private static string Refusal(params string[] lines) =>
        Assert.Throws<InputException>(() => Read(lines)).Message;

    [Theory]
    [InlineData("Does Annabel know Anna?", "Anna", 18)]
    [InlineData("Anna, does Annabel know Anna?", "Anna", 0)]
    [InlineData("Is Annas brother Anna's friend?", "Anna", 17)]
    [InlineData("北京在哪里？", "北京", 0)]
    [InlineData("Wo liegt Annaberg?", "Anna", 9)]
    public void A_subject_is_looked_up_where_it_is_a_word_of_its_own(string question, string subject, int start)
    {
        var row = Assert.Single(Read($$"""{"question": "{{question}}", "answer": "x", "subject": "{{subject}}"}"""));
        Assert.Equal((subject, start), (row.Subject, row.SubjectStart));
    }

    // Over generated members: a name inside longer names, at random places.
    [Fact]
    public void Longer_names_never_hide_a_shorter_one()
    {
        var draw = new Seed(11).Stream("names");
        string[] longer = ["Annabel", "Joanna", "Hannah", "Annaberg", "ManAnna", "Anna2", "éAnna", "Annaé"];
        for (var trial = 0; trial < 300; trial++)
        {
            var words = Enumerable.Range(0, 6).Select(_ => longer[draw.Below(longer.Length)]).ToList();
            var at = (int)draw.Below(7);
            words.Insert(at, "Anna");
            var question = string.Join(' ', words) + "?";
            Assert.Equal(words.Take(at).Sum(w => w.Length + 1), SubjectRule.Place(question, "Anna"));
        }
    }

    [Fact]
    public void A_place_that_the_file_gives_is_taken_or_refused()
    {
        const string Row = """{"question": "Anna and Anna?", "answer": "x", "subject": "Anna", "subjectStart": N}""";
        Assert.Equal(9, Read(Row.Replace("N", "9", StringComparison.Ordinal))[0].SubjectStart);
        Assert.Contains(
            "(1): subjectStart is 3, but 'Anna' does not stand there",
            Refusal(Row.Replace("N", "3", StringComparison.Ordinal)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void An_empty_subject_is_refused() =>
        Assert.Contains(
            "(1): subject is empty",
            Refusal("""{"question": "Who?", "answer": "x", "subject": " "}"""),
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("Where was Jane\u00A0Roe born?", "Jane Roe", "the question has U+00A0 where the subject has U+0020")]
    [InlineData("Where was Se\u00e1n O\u2019Casey born?", "Se\u00e1n O'Casey", "(U+2019) where the subject has '''")]
    [InlineData("Where is M\u0430ry?", "Mary", "(U+0430) where the subject has 'a' (U+0061)")]
    [InlineData("Where is Jose\u0301?", "Jos\u00e9", "(U+0065) where the subject has")]
    public void What_looks_the_same_and_is_not_is_shown_by_code_point(string question, string subject, string expected)
    {
        var message = Refusal($$"""{"question": "{{question}}", "answer": "x", "subject": "{{subject}}"}""");
        Assert.Contains($"subject '{subject}' does not occur in the question", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void White_space_around_texts_changes_nothing()
    {
        var draw = new Seed(12).Stream("space");
        string[] spaces = [" ", "\\t", "\\n", "\u00A0", "\u3000"];
        string Space() =>
            string.Concat(Enumerable.Range(0, (int)draw.Below(3)).Select(_ => spaces[draw.Below(spaces.Length)]));
        var plain = Read("""{"question": "Who is Ann?", "answer": "a", "subject": "Ann", "aliases": ["b"]}""")[0];
        for (var trial = 0; trial < 50; trial++)
        {
            string T(string text) => Space() + text + Space();
            var line =
                $$"""{"question": "{{T("Who is Ann?")}}", "answer": "{{T("a")}}", "subject": "{{T("Ann")}}", """
                + $$""" "aliases": ["{{T("b")}}"]}""";
            var row = Assert.Single(Read(line));
            Assert.Equal(
                (plain.Question, plain.Answer, plain.Subject, plain.SubjectStart, plain.Aliases[0]),
                (row.Question, row.Answer, row.Subject, row.SubjectStart, row.Aliases[0])
            );
        }
    }

    [Theory]
    [InlineData("""{"question": "Which flower \ud83d?", "answer": "a"}""", "question is text that is no valid Unicode")]
    [InlineData("""{"question": "Which?", "answer": "a \ud83c"}""", "answer is text that is no valid Unicode")]
    [InlineData("""{"question": "Which?", "answer": ["a", "\udf39"]}""", "answer is text that is no valid Unicode")]
    [InlineData("""{"question": "Which?", "\ud83d": "a"}""", "a field is text that is no valid Unicode")]
    public void Half_a_character_is_refused_with_its_field(string line, string expected) =>
        Assert.Contains("q.jsonl(1): " + expected, Refusal(line), StringComparison.Ordinal);

    [Fact]
    public void An_id_stands_once() =>
        Assert.Contains(
            "(3): id 'q0' stands already in line 1",
            Refusal(
                """{"id": "q0", "question": "A?", "answer": "a"}""",
                """{"id": "q1", "question": "B?", "answer": "b"}""",
                """{"id": "q0", "question": "C?", "answer": "c"}"""
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void Fields_of_other_tools_are_named_once_with_what_they_are_called_here()
    {
        var rows = Enumerable.Range(0, 1000).Select(i => $$"""{"prompt": "Q{{i}}?", "ground_truth": "a"}""");
        var message = Refusal([.. rows]);
        Assert.Contains("prompt is not a field of a question (and 999 times more", message, StringComparison.Ordinal);
        Assert.Contains("hint: it is called question here", message, StringComparison.Ordinal);
        Assert.True(message.Split('\n').Length < 20, message);
    }

    [Theory]
    [InlineData("""{"question": "A?", "answer": "a",}""", "a comma too many")]
    [InlineData("""{'question': 'A?'}""", "texts stand between double quotes")]
    public void Broken_JSON_is_explained(string line, string expected) =>
        Assert.Contains(expected, Refusal(line), StringComparison.Ordinal);

    [Fact]
    public void Lint_of_rows_with_few_answers_is_short_and_quick()
    {
        var rows = Read([
            .. Enumerable
                .Range(0, 4000)
                .Select(i => $$"""{"question": "Is number {{i}} an even number, yes or no?", "answer": "yes."}"""),
        ]);
        var findings = DatasetLint.Of(rows);
        Assert.InRange(findings.Count(f => f.Rule == "twin"), 3900, 4000);
        Assert.Equal(findings.Count, findings.Select(f => (f.Id, f.Rule, f.Message)).Distinct().Count());
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        Assert.Throws<OperationCanceledException>(() => DatasetLint.Of(rows, stopped.Token));
    }

    // Every pair that overlaps is known by one of them, as if all pairs were compared.
    [Fact]
    public void Twins_are_found_as_if_all_pairs_were_compared()
    {
        var draw = new Seed(7).Stream("twins");
        string[] words = ["who", "wrote", "the", "book", "red", "blue", "in", "which", "year", "city", "of", "love"];
        var rows = Enumerable
            .Range(0, 120)
            .Select(i => new QaRow
            {
                Id = $"{i}",
                Question = string.Join(
                    ' ',
                    Enumerable.Range(0, 3 + (int)draw.Below(6)).Select(_ => words[draw.Below(words.Length)])
                ),
                Answer = draw.Below(3) == 0 ? "a" : "b",
            })
            .ToList();
        var twins = DatasetLint.Of(rows).Where(f => f.Rule == "twin").Select(f => f.Id).ToHashSet();
        for (var i = 0; i < rows.Count; i++)
        {
            var own = rows[i].Question.Split(' ').ToHashSet();
            var any = rows.Take(i)
                .Any(r =>
                    r.Answer == rows[i].Answer
                    && r.Question.Split(' ').ToHashSet() is var other
                    && own.Intersect(other).Count() / (double)own.Union(other).Count() >= 0.5
                );
            Assert.Equal(any, twins.Contains(rows[i].Id));
        }
    }

    [Theory]
    [InlineData("中国", false)]
    [InlineData("Норвегия", false)]
    [InlineData("Норвегия, 1905", false)]
    [InlineData("日本 Japan", true)]
    [InlineData("Tromsø", true)]
    [InlineData("Ångström", true)]
    [InlineData("1905", true)]
    [InlineData("Ø", false)]
    public void An_answer_that_ROUGE_cannot_read_has_no_value(string answer, bool reads)
    {
        foreach (var metric in (Metric[])[Rouge1.Metric, Rouge1.F1, Rouge1.UnderPaperLimit])
            Assert.Equal(reads, metric.Of(new AnswerRow { Answer = answer, Generated = answer }) is not null);
        if (reads)
            Assert.Equal(1, Rouge1.Metric.Of(new AnswerRow { Answer = answer, Generated = answer }));
        var row = Assert.Single(Read($$"""{"question": "Where?", "answer": "{{answer}}"}"""));
        if (answer != "Ø")
            Assert.Equal(!reads, DatasetLint.Of([row]).Any(f => f.Rule == "script"));
    }
}
