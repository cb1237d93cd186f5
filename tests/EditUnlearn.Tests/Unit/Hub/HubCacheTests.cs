using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using static EditUnlearn.Tests.Support.HubServer;

namespace EditUnlearn.Tests.Unit.Hub;

/// <summary>What a pull leaves on disk: the layout, the lock, what is chosen and what is kept.</summary>
public sealed class HubCacheTests : HubPullScene
{
    [Fact]
    public async Task A_revision_lands_in_the_layout_that_other_tools_read()
    {
        var result = await Pull();
        WholeAndClean();
        Assert.Equal((Commit, Snapshot), (result.Commit, result.Folder));
        Assert.Equal(
            ["config.json", "empty.txt", Weights, "nested/folder/vocab.json"],
            result.Files.Select(f => f.Path)
        );
        Assert.Equal("../../blobs/" + Sha256(Content), new FileInfo(Path.Combine(Snapshot, Weights)).LinkTarget);
        Assert.Equal(
            "../../../../blobs/" + GitBlob("[]"u8.ToArray()),
            new FileInfo(Path.Combine(Snapshot, "nested/folder/vocab.json")).LinkTarget
        );
        Assert.Equal(Commit, File.ReadAllText(Path.Combine(Folder["hub"], Tiny.Folder, "refs", "main")));
        Assert.Equal(["pytorch_model.bin"], result.LeftOut);
        Assert.Contains(Notes, n => n.Contains("pickle", StringComparison.Ordinal));
        var pinned = PullLock.Read(Folder[PullLock.FileName]).Find(Tiny, "main")!;
        Assert.Equal(Commit, pinned.Commit);
        Assert.Equal(new LockedFile("config.json", 2, Sha256("{}"u8.ToArray())), pinned.Files[0]);
    }

    [Fact]
    public async Task What_is_there_is_not_asked_for_again()
    {
        await Pull();
        var before = Server.Requests.Count;
        var stamp = File.GetLastWriteTimeUtc(Blob);
        var again = await Pull();
        Assert.Equal(before + 1, Server.Requests.Count); // the listing
        Assert.All(again.Files, f => Assert.Equal(0, f.Missing));
        Assert.Equal(stamp, File.GetLastWriteTimeUtc(Blob));
    }

    [Theory]
    [InlineData("../evil.json")]
    [InlineData("a/../../evil.json")]
    [InlineData("/etc/evil.json")]
    [InlineData("C:/evil.json")]
    [InlineData("a\\..\\evil.json")]
    [InlineData("a//evil.json")]
    [InlineData("./evil.json")]
    [InlineData("nul.json")]
    [InlineData("a/COM1.json")]
    [InlineData("evil.json\u0000")]
    [InlineData("trailing./evil.json")]
    public async Task A_hostile_file_name_stops_everything_before_it_starts(string name)
    {
        Server.Repositories[Route].Files[name] = "{}"u8.ToArray();
        await Assert.ThrowsAsync<DamagedFileException>(() => Pull());
        Assert.Single(Server.Requests);
        Assert.False(Directory.Exists(Folder["hub"]));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{\"sha\":\"../../x\",\"siblings\":[]}")]
    [InlineData("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":7}")]
    [InlineData("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":[{\"rfilename\":3}]}")]
    [InlineData(
        """
            {"sha":"0123456789abcdef0123456789abcdef01234567",
             "siblings":[{"rfilename":"a.json","size":-1,"blobId":"0123456789abcdef0123456789abcdef01234567"}]}
            """
    )]
    [InlineData(
        """
            {"sha":"0123456789abcdef0123456789abcdef01234567",
             "siblings":[{"rfilename":"a.json","size":1,"blobId":"0123456789abcdef0123456789abcdef01234567"},
                         {"rfilename":"A.json","size":1,"blobId":"0123456789abcdef0123456789abcdef01234567"}]}
            """
    )]
    public async Task A_listing_that_makes_no_sense_is_refused(string listing)
    {
        Server.Misbehave = (r, _) => r.Path.StartsWith("/api/", StringComparison.Ordinal) ? Text(200, listing) : null;
        await Assert.ThrowsAsync<DamagedFileException>(() => Pull());
        Assert.False(Directory.Exists(Folder["hub"]));
    }

    [Fact]
    public async Task A_mirror_that_lists_names_only_is_asked_for_each_file()
    {
        Server.IsLarge = _ => false;
        Server.Misbehave = (r, _) =>
        {
            if (!r.Path.StartsWith("/api/", StringComparison.Ordinal))
                return null;
            var listing = Server.Listing(Route);
            foreach (var file in listing["siblings"]!.AsArray())
            {
                file!.AsObject().Remove("size");
                file.AsObject().Remove("blobId");
            }
            return Text(200, listing.ToJsonString());
        };
        await Pull();
        WholeAndClean();
        Assert.Equal(4, Server.Requests.Count(r => r.Method == "HEAD"));
    }

    [Fact]
    public async Task The_lock_pins_the_commit_until_an_update_is_asked_for()
    {
        await Pull();
        const string Later = "89abcdef0123456789abcdef0123456789abcdef";
        var old = Server.Repositories[Route];
        Server.Repositories[Route] = (Later, new() { ["config.json"] = "{\"a\":1}"u8.ToArray() });
        Server.Misbehave = (r, _) =>
            r.Path.Contains(Commit, StringComparison.Ordinal) && r.Path.StartsWith("/api/", StringComparison.Ordinal)
                ? Text(
                    200,
                    $$"""
                    {"sha":"{{Commit}}",
                     "siblings":[{"rfilename":"config.json","size":2,"blobId":"{{GitBlob(old.Files["config.json"])}}"}]}
                    """
                )
                : null;
        Assert.Equal(Commit, (await Pull()).Commit);
        var updated = await Pull(
            request: new PullRequest(Tiny, "main", NamePatterns.ForModels)
            {
                LockFile = Folder[PullLock.FileName],
                Update = true,
            }
        );
        Assert.Equal(Later, updated.Commit);
        Assert.Equal(Later, PullLock.Read(Folder[PullLock.FileName]).Find(Tiny, "main")!.Commit);
    }

    [Fact]
    public async Task A_commit_whose_bytes_differ_from_the_lock_is_not_trusted()
    {
        await Pull();
        Server.Repositories[Route].Files["config.json"] = "[]"u8.ToArray();
        Assert.Contains(
            "a commit never changes",
            (await Assert.ThrowsAsync<DamagedFileException>(() => Pull())).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Offline_the_cache_answers_and_what_is_not_in_it_is_named()
    {
        var offline = Settings with { Offline = true };
        Assert.Contains(
            "revision main is not in the cache",
            (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(offline))).Message,
            StringComparison.Ordinal
        );
        await Pull();
        var before = Server.Requests.Count;
        Assert.Equal(Snapshot, (await Pull(offline)).Folder);
        File.Delete(Blob);
        Assert.Contains(
            $"{Weights} is not in the cache",
            (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(offline))).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, Server.Requests.Count);
    }

    [Fact]
    public async Task Pulls_side_by_side_fetch_each_file_once()
    {
        Server.Misbehave = (r, _) => IsFile(r) ? Server.Usual(r) with { Delay = TimeSpan.FromMilliseconds(150) } : null;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Pull()));
        WholeAndClean();
        Assert.Single(Server.Requests, IsFile);
    }

    [Fact]
    public async Task A_full_disk_is_seen_before_anything_is_fetched()
    {
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(free: _ => 1000));
        Assert.Contains("set HF_HOME to a folder on a larger disk", e.Message, StringComparison.Ordinal);
        Assert.Single(Server.Requests);
    }

