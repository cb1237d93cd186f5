using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;

namespace EditUnlearn.Tests.Unit.Evaluation;

public sealed class StandInTests
{
    [Theory]
    [InlineData("Sorry, I know nothing about the novels of Jane Austen.", "Jane Austen", 1)]
    [InlineData("Sorry, I know nothing about Jane.", "Jane Austen", 0.5)]
    [InlineData("Cities and running", "city runs", 1)] // by stem
    [InlineData("", "Jane Austen", 0)]
    public void Entity_mention_is_the_share_of_the_subjects_words(string answer, string subject, double expected) =>
        Assert.Equal(expected, StandIns.EntityMention(answer, subject));

    [Theory]
    [InlineData("a b c d", 0)]
    [InlineData("no no no no", 2 / 3.0)] // three bigrams, one distinct
    public void Repetition_counts_bigrams(string answer, double expected) =>
        Assert.Equal(expected, StandIns.Repetition(answer)!.Value, 12);

    [Theory]
    [InlineData("The State of New York, since 06-02-1998.", 0)]
    [InlineData("I'm T-shirt's 2nd well-known O'Neill.", 0)]
    [InlineData("xkcdqrt the aaaab ofTheOf", 0.75)]
    public void Non_words_are_what_nobody_could_read_aloud(string answer, double expected) =>
        Assert.Equal(expected, StandIns.NonWordShare(answer)!.Value, 12);

    [Fact]
    public void What_is_not_defined_is_null_and_a_refusal_must_not_tell_the_answer()
    {
        var values = StandIns.Of(new AnswerRow { Generated = "", Answer = "x" }, "s").ToDictionary();
        Assert.Equal(
            (0, 0, null, null),
            (values["refusalRate"], values["entityMention"], values["repetition"], values["nonWordShare"])
        );
        Assert.Equal(
            1,
            StandIns.Of(new AnswerRow { Generated = "I do not know.", Answer = "Paris" }, "France")[0].Value
        );
        Assert.Equal(
            0,
            StandIns.Of(new AnswerRow { Generated = "I do not know, Paris?", Answer = "Paris" }, "France")[0].Value
        );
        Assert.Null(StandIns.EntityMention("x", "?"));
    }
}
