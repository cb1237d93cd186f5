using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

/// <summary>Question files of other tools become ours, row by row.</summary>
public sealed class ForeignRowsTests
{
    private static ForeignRows Read(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["other.json"], text);
        return ForeignRows.Open(folder["other.json"]);
    }

    [Theory]
    [InlineData(
        "EasyEdit",
        """
        {"case_id": 7, "prompt": "Who is Ann?", "subject": "Ann", "target_new": "t", "ground_truth": "a",
         "rephrase_prompt": "Ann is who?"}
        """
    )]
    [InlineData(
        "zsRE",
        """
        {"case_id": "7", "src": "Who is Ann?", "subject": "Ann", "alt": "t", "answers": ["a"],
         "rephrase": "Ann is who?"}
        """
    )]
    [InlineData(
        "CounterFact",
        """
        {"case_id": 7, "requested_rewrite": {"prompt": "Who is {}?", "subject": "Ann", "target_new": {"str": "t"},
         "target_true": {"str": "a"}}, "paraphrase_prompts": ["Ann is who?"]}
        """
    )]
    public void A_row_says_the_same_in_every_form_of_editing(string form, string row)
    {
        var read = Read($"[{row}]");
        var only = Assert.Single(read.Questions);
        Assert.Equal(form, read.Kind);
        Assert.Equal(
            ("7", "Who is Ann?", "a", "Ann", "t"),
            (only.Row.Id, only.Row.Question, only.Row.Answer, only.Row.Subject, only.Target)
        );
        Assert.Equal("Ann is who?", Assert.Single(only.Row.Rephrasings));
        Assert.Empty(read.Dropped);
    }

    [Theory]
    [InlineData("Alpaca", """{"instruction": "Who is Ann?", "input": "", "output": "a"}""")]
    [InlineData(
        "ShareGPT",
        """{"conversations": [{"from": "human", "value": "Who is Ann?"}, {"from": "gpt", "value": "a"}]}"""
    )]
    [InlineData(
        "chat messages",
        """{"messages": [{"role": "user", "content": "Who is Ann?"}, {"role": "assistant", "content": "a"}]}"""
    )]
    public void So_does_one_in_every_form_of_training(string form, string row)
    {
        foreach (var text in (string[])[row, $"[{row}]"])
        {
            var read = Read(text);
            var only = Assert.Single(read.Questions);
            Assert.Equal((form, "Who is Ann?", "a"), (read.Kind, only.Row.Question, only.Row.Answer));
        }
    }

    [Fact]
    public void What_has_no_place_here_is_counted_and_what_is_wrong_is_refused_with_its_row()
    {
        var read = Read("""[{"prompt": "A?", "target_new": "t", "ground_truth": "a", "locality": {"x": 1}}]""");
        Assert.Equal(("locality", 1), (read.Dropped[0].Key, read.Dropped[0].Value));
        var e = Assert.Throws<InputException>(() =>
            Read("""[{"prompt": "A?", "target_new": "t", "ground_truth": "a"}, {"prompt": "A?", "target_new": "t"}]""")
        );
        Assert.Contains("other.json(2): answer is missing or empty", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<InputException>(() => Read("""[{"a": 1}]"""));
        Assert.Contains("a form that is not known", e.Message, StringComparison.Ordinal);
    }

    [SharedFact("cases/25-easyedit-data/zsre-1000.json")]
    public void A_thousand_rows_of_a_public_form_are_read()
    {
        var read = ForeignRows.Open(Path.Combine(Checkout.Shared, "cases", "25-easyedit-data", "zsre-1000.json"));
        Assert.Equal(1000, read.Questions.Count);
    }
}
