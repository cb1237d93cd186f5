using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Evaluation;

/// <summary>Input beyond a model's window: refused with its length and the limit, whatever makes it long.</summary>
public sealed class PromptLimitsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Checkpoint _checkpoint;

    public PromptLimitsTests()
    {
        TinyCheckpoints.WriteAskable(_folder.Path, ["Who wrote the novel?", "George Eliot wrote it."]);
        _checkpoint = Checkpoint.Load(_folder.Path);
    }

    public void Dispose()
    {
        _checkpoint.Dispose();
        _folder.Dispose();
    }

    // Over generated members: words of many scripts, as many as reach the border and pass it.
    [Fact]
    public void A_question_is_asked_exactly_as_long_as_an_answer_still_fits()
    {
        var most = _checkpoint.Model.Config.MaxPositions;
        var draw = new Seed(3).Stream("long questions");
        string[] words = ["who", "wrote", "novel", "北京", "\U0001F600", "ё", "x"];
        var (refused, taken) = (0, 0);
        for (var trial = 0; trial < 200; trial++)
        {
            var question = "Q";
            var aim = most - 4 + draw.Below(9);
            while (_checkpoint.Prompt(question).Count < aim)
                question += " " + words[draw.Below(words.Length)];
            var count = _checkpoint.Prompt(question).Count;
            var said = Refusal(() => PromptLimits.Check(_checkpoint, [("q7", question)]));
            Assert.Equal(count >= most, said is not null);
            if (said is null)
                taken++;
            else
            {
                refused++;
                Assert.Contains($"q7: the question takes {count} tokens", said, StringComparison.Ordinal);
                Assert.Contains($"has {most} positions", said, StringComparison.Ordinal);
            }
        }
        Assert.True(refused > 20 && taken > 20, $"{refused} refused, {taken} taken");
    }

    [Fact]
    public void A_question_that_fits_without_its_answer_is_refused_with_it()
    {
        var most = _checkpoint.Model.Config.MaxPositions;
        for (var words = 1; words < most; words++)
        {
            var answer = string.Join(' ', Enumerable.Repeat("Eliot", words));
            var count = _checkpoint.Row("Who?", answer).Ids.Count;
            var said = Refusal(() => PromptLimits.CheckRows(_checkpoint, [("a", "b", "c"), ("q7", "Who?", answer)]));
            Assert.Equal(count > most, said is not null);
            if (said is not null)
                Assert.Contains($"q7: question and answer take {count} tokens", said, StringComparison.Ordinal);
        }
    }

    private static string? Refusal(Action check)
    {
        try
        {
            check();
            return null;
        }
        catch (InputException e)
        {
            return e.Message;
        }
    }
}
