using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>The compiled outcome of a run without work: holds while nothing changes, and any doubt ends it.</summary>
public sealed class NoOpStampTests : IDisposable
{
    private const string Request = "profile default";
    private readonly TemporaryFolder _folder = new();
    private readonly FakeStages _fakes = new();

    public NoOpStampTests()
    {
        Directory.CreateDirectory(_folder["profiles"]);
        File.WriteAllText(
            _folder["pipeline.yaml"],
            """
            default-profile: default
            stages:
              source:
                for: { k: [p, q] }
                in: { text: { file: data.txt } }
                with: { number: $n, label: $k }
              join: { in: { parts: source } }
            """
        );
        File.WriteAllText(_folder["profiles/default.yaml"], "n: 1\ndevice: cpu\n");
        File.WriteAllText(_folder["data.txt"], "data");
    }

    public void Dispose() => _folder.Dispose();

    // One run as repro goes about it.
    private async Task<int> Run()
    {
        _fakes.Ran.Clear();
        var sources = NoOpStamp.Sources.Before(_folder.Path, AppContext.BaseDirectory);
        var plan = PlanBuilder.Build(
            PipelineFile.Read(_folder["pipeline.yaml"]),
            _fakes.Catalog,
            new PlanRequest(null, [])
        );
        var store = new ResultStore(_folder["artifacts"]);
        var files = new FileHashes(Path.Combine(store.Folder, "files.json"));
        var keys = new KeyResolver(plan, new CodeIdentity(AppContext.BaseDirectory), files);
        sources.Add(plan, store);
        await using var runner = new InProcessRunner(_fakes.Catalog);
        var result = await new Scheduler(plan, store, keys, runner, new Silent()).RunAsync(
            plan.Cells,
            new RunOptions(),
            CancellationToken.None
        );
        NoOpStamp.Write(Request, plan, store, result, sources);
        return _fakes.Ran.Count;
    }

    private NoOpStamp? Find(string request = Request) => NoOpStamp.Find(_folder["artifacts"], request);

    private async Task Stamped()
    {
        await Run();
        Assert.Null(Find()); // it ran something
        await Task.Delay(2200);
        Assert.Equal(0, await Run());
        Assert.Equal(3, Find()!.Cells);
        Assert.Equal("default", Find()!.Profile);
        Assert.Null(Find("profile other"));
    }

    [Theory]
    [InlineData("data.txt")]
    [InlineData("pipeline.yaml")]
    [InlineData("profiles/default.yaml")]
    public async Task A_touched_file_ends_it_even_with_its_old_size_and_time(string file)
    {
        await Stamped();
        var (bytes, time) = (File.ReadAllBytes(_folder[file]), File.GetLastWriteTimeUtc(_folder[file]));
        bytes[^2] ^= 1;
        File.WriteAllBytes(_folder[file], bytes);
        File.SetLastWriteTimeUtc(_folder[file], time);
        Assert.Null(Find());
    }

    [Fact]
    public async Task A_new_profile_a_lost_result_or_another_view_ends_it()
    {
        await Stamped();
        var view = new DirectoryInfo(_folder["artifacts/source/p"]);
        var result = view.ResolveLinkTarget(returnFinalTarget: true)!.FullName;
        File.Move(Path.Combine(result, "manifest.json"), _folder["aside.json"]);
        Assert.Null(Find());
        File.Move(_folder["aside.json"], Path.Combine(result, "manifest.json"));
        Assert.NotNull(Find());

        Directory.Delete(view.FullName);
        Directory.CreateSymbolicLink(view.FullName, _folder["profiles"]);
        Assert.Null(Find());
        await Run(); // puts it right
        Assert.Equal(result, new DirectoryInfo(view.FullName).ResolveLinkTarget(returnFinalTarget: true)!.FullName);
        Assert.Null(Find()); // touched just now
        await Task.Delay(2200);
        await Run();
        Assert.NotNull(Find());

        File.WriteAllText(_folder["profiles/more.yaml"], "n: 2\n");
        Assert.Null(Find());
    }

    private sealed class Silent : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) { }

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) { }
    }
}
