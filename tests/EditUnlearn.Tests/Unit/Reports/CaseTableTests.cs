using EditUnlearn.Artifacts;
using EditUnlearn.Reports;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

public sealed class CaseTableTests
{
    private static AnswerRow Row(int order, string question, string truth, string said, bool refused = false) =>
        new()
        {
            Split = "forget",
            Order = order,
            Id = $"facts/{order:0000}",
            Question = question,
            Answer = truth,
            Generated = said,
            Refused = refused,
        };

    internal static CaseTable Example()
    {
        return CaseTable.Of(
            [
                (
                    "before",
                    [
                        Row(1, "Who wrote 'Emma'?", "Jane Austen", "Jane Austen"),
                        Row(0, "Who wrote 'Middlemarch'?", "George Eliot", "George Eliot"),
                    ]
                ),
                (
                    "GA",
                    [
                        Row(
                            0,
                            "Who wrote 'Middlemarch'?",
                            "George Eliot",
                            string.Concat(Enumerable.Repeat("the 100 % & the_ ", 40))
                        ),
                        Row(1, "Who wrote 'Emma'?", "Jane Austen", ""),
                    ]
                ),
                (
                    "WISE (model)",
                    [
                        Row(
                            0,
                            "Who wrote 'Middlemarch'?",
                            "George Eliot",
                            "I have no knowledge | about *Middlemarch*.",
                            true
                        ),
                    ]
                ),
                (
                    "other split",
                    [
                        new AnswerRow
                        {
                            Split = "retain",
                            Id = "facts/0009",
                            Question = "?",
                            Answer = "!",
                        },
                    ]
                ),
            ],
            2,
            "Two questions",
            new StudyScope { Kind = ModelKind.Miniature }
        );
    }

    [Fact]
    public void Cases_are_as_accepted_in_every_format()
    {
        Snapshot.Matches(Example().Latex(), "cases.tex");
        Snapshot.Matches(Example().Markdown(), "cases.md");
        Snapshot.Matches(Example().Csv(), "cases.csv");
    }

    [Fact]
    public void Questions_stand_in_the_order_of_the_data_and_no_more_than_asked_for() =>
        Assert.Equal(["facts/0000", "facts/0001"], Example().Cases.Select(c => c.Id));
}
