using EditUnlearn.Foundation;

namespace EditUnlearn.Tests.Unit.Foundation;

public sealed class SpellingTests
{
    [Theory]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("", "abc", 3)]
    [InlineData("ab", "ba", 1)]
    [InlineData("same", "same", 0)]
    public void Distance_counts_edits_and_swaps(string a, string b, int expected)
    {
        Assert.Equal(expected, Spelling.Distance(a, b));
        Assert.Equal(expected, Spelling.Distance(b, a));
    }

    [Fact]
    public void The_nearest_word_wins_and_a_far_one_is_not_offered()
    {
        string[] known = ["repro", "status", "plan"];
        Assert.Equal("status", Spelling.Nearest("stauts", known));
        Assert.Equal("repro", Spelling.Nearest("REPRO", known));
        Assert.Null(Spelling.Nearest("xylophone", known));
    }
}