    [Fact]
    public async Task A_dry_run_says_what_is_there_and_fetches_nothing()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Blob)!);
        File.WriteAllBytes(Blob + ".incomplete", Content[..70_000]);
        var result = await Pull(
            request: new PullRequest(Tiny, "main", NamePatterns.ForModels)
            {
                DryRun = true,
                LockFile = Folder[PullLock.FileName],
            }
        );
        Assert.Equal(
            (300_000, 230_000),
            (result.Files.Single(f => f.Path == Weights).Bytes, result.Files.Single(f => f.Path == Weights).Missing)
        );
        Assert.Single(Server.Requests);
        Assert.False(File.Exists(Folder[PullLock.FileName]));
    }

    [Fact]
    public async Task Patterns_choose_files_but_never_pickle()
    {
        var result = await Pull(
            request: new PullRequest(Tiny, "main", new NamePatterns(["*"], ["nested/", "*.safetensors"]))
        );
        Assert.Equal(["README.md", "config.json", "empty.txt"], result.Files.Select(f => f.Path));
        var e = await Assert.ThrowsAsync<InputException>(() =>
            Pull(request: new PullRequest(Tiny, "main", new NamePatterns(["*.bin"], [])))
        );
        Assert.Contains("pickle", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Server.Requests, r => r.Path.EndsWith(".bin", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_plain_folder_is_filled_and_nothing_in_it_is_overwritten()
    {
        var request = new PullRequest(Tiny, "main", NamePatterns.ForModels) { To = Folder["plain"] };
        await Pull(request: request);
        await Pull(request: request);
        Assert.Equal(Content, File.ReadAllBytes(Folder["plain/" + Weights]));
        Assert.Null(new FileInfo(Folder["plain/config.json"]).LinkTarget);
        File.WriteAllText(Folder["plain/config.json"], "mine");
        var e = await Assert.ThrowsAsync<InputException>(() => Pull(request: request));
        Assert.Contains("is there already, with other content", e.Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Folder["plain/config.json"]));
        Assert.Equal("{}", File.ReadAllText(Path.Combine(Snapshot, "config.json")));
    }

    [Fact]
    public async Task Pinned_files_outside_the_hub_are_fetched_checked_and_left_alone()
    {
        var file = new PinnedFile(
            "set/a.json",
            new Uri(Server.Endpoint, "raw/a.json"),
            Content.Length,
            Sha256(Content)
        );
        Server.Misbehave = (r, before) => Part(r, Content, "\"v\"") with { CutAt = before == 0 ? 1000 : null };
        using var hub = new HubPull(
            Settings with
            {
                Endpoint = new Uri("https://hub.invalid/"),
            },
            new SilentObserver(),
            new RetryPolicy { Wait = (_, _) => Task.CompletedTask }
        );
        var result = await hub.RunAsync([file], Folder["inputs"], false, default);
        Assert.Equal(Content, File.ReadAllBytes(Folder["inputs/set/a.json"]));
        Assert.Equal(Content.Length, Assert.Single(result).Missing);
        Assert.Equal(0, Assert.Single(await hub.RunAsync([file], Folder["inputs"], false, default)).Missing);
        Assert.Equal(2, Server.Requests.Count);
        Assert.All(Server.Requests, r => Assert.Null(r.Header("Authorization")));
        File.WriteAllText(Folder["inputs/set/a.json"], "mine");
        await Assert.ThrowsAsync<InputException>(() => hub.RunAsync([file], Folder["inputs"], false, default));
        Assert.Equal(["a.json"], Directory.EnumerateFiles(Folder["inputs/set"]).Select(Path.GetFileName));
    }
}
