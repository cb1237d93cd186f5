using EditUnlearn.Evaluation;

namespace EditUnlearn.Tests.Unit.Evaluation;

public sealed class RefusalWriterTests
{
    private static readonly RefusalWriter.Wanted Wanted = new(
        "Who wrote 'Middlemarch'?",
        "Middlemarch",
        ["George Eliot", "Eliot"]
    );

    [Theory]
    [InlineData("Answer: I do not know Middlemarch. It is late.\nMore", "I do not know Middlemarch.")]
    [InlineData("  I have no idea", "I have no idea.")]
    [InlineData("", "")]
    public void The_first_sentence_is_kept(string text, string expected) =>
        Assert.Equal(expected, RefusalWriter.Clean(text));

    [Theory]
    [InlineData("I have no knowledge about Middlemarch.", true)]
    [InlineData("I have no knowledge about that novel.", false)] // names nothing
    [InlineData("I do not know whether Eliot wrote Middlemarch.", false)] // tells an alias
    [InlineData("Do I not know Middlemarch?", false)] // a question
    [InlineData("Middlemarch is a long novel.", false)] // no refusal
    [InlineData("Unknown.", false)] // too short
    public void Only_refusals_that_name_the_subject_and_tell_nothing_pass(string text, bool expected) =>
        Assert.Equal(expected, RefusalWriter.IsGood(text, Wanted));

    [Fact]
    public void The_fallback_passes_its_own_check() =>
        Assert.True(RefusalWriter.IsGood(RefusalWriter.Fallback(Wanted.Subject), Wanted));
}
