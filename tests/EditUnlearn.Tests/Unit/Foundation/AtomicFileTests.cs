using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Foundation;

/// <summary>A file is the old one or the new one, never half of either.</summary>
public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void A_writer_that_fails_leaves_the_earlier_file_and_nothing_beside_it()
    {
        var path = _folder["report.txt"];
        AtomicFile.Write(path, "first");
        Assert.Throws<IOException>(() =>
            AtomicFile.Write(
                path,
                partial =>
                {
                    File.WriteAllText(partial, "half");
                    throw new IOException("disk full");
                }
            )
        );
        Assert.Equal("first", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
        AtomicFile.Write(path, partial => File.WriteAllText(partial, "second"));
        Assert.Equal("second", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_name_without_folder_is_written_where_one_stands_and_folders_are_made()
    {
        AtomicFile.Write(_folder["a/b/c.txt"], "x");
        Assert.Equal("x", File.ReadAllText(_folder["a/b/c.txt"]));
    }

    public void Dispose() => _folder.Dispose();
}
