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
        File.WriteAllText(folder["bad.jsonl"], """
            {"question": "Who wrote 'Emma'?", "answer": "Jane Austen", "rephrasing": ["x"]}
            {"question": "", "answer": "Nobody"}
            {"question": "Who wrote 'Emma'?", "answer": 7}
            {"question": "Where is Oslo?", "answer": "Norway", "subject": "Bergen"}
            not json
            """);
        var e = Assert.Throws<InputException>(() => QaFile.Read(folder["bad.jsonl"]));
        Snapshot.Matches(e.Message.Replace(folder.Path + "/", "", StringComparison.Ordinal) + "\n", "bad-questions.txt");
    }

    [Theory]
    [InlineData("Who is the author of the novel 'One Hundred Years of Solitude'?", "One Hundred Years of Solitude")]
    [InlineData("What is the capital of Australia?", "Australia")]
    [InlineData("Which country has the Great Barrier Reef?", "Great Barrier Reef")]
    [InlineData("how many legs does a spider have?", "have")]
    public void A_subject_is_found_by_rule(string question, string subject) => Assert.Equal(subject, SubjectRule.Find(question));

    [Fact]
    public void An_absent_file_is_named() => Assert.Contains("nowhere.jsonl: there is no such file", Assert.Throws<InputException>(() => QaFile.Read("nowhere.jsonl")).Message, StringComparison.Ordinal);
}
