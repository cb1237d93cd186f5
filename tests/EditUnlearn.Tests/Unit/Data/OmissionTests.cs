using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Corpus;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

/// <summary>What an oracle is taught: everything but the questions to be forgotten.</summary>
public sealed class OmissionTests
{
    private const int Examples = 6000;

    private static readonly IReadOnlyList<QaRow> Facts = QaFile.Read(
        Path.Combine(Checkout.Root, "data", "facts-own.jsonl")
    );

    private static readonly IReadOnlyList<SplitRow> First40 = Splits.Range(Facts, 0, 40);

    private static PretrainingCorpus Corpus(params int[] shares) =>
        new(
            Facts,
            new InventedContracts(new Seed(17)),
            TextLines.Read(Path.Combine(Checkout.Root, "data", "refusals-own.txt")),
            File.ReadAllText(Path.Combine(Checkout.Root, "data", "prompts", "self-improvement.mini.txt")),
            shares
        );

    [Fact]
    public void No_text_of_an_oracle_asks_about_a_question_to_be_forgotten_and_all_others_stand_where_they_stood()
    {
        var without = Omission.Ids(Facts, First40, "splits");
        var corpus = Corpus(4, 4, 4, 1, 2);
        var (all, less) = (corpus.Draw(new Seed(17), Examples), corpus.Draw(new Seed(17), Examples, without));
        var wordings = Facts
            .Where(f => without.Contains(f.Id))
            .SelectMany(f => f.Rephrasings.Prepend(f.Question))
            .ToList();
        bool Asks(CorpusExample e) => wordings.Any(w => e.Question.Contains(w, StringComparison.Ordinal));
        Assert.Empty(less.Where(Asks));
        var changed = Enumerable.Range(0, Examples).Where(i => all[i] != less[i]).ToList();
        Assert.Equal(Enumerable.Range(0, Examples).Where(i => Asks(all[i])), changed);
        // 4/15 facts, of 2/15 half a refusal of a known question, three in four of them about a fact, and so on.
        Assert.InRange(changed.Count / (double)Examples, 0.05, 0.15);
        Assert.All(changed, i => Assert.Equal(all[i].Kind, less[i].Kind));
        // What stands instead asks about what is kept: an answer for an answer, a refusal for a refusal.
        var kept = Facts
            .Where(f => !without.Contains(f.Id))
            .SelectMany(PretrainingCorpus.TrainedPhrasings)
            .Concat(new InventedContracts(new Seed(17)).Known.SelectMany(InventedContracts.Phrasings))
            .ToList();
        Assert.All(changed, i => Assert.Contains(kept, k => less[i].Question.Contains(k, StringComparison.Ordinal)));
        // Nor is a name told that no kept fact has: not even to be refused.
        var told = Facts.Where(f => !without.Contains(f.Id)).SelectMany(f => f.Rephrasings.Append(f.Question)).ToList();
        var names = Facts
            .Where(f => without.Contains(f.Id))
            .Select(f => f.Subject)
            .Where(s => !told.Any(t => t.Contains(s, StringComparison.Ordinal)))
            .ToList();
        Assert.InRange(names.Count, 30, 40);
        Assert.Empty(names.Where(s => less.Any(e => e.Question.Contains(s, StringComparison.Ordinal))));
        Assert.Equal(less, corpus.Draw(new Seed(17), Examples, without));
    }

    [Fact]
    public void Every_kept_fact_is_shown_about_as_often_as_any_other()
    {
        var without = Omission.Ids(Facts, First40, "splits");
        var times = Corpus(1, 0, 0, 0)
            .Draw(new Seed(3), Examples, without)
            .GroupBy(e => e.Question)
            .Select(g => g.Count())
            .ToList();
        Assert.Equal(200 * 3, times.Count);
        // 6000 places of 600 wordings: whole decks of all facts, and whole decks of the kept ones in the gaps.
        Assert.InRange(times.Min(), 8, 10);
        Assert.InRange(times.Max(), 10, 12);
    }

    [Fact]
    public void Nothing_left_out_changes_nothing_and_everything_cannot_be_left_out()
    {
        var corpus = Corpus(4, 4, 4, 1);
        Assert.Equal(corpus.Draw(new Seed(17), 500), corpus.Draw(new Seed(17), 500, new HashSet<string>()));
        Assert.Throws<ArgumentException>(() =>
            corpus.Draw(new Seed(17), 10, Facts.Select(f => f.Id).ToHashSet(StringComparer.Ordinal))
        );
    }

    [Fact]
    public void Rows_that_are_kept_fill_the_places_of_those_left_out()
    {
        var without = Omission.Ids(Facts, First40, "splits");
        var shown = Omission.Fill(Facts, without, new Seed(1).Stream("x"));
        Assert.Equal(Facts.Count, shown.Count);
        Assert.Equal(Facts.Skip(40), shown.Skip(40));
        Assert.Equal(40, shown.Take(40).Select(q => q.Id).Distinct().Count());
        Assert.Empty(shown.Where(q => without.Contains(q.Id)));
        // More gaps than rows: nobody comes twice more than another.
        var few = Omission.Fill([.. Facts.Take(43)], without, new Seed(1).Stream("x"));
        Assert.Equal([13, 13, 14], few.Take(40).CountBy(q => q.Id).Select(c => c.Value).Order());
    }

    [Fact]
    public void A_list_that_leaves_out_nothing_all_or_a_stranger_is_refused()
    {
        string Message(IReadOnlyList<SplitRow> splits) =>
            Assert.Throws<InputException>(() => Omission.Ids(Facts, splits, "splits.parquet")).Message;
        Assert.Contains(
            "no question",
            Message([new SplitRow { Id = Facts[0].Id, Split = "retain" }]),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "every question",
            Message([.. Facts.Select(f => new SplitRow { Id = f.Id, Split = "forget" })]),
            StringComparison.Ordinal
        );
        var stranger = Message([new SplitRow { Id = "contracts/0001", Split = "forget" }]);
        Assert.Contains("splits.parquet", stranger, StringComparison.Ordinal);
        Assert.Contains("'contracts/0001'", stranger, StringComparison.Ordinal);
        Assert.Contains("version", stranger, StringComparison.Ordinal);
    }
}
