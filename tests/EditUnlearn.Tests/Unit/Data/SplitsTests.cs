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

    // 24 groups of 1 to 24 rows, mixed up in the file.
    private static readonly QaRow[] Grouped =
    [
        .. Enumerable
            .Range(0, 24)
            .SelectMany(g => Enumerable.Range(0, g + 1).Select(i => (Group: g, Place: i)))
            .OrderBy(r => r.Place)
            .Select((r, i) => new QaRow { Id = $"g/{i:0000}", Group = $"group {r.Group}" }),
    ];

    private static ILookup<string, string> Apart(IReadOnlyList<SplitRow> splits, double share, ulong seed = 1) =>
        Splits.SetApart(Grouped, splits, share, new Seed(seed)).ToLookup(s => s.Split, s => s.Id);

    [Theory]
    [InlineData(0.5)]
    [InlineData(0.1)]
    [InlineData(0.3)]
    [InlineData(0.75)]
    public void Unseen_rows_part_what_is_kept_and_cover_every_group_alike(double share)
    {
        var whole = Splits.Listed(Grouped, [Grouped[0].Id], "ids");
        var apart = Apart(whole, share);
        Assert.Equal([Grouped[0].Id], apart[SplitNames.Forget]);
        Assert.Equal(Grouped.Select(r => r.Id), apart.SelectMany(s => s).Order(StringComparer.Ordinal));
        Assert.Equal(share, apart[SplitNames.Retain].Count() / (Grouped.Length - 1.0), 0.01);
        var unseen = apart[SplitNames.Retain].ToHashSet();
        foreach (var group in Grouped.Skip(1).GroupBy(r => r.Group))
            Assert.InRange(group.Count(r => unseen.Contains(r.Id)) - (share * group.Count()), -1.5, 1.5);
    }

    [Fact]
    public void A_row_is_unseen_for_every_forget_set_that_keeps_it_and_for_no_other_seed_alike()
    {
        var few = Apart(Splits.Range(Grouped, 0, 20), 0.5);
        foreach (
            var splits in (IReadOnlyList<SplitRow>[])
                [Splits.Range(Grouped, 0, 100), Splits.Random(Grouped, 80, new Seed(9)), Splits.Range(Grouped, 50, 90)]
        )
        {
            var more = Apart(splits, 0.5);
            var kept = splits.Where(s => s.Split == SplitNames.Retain).Select(s => s.Id).ToHashSet();
            var before = Splits.Range(Grouped, 0, 20).Where(s => s.Split == SplitNames.Retain).Select(s => s.Id);
            kept.IntersectWith(before);
            Assert.Equal(few[SplitNames.Retain].Where(kept.Contains), more[SplitNames.Retain].Where(kept.Contains));
            // Nor does the order of the file favour a part: both are a half of any stretch.
            Assert.InRange(
                more[SplitNames.Retain].Count() / (double)splits.Count(s => s.Split == SplitNames.Retain),
                .4,
                .6
            );
        }
        Assert.NotEqual(few[SplitNames.Retain], Apart(Splits.Range(Grouped, 0, 20), 0.5, 2)[SplitNames.Retain]);
    }

    [Fact]
    public void Without_a_share_nothing_is_set_apart_and_a_part_without_rows_is_an_error()
    {
        var splits = Splits.Range(Grouped, 0, 20);
        Assert.Same(splits, Splits.SetApart(Grouped, splits, 0, new Seed(1)));
        Assert.Equal(Splits.Of(Grouped, splits, SplitNames.Retain), Splits.OpenToMethods(Grouped, splits));
        var e = Assert.Throws<InputException>(() => Apart(Splits.Range(Grouped, 1, Grouped.Length - 1), 0.5));
        Assert.Contains("leaves no row", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Apart(splits, 1));
    }
}
