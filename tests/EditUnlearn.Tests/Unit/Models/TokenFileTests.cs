using EditUnlearn.Foundation;
using EditUnlearn.Models.Inspection;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Models;

public sealed class TokenFileTests
{
    [Fact]
    public void What_is_written_is_read_back()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "ids.json");
        int[][] sequences =
        [
            [1, 5, 9],
            [7],
            [0, 96],
        ];
        TokenFile.Write(path, sequences);
        Assert.Equal(sequences, TokenFile.Read(path, 97));
    }

    [Fact]
    public void Every_wrong_sequence_is_named()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "ids.json");
        File.WriteAllText(path, "[[1, 2], [], [1, 97], [1, -1], [1, 2.5], 7, [\"a\"], [1e99]]");
        var e = Assert.Throws<InputException>(() => TokenFile.Read(path, 97));
        string[] expected =
        [
            "1 is empty",
            "2 holds 97 at 1",
            "3 holds -1 at 1",
            "4 holds 2.5 at 1",
            "5 is not an array",
            "6 holds \"a\" at 0",
            "7 holds 1e99 at 0",
        ];
        Assert.Equal(expected.Length, e.Problems.Count);
        Assert.All(
            expected.Zip(e.Problems),
            p => Assert.StartsWith("sequence " + p.First, p.Second.Message, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("[[1,", "not valid JSON")]
    [InlineData("{\"a\": 1}", "is not an array")]
    [InlineData("[]", "holds no sequence")]
    [InlineData("[[[[[[[[[[1]]]]]]]]]]", "not valid JSON")]
    public void Anything_else_is_refused_with_a_reason(string json, string expected)
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "ids.json");
        File.WriteAllText(path, json);
        Assert.Contains(
            expected,
            Assert.Throws<InputException>(() => TokenFile.Read(path, 97)).Message,
            StringComparison.Ordinal
        );
    }
}
