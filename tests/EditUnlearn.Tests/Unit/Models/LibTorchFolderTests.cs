using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Models;

public sealed class LibTorchFolderTests
{
    [Theory]
    [InlineData("version.py", "__version__ = '2.11.0+cu130'\ndebug = False\n", "2.11.0+cu130", false)]
    [InlineData("version.py", "from typing import Optional\n__version__: str = \"2.10.0\"\n", "2.10.0", true)]
    [InlineData("build-version", "2.10.0+cu128\n", "2.10.0+cu128", true)]
    [InlineData("build-version", "2.1.0\n", "2.1.0", false)]
    [InlineData("README", "nothing", null, true)]
    public void The_version_is_read_where_the_installation_says_it(
        string file,
        string content,
        string? version,
        bool expected
    )
    {
        using var folder = new TemporaryFolder();
        var lib = Directory.CreateDirectory(Path.Combine(folder.Path, "lib")).FullName;
        foreach (var name in (string[])["libtorch.so", "libtorch_cpu.so", "libc10.so"])
            File.WriteAllText(Path.Combine(lib, name), "");
        File.WriteAllText(Path.Combine(folder.Path, file), content);
        var found = LibTorchFolder.Of(lib);
        Assert.Equal(version, found.Version);
        Assert.Equal(expected, found.IsExpectedVersion);
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, "libtorch.so"), "");
        Assert.Contains(
            "libc10.so, libtorch_cpu.so are missing",
            Assert.Throws<ResourceUnavailableException>(() => LibTorchFolder.Of(folder.Path)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "does not exist",
            Assert
                .Throws<ResourceUnavailableException>(() => LibTorchFolder.Of(Path.Combine(folder.Path, "none")))
                .Message,
            StringComparison.Ordinal
        );
    }
}
