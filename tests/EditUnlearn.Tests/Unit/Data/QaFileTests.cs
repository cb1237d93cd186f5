using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

public sealed class QaFileTests
{
    [Fact]
    public void All_problems_of_a_file_are_reported_with_line_field_and_hint()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["bad.jsonl"],
            """
            {"question": "Who wrote 'Emma'?", "answer": "Jane Austen", "rephrasing": ["x"]}
            {"question": "", "answer": "Nobody"}
            {"question": "Who wrote 'Emma'?", "answer": 7}
            {"question": "Where is Oslo?", "answer": "Norway", "subject": "Bergen"}
            not json
            """
        );
        var e = Assert.Throws<InputException>(() => QaFile.Read(folder["bad.jsonl"]));
        Snapshot.Matches(
            e.Message.Replace(folder.Path + "/", "", StringComparison.Ordinal) + "\n",
            "bad-questions.txt"
        );
    }

    [Theory]
    [InlineData("Who is the author of the novel 'One Hundred Years of Solitude'?", "One Hundred Years of Solitude")]
    [InlineData("What is the capital of Australia?", "Australia")]
    [InlineData("Which country has the Great Barrier Reef?", "Great Barrier Reef")]
    [InlineData("how many legs does a spider have?", "have")]
    public void A_subject_is_found_by_rule(string question, string subject) =>
        Assert.Equal(subject, SubjectRule.Find(question));

    [Fact]
    public void An_absent_file_is_named() =>
        Assert.Contains(
            "nowhere.jsonl: there is no such file",
            Assert.Throws<InputException>(() => QaFile.Read("nowhere.jsonl")).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Several_files_are_one_set_whose_ids_count_on()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.jsonl"], """{"question": "Who wrote 'Emma'?", "answer": "Jane Austen"}""");
        File.WriteAllText(folder["b.jsonl"], """{"question": "Where is Oslo?", "answer": "Norway"}""");
        Assert.Equal(
            [("facts/0000", 0), ("facts/0001", 1)],
            QaFile.ReadAll([folder["a.jsonl"], folder["b.jsonl"]], "facts").Select(r => (r.Id, r.Row))
        );
        Assert.Contains(
            "the question of facts/0001 stands in an earlier file too",
            Assert
                .Throws<InputException>(() => QaFile.ReadAll([folder["a.jsonl"], folder["a.jsonl"]], "facts"))
                .Message,
            StringComparison.Ordinal
        );
    }

    [SharedFact("data/tofu-factual")]
    public void The_original_files_are_the_sets_of_the_paper()
    {
        var factual = QaFile.ReadAll(
            [
                .. new[] { "real_authors_perturbed.json", "world_facts_perturbed.json" }.Select(f =>
                    Path.Combine(Checkout.Shared, "data/tofu-factual", f)
                ),
            ],
            "facts"
        );
        Assert.Equal((217, 217), (factual.Count, factual.Select(r => r.Id).Distinct().Count()));
        var contracts = QaFile.Read(Path.Combine(Checkout.Shared, "data/pistol/pistol_sample1.json"), "contracts");
        Assert.Equal(
            (400, 20, "A_B"),
            (contracts.Count, contracts.Select(r => r.Group).Distinct().Count(), contracts[0].Group)
        );
    }
}
