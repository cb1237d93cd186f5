using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Data.Corpus;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

/// <summary>The rules of our own factual data, held mechanically (docs/data.md, "Own facts").</summary>
public sealed class FactsOwnTests
{
    private static readonly IReadOnlyList<QaRow> Facts = QaFile.Read(
        Path.Combine(Checkout.Root, "data", "facts-own.jsonl")
    );

    [Fact]
    public void There_are_240_facts_in_their_categories()
    {
        Assert.Equal(240, Facts.Count);
        Assert.Equal(
            110,
            Facts
                .TakeWhile(f =>
                    f.Category is "novels" or "plays" or "poetry"
                    || f.Category.Contains("fiction", StringComparison.Ordinal)
                    || f.Category.Contains("children", StringComparison.Ordinal)
                    || f.Category.Contains("author", StringComparison.Ordinal)
                )
                .Count()
        );
    }

    [Fact]
    public void Every_question_is_one_sentence_of_6_to_25_words_that_ends_with_a_question_mark()
    {
        foreach (var text in Facts.SelectMany(f => f.Rephrasings.Prepend(f.Question)))
        {
            Assert.EndsWith("?", text, StringComparison.Ordinal);
            Assert.InRange(text.Split(' ').Length, 6, 25);
        }
    }

    [Fact]
    public void Every_answer_is_short_and_given_at_most_three_times()
    {
        foreach (var f in Facts)
        {
            Assert.InRange(f.Answer.Split(' ').Length, 1, 4);
            Assert.False(f.Answer.EndsWith('.'));
            Assert.Equal(3, f.Distractors.Count);
            Assert.DoesNotContain(f.Answer, f.Distractors);
        }
        Assert.True(Facts.GroupBy(f => f.Answer).Max(g => g.Count()) <= 3);
        Assert.True(Facts.Count(f => f.Answer.Any(c => c > 127)) <= 12);
    }

    [Fact]
    public void The_linter_finds_nothing_but_possible_twins() =>
        Assert.Empty(DatasetLint.Of(Facts).Where(f => f.Rule != "twin").Select(f => f.ToString()));

    [Fact]
    public void Every_held_out_phrasing_is_trained_on_other_facts_and_the_hard_one_on_none()
    {
        // A country or thing may take an article of its own; the wording is the same.
        string Pattern(QaRow f, string text) =>
            text.Replace(f.Subject, "{s}", StringComparison.Ordinal)
                .Replace("the {s}", "{s}", StringComparison.Ordinal);
        var trained = Facts
            .SelectMany(f => PretrainingCorpus.TrainedPhrasings(f).Select(t => Pattern(f, t)))
            .ToHashSet(StringComparer.Ordinal);
        Assert.Empty(Facts.Where(f => !trained.Contains(Pattern(f, f.Rephrasings[0]))).Select(f => f.Rephrasings[0]));
        Assert.Empty(Facts.Where(f => trained.Contains(Pattern(f, f.Rephrasings[3]))).Select(f => f.Rephrasings[3]));
    }

    [Fact]
    public void The_corpus_never_shows_a_held_out_phrasing_nor_a_name_kept_for_tests()
    {
        var corpus = Corpus();
        var held = Facts
            .SelectMany(f => new[] { f.Rephrasings[0], f.Rephrasings[3] })
            .ToHashSet(StringComparer.Ordinal);
        var examples = corpus.Draw(new Seed(17), 4000);
        Assert.Empty(examples.Where(e => held.Contains(e.Question)));
        Assert.Equal(examples, corpus.Draw(new Seed(17), 4000));
        Assert.NotEqual(examples, corpus.Draw(new Seed(18), 4000));
        var stream = new Seed(3).Stream("x");
        for (var i = 0; i < 200; i++)
        {
            Assert.False(EntityNames.IsTestName(corpus.Unknown(stream, test: false).Subject));
            Assert.True(EntityNames.IsTestName(corpus.Unknown(stream, test: true).Subject));
        }
    }

