using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>An input is known by what it holds; times and sizes that anybody can set do not decide.</summary>
public sealed class FileHashesTests
{
    private static readonly DateTime Old = new(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    [Fact]
    public void Other_content_of_the_same_size_and_time_is_found()
    {
        using var folder = new TemporaryFolder();
        void Put(string text)
        {
            File.WriteAllText(folder["f"], text);
            File.SetLastWriteTimeUtc(folder["f"], Old);
        }
        string Hash()
        {
            var hashes = new FileHashes(folder["known.json"]);
            var hash = hashes.Of(folder["f"]);
            hashes.Save();
            return hash;
        }
        Put("first");
        var first = Hash();
        Thread.Sleep(2100); // long enough that it is remembered
        Assert.Equal(first, Hash());
        Assert.True(File.Exists(folder["known.json"]));
        Put("other");
        Assert.NotEqual(first, Hash());
        // Another file in its place, with all times of the first.
        Put("first");
        Assert.Equal(first, Hash());
        File.WriteAllText(folder["g"], "thief");
        File.SetLastWriteTimeUtc(folder["g"], Old);
        File.Move(folder["g"], folder["f"], overwrite: true);
        Assert.NotEqual(first, Hash());
    }

    [Fact]
    public void A_file_whose_link_leads_nowhere_is_named()
    {
        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(folder["link"], folder["gone"]);
        var e = Assert.Throws<InputException>(() => new FileHashes(folder["known.json"]).Of(folder["link"]));
        Assert.Contains("is a link to nothing", e.Message, StringComparison.Ordinal);
    }
}
