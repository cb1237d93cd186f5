using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;

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
        var forget = Splits.Of(Rows, splits, SplitNames.Forget);
        var retain = Splits.Of(Rows, splits, SplitNames.Retain);
        Assert.Equal(size, forget.Count);
        Assert.Equal($"x/{first}", forget[0].Id);
        Assert.Empty(forget.Intersect(retain));
        Assert.Equal(Rows.Length, forget.Count + retain.Count);
    }

    [Fact]
    public void Larger_sets_from_the_first_row_hold_the_smaller_ones() => Assert.Subset(Ids(20), Ids(10));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 30)]
    [InlineData(25, 6)]
    [InlineData(-1, 2)]
    public void Rows_that_do_not_exist_or_all_of_them_are_refused(int first, int size) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Splits.Range(Rows, first, size));

    private static HashSet<string> Ids(int size) =>
        [.. Splits.Of(Rows, Splits.Range(Rows, 0, size), SplitNames.Forget).Select(r => r.Id)];

    [Fact]
    public void Drawn_sets_depend_on_the_seed_alone_and_larger_ones_hold_the_smaller()
    {
        HashSet<string> Drawn(int size, ulong seed = 42) =>
            [.. Splits.Of(Rows, Splits.Random(Rows, size, new Seed(seed)), SplitNames.Forget).Select(r => r.Id)];
        Assert.Subset(Drawn(20), Drawn(10));
        Assert.Equal(10, Drawn(10).Count);
        Assert.NotEqual(Drawn(10), Drawn(10, 43));
        // The vector of docs/data.md: stream(42, "order") shuffles 0..9 into 2 6 8 5 7 9 1 0 4 3.
        Assert.Equal(
            ["x/2", "x/5", "x/6", "x/8"],
            Splits.Of(Rows[..10], Splits.Random(Rows[..10], 4, new Seed(42)), SplitNames.Forget).Select(r => r.Id)
        );
    }

    [Fact]
    public void Groups_and_lists_choose_what_they_name_and_complain_about_what_is_not_there()
    {
        QaRow[] rows = [.. Rows.Select((r, i) => r with { Group = $"A_{i % 3}" })];
        Assert.Equal(20, Splits.Of(rows, Splits.Groups(rows, ["A_0", "A_2"]), SplitNames.Forget).Count);
        Assert.Contains(
            "no group 'A_9'",
            Assert.Throws<InputException>(() => Splits.Groups(rows, ["A_0", "A_9"])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "nothing would be kept",
            Assert.Throws<InputException>(() => Splits.Groups(rows, ["A_0", "A_1", "A_2"])).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            ["x/3", "x/7"],
            Splits.Of(Rows, Splits.Listed(Rows, ["x/7", "x/3"], "ids.txt"), SplitNames.Forget).Select(r => r.Id)
        );
        var e = Assert.Throws<InputException>(() => Splits.Listed(Rows, ["x/7", "x/77", "x/7"], "ids.txt"));
        Assert.Equal(
            [(2, "'x/77' is not an id of the data"), (3, "'x/7' stands twice")],
            e.Problems.Select(p => (p.Line, p.Message))
        );
    }
}