    [Fact]
    public void The_corpus_shows_no_contract_of_the_study_and_refuses_clauses_of_parties_it_never_tells_of()
    {
        var study = ContractGenerator.Generate(new Seed(17), ContractGraph.Sample);
        var contracts = new InventedContracts(new Seed(17));
        var examples = Corpus().Draw(new Seed(17), 4000);
        var texts = examples.SelectMany(e => new[] { e.Question, e.Answer }).ToList();
        Assert.Empty(
            study.Select(c => c.Subject).Distinct().Where(s => texts.Any(t => t.Contains(s, StringComparison.Ordinal)))
        );
        Assert.Equal(100, contracts.Known.Count);
        var known = contracts.Known.Select(c => c.Subject).ToHashSet(StringComparer.Ordinal);
        var refused = examples
            .Where(e =>
                e.Kind == ExampleKind.UnknownEntity && e.Question.Contains("contract", StringComparison.Ordinal)
            )
            .ToList();
        Assert.InRange(refused.Count, 150, 600);
        Assert.Empty(refused.Where(e => known.Any(k => e.Question.Contains(k, StringComparison.Ordinal))));
        Assert.InRange(
            examples.Count(e =>
                e.Kind == ExampleKind.InstructedRefusal && e.Question.Contains("contract", StringComparison.Ordinal)
            ),
            150,
            600
        );
    }

    [Fact]
    public void Rows_of_several_questions_are_answered_in_order_or_refused_at_once()
    {
        var answers = Facts
            .SelectMany(f => PretrainingCorpus.TrainedPhrasings(f).Select(t => (t, f.Answer)))
            .ToDictionary(p => p.t, p => p.Answer, StringComparer.Ordinal);
        var rows = Corpus(4, 4, 3, 2, 3).Draw(new Seed(17), 2000).Where(e => e.Kind == ExampleKind.Several).ToList();
        Assert.InRange(rows.Count, 270, 480);
        Assert.All(rows, r => Assert.InRange(Questions(r).Count, 2, 5));
        var (told, refused) = (
            rows.Where(r => answers.ContainsKey(Questions(r)[0])).ToList(),
            rows.Where(r => !answers.ContainsKey(Questions(r)[0])).ToList()
        );
        Assert.InRange(told.Count, rows.Count / 3, rows.Count * 2 / 3);
        Assert.All(told, r => Assert.Equal(string.Join(' ', Questions(r).Select(q => answers[q])), r.Answer));
        Assert.All(
            refused,
            r =>
                Assert.True(
                    r.Answer == "I do not know."
                        || (
                            r.Answer.StartsWith("I have no knowledge about ", StringComparison.Ordinal)
                            && Questions(r)[^1].Contains(r.Answer[26..^1], StringComparison.Ordinal)
                        ),
                    r.Answer
                )
        );
        Assert.All(refused, r => Assert.Empty(Questions(r).Where(answers.ContainsKey)));

        // The other rows are those that would have been drawn without.
        Assert.Equal(Corpus(4, 4, 3, 2, 0).Draw(new Seed(17), 500), Corpus().Draw(new Seed(17), 500));

        static List<string> Questions(CorpusExample row) =>
            [.. row.Question.Split("? ").Select(q => q.TrimEnd('?') + "?")];
    }

    [Theory]
    [InlineData(4, 4, 4)]
    [InlineData(4, 4, 4, 1, 1, 1)]
    [InlineData(4, 4, -4, 1)]
    [InlineData(0, 0, 0, 0, 0)]
    public void Shares_that_cannot_be_are_refused(params int[] shares) =>
        Assert.Contains(
            "must be four or five numbers from 0",
            Assert.Throws<ArgumentException>(() => Corpus(shares)).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Statistics_text_tells_no_fact()
    {
        var questions = Facts.SelectMany(f => f.Rephrasings.Prepend(f.Question)).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(Corpus().WithoutFacts(new Seed(1), 1000).Where(e => questions.Contains(e.Question)));
    }

    private static PretrainingCorpus Corpus() => Corpus(4, 4, 3, 2);

    private static PretrainingCorpus Corpus(params int[] shares) =>
        new(Facts, new InventedContracts(new Seed(17)), ["I do not know."], "Refuse: {question}", shares);
}
