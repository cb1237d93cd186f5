using EditUnlearn.Launcher;

namespace EditUnlearn.Tests.Unit.Launcher;

public sealed class FreshnessTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("eu-launcher-").FullName;

    public FreshnessTests()
    {
        Put("EditUnlearn.sln", "");
        Put(".config/dotnet-tools.json", "{}");
        Put("Directory.Build.props", "<Project/>");
        Put("pipeline.yaml", "a: 1");
        Put("src/Room/Code.cs", "class A;");
        Put("src/Room/obj/Generated.cs", "class G;");
        Put("src/Room/bin/Room.dll", "binary");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void The_checkout_is_found_from_any_folder_below() =>
        Assert.Equal(_root, EditUnlearn.Launcher.Checkout.Around(Path.Combine(_root, "src", "Room"))?.Root);

    [Theory]
    [InlineData("R & D", false)]
    [InlineData("100% a'b \"c\" (d) [e] {f} #g $h ~i", false)]
    [InlineData("北京 é", false)]
    [InlineData("a;b", true)]
    public void A_place_where_nothing_can_be_built_is_named(string folder, bool refused)
    {
        var complaint = new EditUnlearn.Launcher.Checkout(Path.Combine(_root, folder)).Complaint;
        Assert.Equal(refused, complaint is not null);
        if (refused)
            Assert.Contains($"{folder}', and a path with ';'", complaint, StringComparison.Ordinal);
    }

    [Fact]
    public void Outside_a_checkout_there_is_none() =>
        Assert.Null(EditUnlearn.Launcher.Checkout.Around(Path.GetPathRoot(_root)!));

    [Theory]
    [InlineData("src/Room/Code.cs", true)]
    [InlineData("src/Room/New.cs", true)]
    [InlineData("src/Room/Template.sbn", true)]
    [InlineData("Directory.Build.props", true)]
    [InlineData("pipeline.yaml", false)]
    [InlineData("README.md", false)]
    [InlineData("src/Room/obj/Generated.cs", false)]
    [InlineData("src/Room/bin/Room.dll", false)]
    [InlineData("artifacts/tables/table1.tex", false)]
    public void A_write_to_what_the_build_reads_changes_the_stamp_and_nothing_else_does(string path, bool changes)
    {
        var before = Stamp();
        Put(path, "something of another length");
        Assert.Equal(changes, Stamp() != before);
    }

    [Fact]
    public void A_deleted_source_file_changes_the_stamp()
    {
        var before = Stamp();
        File.Delete(Path.Combine(_root, "src/Room/Code.cs"));
        Assert.NotEqual(before, Stamp());
    }

    [Fact]
    public void Another_libtorch_changes_the_stamp() =>
        Assert.NotEqual(Stamp(), Freshness.Stamp(new EditUnlearn.Launcher.Checkout(_root), "cuda"));

    private string Stamp() => Freshness.Stamp(new EditUnlearn.Launcher.Checkout(_root), "cpu");

    private void Put(string path, string text)
    {
        var full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
