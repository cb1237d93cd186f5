using EditUnlearn.Foundation;

namespace EditUnlearn.Tests.Unit.Foundation;

/// <summary>Vectors: docs/data.md, "Random streams"; the first ones are SplitMix64's published ones.</summary>
public class SeedTests
{
    [Theory]
    [InlineData(0UL, new[] { 0xE220A8397B1DCDAFUL, 0x6E789E6AA1B965F4UL, 0x06C45D188009454FUL })]
    [InlineData(1234567UL, new[] { 6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL })]
    public void SplitMix64_gives_the_published_outputs(ulong state, ulong[] expected)
    {
        var random = new SplitMix64(state);
        Assert.Equal(expected, expected.Select(_ => random.Next()));
    }

    [Theory]
    [InlineData("", 0xCBF29CE484222325UL)]
    [InlineData("a", 0xAF63DC4C8601EC8CUL)]
    public void Fnv_gives_the_published_hashes(string text, ulong expected) =>
        Assert.Equal(expected, Seed.Fnv1a64(text));

    [Fact]
    public void Streams_are_named()
    {
        var graph = new Seed(42).Stream("graph");
        Assert.Equal(
            [0xD42A5B2A87CC92F3UL, 0xDF31289D5FFEE1D0UL, 0x406F50B483EFF947UL],
            Enumerable.Range(0, 3).Select(_ => graph.Next())
        );
    }

    [Fact]
    public void Below_and_shuffle_give_the_recorded_vectors()
    {
        var order = new Seed(42).Stream("order");
        Assert.Equal([3, 6, 0, 3, 1, 0, 1, 7], Enumerable.Range(0, 8).Select(_ => order.Below(10)));

        var items = Enumerable.Range(0, 10).ToArray();
        new Seed(42).Stream("order").Shuffle(items);
        Assert.Equal([2, 6, 8, 5, 7, 9, 1, 0, 4, 3], items);

        var name = new Seed(42).Stream("company/A/name");
        Assert.Equal("usmrrh", string.Concat(Enumerable.Range(0, 6).Select(_ => (char)('a' + name.Below(26)))));
    }
}
