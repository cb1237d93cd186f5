using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

public sealed class RephraseFilterTests
{
    private static readonly QaRow Row = new()
    {
        Id = "x/1",
        Question = "Who wrote the novel 'Emma' of 1815?",
        Answer = "Jane Austen",
        Aliases = ["Austen"],
        Subject = "Emma",
    };

    [Theory]
    [InlineData("Which author published the book 'Emma' in 1815?", null)]
    [InlineData("Name the author of 'Emma', published in 1815.", null)]
    [InlineData("", "empty")]
    [InlineData("who wrote the novel 'emma' of 1815", "repeated")]
    [InlineData("Which author published that book in 1815?", "subject lost")]
    [InlineData("Which author published the book Emma in 1815?", "number or title lost")]
    [InlineData("Which author published the book 'Emma' then?", "number or title lost")]
    [InlineData("Did Austen publish 'Emma' in 1815?", "answer told")]
    [InlineData("The author of 'Emma' of 1815 is unknown.", "no question")]
    [InlineData("'Emma', 1815?", "length")]
    [InlineData("Who wrote that novel 'Emma' of 1815?", null)]
    [InlineData("Who wrote the novel 'Emma' of the 1815?", "repeated-not")]
    public void A_rephrasing_keeps_the_subject_and_numbers_and_does_not_tell_the_answer(
        string candidate,
        string? problem
    )
    {
        var found = RephraseFilter.Problem(Row, candidate, new HashSet<string> { RephraseFilter.Normal(Row.Question) });
        // Same words in the same set: too near to count as another wording.
        Assert.Equal(problem == "repeated-not" ? "too near" : problem, found);
    }

    [Fact]
    public void Accepted_wordings_are_distinct_over_the_data_and_refusals_are_counted()
    {
        var (taken, refused) = (
            new HashSet<string> { RephraseFilter.Normal(Row.Question) },
            new Dictionary<string, int>()
        );
        string[] candidates =
        [
            "Jane Austen?",
            "Which author published the book 'Emma' in 1815?",
            "which author published the book 'Emma' in 1815 ?",
            "Name the author of 'Emma', published in 1815.",
        ];
        var row = RephraseFilter.Accept(Row, candidates, 2, taken, refused);
        Assert.Equal([candidates[1], candidates[3]], row.Rephrasings);
        Assert.Equal((1, 1), (refused["subject lost"], refused["repeated"]));
        Assert.Empty(RephraseFilter.Accept(Row, candidates, 2, taken, refused).Rephrasings);
        Assert.Empty(Row.Rephrasings);
    }

    [Fact]
    public void Lists_of_a_model_are_taken_line_by_line() =>
        Assert.Equal(
            ["Who wrote it?", "Who is its author?", "Name the author."],
            Rephraser.Lines("1. Who wrote it?\n\n2) \"Who is its author?\"\n* Name the author.\n")
        );

    [Fact]
    public void A_users_file_is_checked_in_full()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["r.jsonl"],
            "{\"id\":\"x/1\",\"rephrasings\":[\"a\"]}\n{\"id\":\"x/l\",\"rephrasings\":[]}\nnot "
                + "json\n{\"id\":\"x/1\",\"rephrasings\":[\"b\"]}\n{\"id\":\"x/2\",\"rephrasings\":\"b\"}\n"
        );
        var e = Assert.Throws<InputException>(() =>
            RephrasingFile.Read(folder["r.jsonl"], new HashSet<string> { "x/1", "x/2" })
        );
        Assert.Equal(
            [
                (2, "id 'x/l' is not in the data"),
                (3, "is not a JSON object"),
                (4, "id 'x/1' stands twice"),
                (5, "rephrasings is missing or not a list of texts"),
            ],
            e.Problems.Select(p => (p.Line, p.Message))
        );
        Assert.Equal("did you mean 'x/1'?", e.Problems[0].Hint);
    }
}
