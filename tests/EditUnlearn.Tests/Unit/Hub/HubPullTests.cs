using System.Collections.Concurrent;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Tests.Support;
using static EditUnlearn.Tests.Support.HubServer;

namespace EditUnlearn.Tests.Unit.Hub;

/// <summary>Downloads against a server on loopback that drops, lies, stalls and redirects.</summary>
public sealed class HubPullTests : IDisposable
{
    private const string Route = "models/org/tiny";
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private const string Weights = "model.safetensors";
    private static readonly RepositoryId Tiny = RepositoryId.Parse(RepositoryType.Model, "org/tiny");

    private readonly HubServer _server = new();
    private readonly TemporaryFolder _folder = new();
    private readonly ConcurrentQueue<TimeSpan> _pauses = new();
    private readonly ConcurrentQueue<string> _notes = new();
    private readonly byte[] _content = Bytes(300_000, 1);

    public HubPullTests() => _server.Repositories[Route] = (Commit, new()
    {
        [Weights] = _content,
        ["config.json"] = "{}"u8.ToArray(),
        ["nested/folder/vocab.json"] = "[]"u8.ToArray(),
        ["README.md"] = "read me"u8.ToArray(),
        ["pytorch_model.bin"] = Bytes(50, 2),
        ["empty.txt"] = [],
    });

    public void Dispose()
    {
        _server.Dispose();
        _folder.Dispose();
    }

    private HubSettings Settings => new() { Endpoint = _server.Endpoint, Cache = _folder["hub"], Token = "hf_secret", DownloadTimeout = TimeSpan.FromSeconds(5), EtagTimeout = TimeSpan.FromSeconds(5) };

    private string Blob => Path.Combine(_folder["hub"], Tiny.Folder, "blobs", Sha256(_content));

    private string Snapshot => Path.Combine(_folder["hub"], Tiny.Folder, "snapshots", Commit);

    private static byte[] Bytes(int count, ulong seed)
    {
        var draw = new Seed(seed).Stream("hub");
        return [.. Enumerable.Range(0, count).Select(_ => (byte)draw.Below(256))];
    }

    private static bool IsFile(Request request) => request.Path.EndsWith(Weights, StringComparison.Ordinal);

    private async Task<PullResult> Pull(HubSettings? settings = null, PullRequest? request = null, Func<string, long>? free = null, CancellationToken cancelled = default)
    {
        var retry = new RetryPolicy
        {
            Wait = (pause, stop) =>
            {
                _pauses.Enqueue(pause);
                return Task.Delay(1, stop);
            },
        };
        using var hub = new HubPull(settings ?? Settings, new Observer(_notes), retry, freeBytes: free);
        return await hub.RunAsync(request ?? new PullRequest(Tiny, "main", NamePatterns.ForModels) { LockFile = _folder[PullLock.FileName] }, cancelled);
    }

    private sealed class Observer(ConcurrentQueue<string> notes) : IPullObserver
    {
        public void Planned(int files, long bytes) { }

        public void Started(string file, long bytes, long there) => notes.Enqueue($"{file} at {there}");

        public void Advanced(string file, long bytes) { }

        public void Finished(string file) { }

        public void Note(string text) => notes.Enqueue(text);
    }

