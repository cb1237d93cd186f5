using EditUnlearn.Artifacts;
using EditUnlearn.Data;

namespace EditUnlearn.Tests.Unit.Data;

public sealed class SplitsTests
{
    private static readonly QaRow[] Rows = [.. Enumerable.Range(0, 30).Select(i => new QaRow { Id = $"x/{i}" })];

    [Theory]
    [InlineData(0, 20)]
    [InlineData(10, 20)]
    [InlineData(29, 1)]
    public void Splits_are_disjoint_and_together_everything(int first, int size)
    {
        var splits = Splits.Range(Rows, first, size);
        var forget = Splits.Of(Rows, splits, Splits.Forget);
        var retain = Splits.Of(Rows, splits, Splits.Retain);
        Assert.Equal(size, forget.Count);
        Assert.Equal($"x/{first}", forget[0].Id);
        Assert.Empty(forget.Intersect(retain));
        Assert.Equal(Rows.Length, forget.Count + retain.Count);
    }

    [Fact]
    public void Larger_sets_from_the_first_row_hold_the_smaller_ones() =>
        Assert.Subset(Ids(20), Ids(10));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 30)]
    [InlineData(25, 6)]
    [InlineData(-1, 2)]
    public void Rows_that_do_not_exist_or_all_of_them_are_refused(int first, int size) => Assert.Throws<ArgumentOutOfRangeException>(() => Splits.Range(Rows, first, size));

    private static HashSet<string> Ids(int size) => [.. Splits.Of(Rows, Splits.Range(Rows, 0, size), Splits.Forget).Select(r => r.Id)];
}