    private void WholeAndClean()
    {
        Assert.Equal(_content, File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
        Assert.Empty(Directory.EnumerateFiles(_folder["hub"], "*.incomplete*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_revision_lands_in_the_layout_that_other_tools_read()
    {
        var result = await Pull();
        WholeAndClean();
        Assert.Equal((Commit, Snapshot), (result.Commit, result.Folder));
        Assert.Equal(["config.json", "empty.txt", Weights, "nested/folder/vocab.json"], result.Files.Select(f => f.Path));
        Assert.Equal("../../blobs/" + Sha256(_content), new FileInfo(Path.Combine(Snapshot, Weights)).LinkTarget);
        Assert.Equal("../../../../blobs/" + GitBlob("[]"u8.ToArray()), new FileInfo(Path.Combine(Snapshot, "nested/folder/vocab.json")).LinkTarget);
        Assert.Equal(Commit, File.ReadAllText(Path.Combine(_folder["hub"], Tiny.Folder, "refs", "main")));
        Assert.Equal(["pytorch_model.bin"], result.LeftOut);
        Assert.Contains(_notes, n => n.Contains("pickle", StringComparison.Ordinal));
        var pinned = PullLock.Read(_folder[PullLock.FileName]).Find(Tiny, "main")!;
        Assert.Equal(Commit, pinned.Commit);
        Assert.Equal(new LockedFile("config.json", 2, Sha256("{}"u8.ToArray())), pinned.Files[0]);
    }

    [Fact]
    public async Task What_is_there_is_not_asked_for_again()
    {
        await Pull();
        var before = _server.Requests.Count;
        var stamp = File.GetLastWriteTimeUtc(Blob);
        var again = await Pull();
        Assert.Equal(before + 1, _server.Requests.Count);   // the listing
        Assert.All(again.Files, f => Assert.Equal(0, f.Missing));
        Assert.Equal(stamp, File.GetLastWriteTimeUtc(Blob));
    }

    [Fact]
    public async Task A_connection_that_drops_again_and_again_is_resumed_where_it_broke()
    {
        _server.Misbehave = (r, before) => IsFile(r) && before < 4 ? _server.Usual(r) with { CutAt = 50_000 } : null;
        await Pull();
        WholeAndClean();
        var asked = _server.Requests.Where(IsFile).ToList();
        Assert.Equal([null, "bytes=50000-", "bytes=100000-", "bytes=150000-", "bytes=200000-"], asked.Select(r => r.Header("Range")));
        Assert.All(asked.Skip(1), r => Assert.Equal($"\"{Sha256(_content)}\"", r.Header("If-Range")));
        Assert.Equal([1, 2, 4, 8], _pauses.Select(p => p.TotalSeconds));
    }

    [Fact]
    public async Task A_body_shorter_than_its_announced_length_is_never_taken_for_whole()
    {
        _server.Misbehave = (r, _) => IsFile(r) ? new Answer(200, _content[..1000]) { Announced = _content.Length } : null;
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull());
        Assert.Contains("6 times in a row", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Blob));
        Assert.Equal(1000, new FileInfo(Blob + ".incomplete").Length);
    }

    [Fact]
    public async Task An_honest_but_short_length_is_resumed_too()
    {
        _server.Misbehave = (r, before) => IsFile(r) && before == 0 ? new Answer(200, _content[..1000]) : null;
        await Pull();
        WholeAndClean();
    }

    [Fact]
    public async Task Interrupted_in_mid_body_it_goes_on_with_the_next_call()
    {
        _server.Misbehave = (r, _) => IsFile(r) ? _server.Usual(r) with { CutAt = 120_000, Stall = TimeSpan.FromSeconds(30) } : null;
        using var stop = new CancellationTokenSource();
        var pull = Pull(cancelled: stop.Token);
        while (!File.Exists(Blob + ".incomplete")) await Task.Delay(10);
        await Task.Delay(200);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pull);
        Assert.False(File.Exists(Blob));
        Assert.Equal(120_000, new FileInfo(Blob + ".incomplete").Length);
        _server.Misbehave = (_, _) => null;
        var result = await Pull();
        WholeAndClean();
        Assert.Equal(180_000, result.Files.Single(f => f.Path == Weights).Missing);
        Assert.Contains($"{Weights} at 120000", _notes);
        Assert.Equal("bytes=120000-", _server.Requests.Last(IsFile).Header("Range"));
    }

    [Theory]
    [InlineData(200)]   // a server that ignores ranges
    [InlineData(206)]   // one that sends another part
    [InlineData(416)]   // one that has forgotten the file
    public async Task A_server_that_does_not_resume_is_read_from_the_start(int status)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Blob)!);
        File.WriteAllBytes(Blob + ".incomplete", _content[..70_000]);
        _server.Misbehave = (r, before) => !IsFile(r) || before > 0 ? null : status switch
        {
            200 => new Answer(200, _content),
            206 => new Answer(206, _content[60_000..]) { Headers = { ["Content-Range"] = $"bytes 60000-{_content.Length - 1}/{_content.Length}" } },
            _ => new Answer(416, []),
        };
        await Pull();
        WholeAndClean();
        Assert.Equal(status == 200 ? 1 : 2, _server.Requests.Count(IsFile));
    }

    [Fact]
    public async Task A_version_that_changed_between_attempts_is_fetched_anew_and_checked()
    {
        var old = Bytes(_content.Length, 9);
        _server.Misbehave = (r, before) => IsFile(r) && before == 0 ? Part(r, old, "\"old\"") with { CutAt = 100_000 } : null;
        await Pull();
        WholeAndClean();
        var second = _server.Requests.Where(IsFile).ElementAt(1);
        Assert.Equal(("bytes=100000-", "\"old\""), (second.Header("Range"), second.Header("If-Range")));
    }

    [Fact]
    public async Task An_old_beginning_without_a_mark_is_found_out_by_the_hash_and_fetched_anew()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Blob)!);
        File.WriteAllBytes(Blob + ".incomplete", Bytes(100_000, 9));
        await Pull();
        WholeAndClean();
        Assert.Contains(_notes, n => n.Contains("does not fit", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_wrong_hash_is_refused_and_nothing_stays()
    {
        _server.Misbehave = (r, _) => IsFile(r) ? new Answer(200, Bytes(_content.Length, 7)) : null;
        var e = await Assert.ThrowsAsync<DamagedFileException>(() => Pull());
        Assert.Contains("hashes to", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(Blob)!, Sha256(_content) + "*"));
        Assert.False(File.Exists(_folder[PullLock.FileName]));
    }

    [Fact]
    public async Task A_small_file_with_another_git_hash_is_refused_too()
    {
        _server.Misbehave = (r, _) => r.Path.EndsWith("config.json", StringComparison.Ordinal) ? Text(200, "[]") : null;
        Assert.Contains("config.json", (await Assert.ThrowsAsync<DamagedFileException>(() => Pull())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_bytes_than_announced_are_refused()
    {
        _server.Misbehave = (r, _) => IsFile(r) ? new Answer(200, [.. _content, 0]) : null;
        Assert.Contains("300001", (await Assert.ThrowsAsync<DamagedFileException>(() => Pull())).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Blob));
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_to_nobody_it_redirects_to()
    {
        using var elsewhere = new HubServer();
        elsewhere.Misbehave = (r, _) => Part(r, _content, "\"store\"");
        _server.Misbehave = (r, _) => IsFile(r) ? new Answer(302, []) { Headers = { ["Location"] = new Uri(elsewhere.Endpoint, "store/abc?sig=1").ToString() } } : null;
        await Pull();
        WholeAndClean();
        Assert.All(_server.Requests, r => Assert.Equal("Bearer hf_secret", r.Header("Authorization")));
        var there = Assert.Single(elsewhere.Requests);
        Assert.Null(there.Header("Authorization"));
        Assert.DoesNotContain("hf_secret", string.Join('\n', there.Headers.Select(h => h.Value)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_back_to_the_hub_gets_the_token_again_and_a_relative_one_keeps_it()
    {
        _server.Misbehave = (r, before) => IsFile(r) && before == 0 ? new Answer(307, []) { Headers = { ["Location"] = r.Path } } : null;
        await Pull();
        WholeAndClean();
        Assert.All(_server.Requests.Where(IsFile), r => Assert.Equal("Bearer hf_secret", r.Header("Authorization")));
    }

    [Theory]
    [InlineData("", "more than 10 redirects")]
    [InlineData("file:///etc/passwd", "which is not followed")]
    [InlineData("ftp://127.0.0.1/x", "which is not followed")]
    public async Task Redirects_that_lead_nowhere_end(string location, string expected)
    {
        _server.Misbehave = (r, _) => IsFile(r) ? new Answer(302, []) { Headers = { ["Location"] = location.Length > 0 ? location : r.Path } } : null;
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull());
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.True(_server.Requests.Count(IsFile) <= 11);
    }

    [Fact]
    public async Task A_busy_server_is_given_the_time_it_asks_for()
    {
        _server.Misbehave = (r, before) => IsFile(r) && before < 2 ? new Answer(429, []) { Headers = { ["Retry-After"] = before == 0 ? "17" : "3" } } : null;
        await Pull();
        WholeAndClean();
        Assert.Equal([17, 3], _pauses.Select(p => p.TotalSeconds));
    }

    [Fact]
    public async Task A_server_that_asks_for_an_hour_is_not_waited_for()
    {
        _server.Misbehave = (r, _) => IsFile(r) ? new Answer(503, []) { Headers = { ["Retry-After"] = "3600" } } : null;
        Assert.Contains("come back in 60 minutes", (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull())).Message, StringComparison.Ordinal);
        Assert.Empty(_pauses);
    }

    [Fact]
    public async Task A_broken_server_is_tried_six_times_with_longer_and_longer_pauses()
    {
        _server.Misbehave = (r, _) => r.Path.StartsWith("/api/", StringComparison.Ordinal) ? Text(500, "oops") : null;
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull());
        Assert.Contains("org/tiny at main: the server answered 500", e.Message, StringComparison.Ordinal);
        Assert.Equal([1, 2, 4, 8, 16], _pauses.Select(p => p.TotalSeconds));
    }

    [Fact]
    public async Task A_server_that_falls_silent_is_left_and_resumed()
    {
        _server.Misbehave = (r, before) => IsFile(r) && before == 0 ? _server.Usual(r) with { CutAt = 40_000, Stall = TimeSpan.FromSeconds(20) } : null;
        await Pull(Settings with { DownloadTimeout = TimeSpan.FromMilliseconds(300) });
        WholeAndClean();
        Assert.Contains(_notes, n => n.Contains("nothing arrived for 0.3 s", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_a_typed_error()
    {
        _server.Misbehave = (_, _) => Text(200, "{}") with { Delay = TimeSpan.FromSeconds(20) };
        Assert.Contains("did not answer within 0.1 s", (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(Settings with { EtagTimeout = TimeSpan.FromMilliseconds(100) }))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_network_is_exit_code_6_with_a_hint()
    {
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(Settings with { Endpoint = new Uri("http://127.0.0.1:1/") }));
        Assert.Contains("cannot be reached (ConnectionRefused)", e.Message, StringComparison.Ordinal);
        Assert.Contains("hint: ", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401, "GatedRepo", typeof(ResourceUnavailableException), "accept the licence on http")]
    [InlineData(403, "GatedRepo", typeof(ResourceUnavailableException), "check HF_TOKEN")]
    [InlineData(401, "RepoNotFound", typeof(InputException), "no such repository, or it is private")]
    [InlineData(404, "RevisionNotFound", typeof(InputException), "has no such revision")]
    [InlineData(404, null, typeof(InputException), "no such thing")]
    public async Task A_refusal_says_what_to_do(int status, string? code, Type kind, string expected)
    {
        _server.Misbehave = (r, _) => r.Path.StartsWith("/api/", StringComparison.Ordinal) ? new Answer(status, []) { Headers = code is null ? [] : new() { ["X-Error-Code"] = code } } : null;
        var e = await Assert.ThrowsAnyAsync<Exception>(() => Pull());
        Assert.IsType(kind, e);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hf_secret", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gated_file_inside_an_open_listing_names_the_page()
    {
        _server.Misbehave = (r, _) => IsFile(r) ? new Answer(403, []) : null;
        Assert.Contains($"accept the licence on {_server.Endpoint}org/tiny", (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull())).Message, StringComparison.Ordinal);
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
        _server.Repositories[Route].Files[name] = "{}"u8.ToArray();
        await Assert.ThrowsAsync<DamagedFileException>(() => Pull());
        Assert.Single(_server.Requests);
        Assert.False(Directory.Exists(_folder["hub"]));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{\"sha\":\"../../x\",\"siblings\":[]}")]
    [InlineData("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":7}")]
    [InlineData("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":[{\"rfilename\":3}]}")]
    [InlineData("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":[{\"rfilename\":\"a.json\",\"size\":-1,\"blobId\":\"0123456789abcdef0123456789abcdef01234567\"}]}")]
    [InlineData("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":[{\"rfilename\":\"a.json\",\"size\":1,\"blobId\":\"0123456789abcdef0123456789abcdef01234567\"},{\"rfilename\":\"A.json\",\"size\":1,\"blobId\":\"0123456789abcdef0123456789abcdef01234567\"}]}")]
    public async Task A_listing_that_makes_no_sense_is_refused(string listing)
    {
        _server.Misbehave = (r, _) => r.Path.StartsWith("/api/", StringComparison.Ordinal) ? Text(200, listing) : null;
        await Assert.ThrowsAsync<DamagedFileException>(() => Pull());
        Assert.False(Directory.Exists(_folder["hub"]));
    }

    [Fact]
    public async Task A_mirror_that_lists_names_only_is_asked_for_each_file()
    {
        _server.IsLarge = _ => false;
        _server.Misbehave = (r, _) =>
        {
            if (!r.Path.StartsWith("/api/", StringComparison.Ordinal)) return null;
            var listing = _server.Listing(Route);
            foreach (var file in listing["siblings"]!.AsArray())
            {
                file!.AsObject().Remove("size");
                file.AsObject().Remove("blobId");
            }
            return Text(200, listing.ToJsonString());
        };
        await Pull();
        WholeAndClean();
        Assert.Equal(4, _server.Requests.Count(r => r.Method == "HEAD"));
    }

    [Fact]
    public async Task The_lock_pins_the_commit_until_an_update_is_asked_for()
    {
        await Pull();
        const string Later = "89abcdef0123456789abcdef0123456789abcdef";
        var old = _server.Repositories[Route];
        _server.Repositories[Route] = (Later, new() { ["config.json"] = "{\"a\":1}"u8.ToArray() });
        _server.Misbehave = (r, _) => r.Path.Contains(Commit, StringComparison.Ordinal) && r.Path.StartsWith("/api/", StringComparison.Ordinal)
            ? Text(200, "{\"sha\":\"" + Commit + "\",\"siblings\":[{\"rfilename\":\"config.json\",\"size\":2,\"blobId\":\"" + GitBlob(old.Files["config.json"]) + "\"}]}") : null;
        Assert.Equal(Commit, (await Pull()).Commit);
        var updated = await Pull(request: new PullRequest(Tiny, "main", NamePatterns.ForModels) { LockFile = _folder[PullLock.FileName], Update = true });
        Assert.Equal(Later, updated.Commit);
        Assert.Equal(Later, PullLock.Read(_folder[PullLock.FileName]).Find(Tiny, "main")!.Commit);
    }

    [Fact]
    public async Task A_commit_whose_bytes_differ_from_the_lock_is_not_trusted()
    {
        await Pull();
        _server.Repositories[Route].Files["config.json"] = "[]"u8.ToArray();
        Assert.Contains("a commit never changes", (await Assert.ThrowsAsync<DamagedFileException>(() => Pull())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Offline_the_cache_answers_and_what_is_not_in_it_is_named()
    {
        var offline = Settings with { Offline = true };
        Assert.Contains("revision main is not in the cache", (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(offline))).Message, StringComparison.Ordinal);
        await Pull();
        var before = _server.Requests.Count;
        Assert.Equal(Snapshot, (await Pull(offline)).Folder);
        File.Delete(Blob);
        Assert.Contains($"{Weights} is not in the cache", (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(offline))).Message, StringComparison.Ordinal);
        Assert.Equal(before, _server.Requests.Count);
    }

    [Fact]
    public async Task Pulls_side_by_side_fetch_each_file_once()
    {
        _server.Misbehave = (r, _) => IsFile(r) ? _server.Usual(r) with { Delay = TimeSpan.FromMilliseconds(150) } : null;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Pull()));
        WholeAndClean();
        Assert.Single(_server.Requests, IsFile);
    }

    [Fact]
    public async Task A_full_disk_is_seen_before_anything_is_fetched()
    {
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull(free: _ => 1000));
        Assert.Contains("set HF_HOME to a folder on a larger disk", e.Message, StringComparison.Ordinal);
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task A_dry_run_says_what_is_there_and_fetches_nothing()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Blob)!);
        File.WriteAllBytes(Blob + ".incomplete", _content[..70_000]);
        var result = await Pull(request: new PullRequest(Tiny, "main", NamePatterns.ForModels) { DryRun = true, LockFile = _folder[PullLock.FileName] });
        Assert.Equal((300_000, 230_000), (result.Files.Single(f => f.Path == Weights).Bytes, result.Files.Single(f => f.Path == Weights).Missing));
        Assert.Single(_server.Requests);
        Assert.False(File.Exists(_folder[PullLock.FileName]));
    }

    [Fact]
    public async Task Patterns_choose_files_but_never_pickle()
    {
        var result = await Pull(request: new PullRequest(Tiny, "main", new NamePatterns(["*"], ["nested/", "*.safetensors"])));
        Assert.Equal(["README.md", "config.json", "empty.txt"], result.Files.Select(f => f.Path));
        var e = await Assert.ThrowsAsync<InputException>(() => Pull(request: new PullRequest(Tiny, "main", new NamePatterns(["*.bin"], []))));
        Assert.Contains("pickle", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_server.Requests, r => r.Path.EndsWith(".bin", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_plain_folder_is_filled_and_nothing_in_it_is_overwritten()
    {
        var request = new PullRequest(Tiny, "main", NamePatterns.ForModels) { To = _folder["plain"] };
        await Pull(request: request);
        await Pull(request: request);
        Assert.Equal(_content, File.ReadAllBytes(_folder["plain/" + Weights]));
        Assert.Null(new FileInfo(_folder["plain/config.json"]).LinkTarget);
        File.WriteAllText(_folder["plain/config.json"], "mine");
        var e = await Assert.ThrowsAsync<InputException>(() => Pull(request: request));
        Assert.Contains("is there already, with other content", e.Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(_folder["plain/config.json"]));
        Assert.Equal("{}", File.ReadAllText(Path.Combine(Snapshot, "config.json")));
    }

    [Fact]
    public async Task Pinned_files_outside_the_hub_are_fetched_checked_and_left_alone()
    {
        var file = new PinnedFile("set/a.json", new Uri(_server.Endpoint, "raw/a.json"), _content.Length, Sha256(_content));
        _server.Misbehave = (r, before) => Part(r, _content, "\"v\"") with { CutAt = before == 0 ? 1000 : null };
        using var hub = new HubPull(Settings with { Endpoint = new Uri("https://hub.invalid/") }, new SilentObserver(), new RetryPolicy { Wait = (_, _) => Task.CompletedTask });
        var result = await hub.RunAsync([file], _folder["inputs"], false, default);
        Assert.Equal(_content, File.ReadAllBytes(_folder["inputs/set/a.json"]));
        Assert.Equal(_content.Length, Assert.Single(result).Missing);
        Assert.Equal(0, Assert.Single(await hub.RunAsync([file], _folder["inputs"], false, default)).Missing);
        Assert.Equal(2, _server.Requests.Count);
        Assert.All(_server.Requests, r => Assert.Null(r.Header("Authorization")));
        File.WriteAllText(_folder["inputs/set/a.json"], "mine");
        await Assert.ThrowsAsync<InputException>(() => hub.RunAsync([file], _folder["inputs"], false, default));
        Assert.Equal(["a.json"], Directory.EnumerateFiles(_folder["inputs/set"]).Select(Path.GetFileName));
    }
}
