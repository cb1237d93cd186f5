using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using static EditUnlearn.Tests.Support.HubServer;

namespace EditUnlearn.Tests.Unit.Hub;

/// <summary>Bytes that come in parts, late, wrong or not at all.</summary>
public sealed class HubDownloadTests : HubPullScene
{
    [Fact]
    public async Task A_connection_that_drops_again_and_again_is_resumed_where_it_broke()
    {
        Server.Misbehave = (r, before) => IsFile(r) && before < 4 ? Server.Usual(r) with { CutAt = 50_000 } : null;
        await Pull();
        WholeAndClean();
        var asked = Server.Requests.Where(IsFile).ToList();
        Assert.Equal(
            [null, "bytes=50000-", "bytes=100000-", "bytes=150000-", "bytes=200000-"],
            asked.Select(r => r.Header("Range"))
        );
        Assert.All(asked.Skip(1), r => Assert.Equal($"\"{Sha256(Content)}\"", r.Header("If-Range")));
        Assert.Equal([1, 2, 4, 8], Pauses.Select(p => p.TotalSeconds));
    }

    [Fact]
    public async Task A_body_shorter_than_its_announced_length_is_never_taken_for_whole()
    {
        Server.Misbehave = (r, _) => IsFile(r) ? new Answer(200, Content[..1000]) { Announced = Content.Length } : null;
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull());
        Assert.Contains("6 times in a row", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Blob));
        Assert.Equal(1000, new FileInfo(Blob + ".incomplete").Length);
    }

    [Fact]
    public async Task An_honest_but_short_length_is_resumed_too()
    {
        Server.Misbehave = (r, before) => IsFile(r) && before == 0 ? new Answer(200, Content[..1000]) : null;
        await Pull();
        WholeAndClean();
    }

    [Fact]
    public async Task Interrupted_in_mid_body_it_goes_on_with_the_next_call()
    {
        Server.Misbehave = (r, _) =>
            IsFile(r) ? Server.Usual(r) with { CutAt = 120_000, Stall = TimeSpan.FromSeconds(30) } : null;
        using var stop = new CancellationTokenSource();
        var pull = Pull(cancelled: stop.Token);
        while (!File.Exists(Blob + ".incomplete"))
            await Task.Delay(10);
        await Task.Delay(200);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pull);
        Assert.False(File.Exists(Blob));
        Assert.Equal(120_000, new FileInfo(Blob + ".incomplete").Length);
        Server.Misbehave = (_, _) => null;
        var result = await Pull();
        WholeAndClean();
        Assert.Equal(180_000, result.Files.Single(f => f.Path == Weights).Missing);
        Assert.Contains($"{Weights} at 120000", Notes);
        Assert.Equal("bytes=120000-", Server.Requests.Last(IsFile).Header("Range"));
    }

    [Theory]
    [InlineData(200)] // a server that ignores ranges
    [InlineData(206)] // one that sends another part
    [InlineData(416)] // one that has forgotten the file
    public async Task A_server_that_does_not_resume_is_read_from_the_start(int status)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Blob)!);
        File.WriteAllBytes(Blob + ".incomplete", Content[..70_000]);
        Server.Misbehave = (r, before) =>
            !IsFile(r) || before > 0
                ? null
                : status switch
                {
                    200 => new Answer(200, Content),
                    206 => new Answer(206, Content[60_000..])
                    {
                        Headers = { ["Content-Range"] = $"bytes 60000-{Content.Length - 1}/{Content.Length}" },
                    },
                    _ => new Answer(416, []),
                };
        await Pull();
        WholeAndClean();
        Assert.Equal(status == 200 ? 1 : 2, Server.Requests.Count(IsFile));
    }

    [Fact]
    public async Task A_version_that_changed_between_attempts_is_fetched_anew_and_checked()
    {
        var old = Bytes(Content.Length, 9);
        Server.Misbehave = (r, before) =>
            IsFile(r) && before == 0 ? Part(r, old, "\"old\"") with { CutAt = 100_000 } : null;
        await Pull();
        WholeAndClean();
        var second = Server.Requests.Where(IsFile).ElementAt(1);
        Assert.Equal(("bytes=100000-", "\"old\""), (second.Header("Range"), second.Header("If-Range")));
    }

    [Fact]
    public async Task An_old_beginning_without_a_mark_is_found_out_by_the_hash_and_fetched_anew()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Blob)!);
        File.WriteAllBytes(Blob + ".incomplete", Bytes(100_000, 9));
        await Pull();
        WholeAndClean();
        Assert.Contains(Notes, n => n.Contains("does not fit", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_wrong_hash_is_refused_and_nothing_stays()
    {
        Server.Misbehave = (r, _) => IsFile(r) ? new Answer(200, Bytes(Content.Length, 7)) : null;
        var e = await Assert.ThrowsAsync<DamagedFileException>(() => Pull());
        Assert.Contains("hashes to", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(Blob)!, Sha256(Content) + "*"));
        Assert.False(File.Exists(Folder[PullLock.FileName]));
    }

    [Fact]
    public async Task A_small_file_with_another_git_hash_is_refused_too()
    {
        Server.Misbehave = (r, _) => r.Path.EndsWith("config.json", StringComparison.Ordinal) ? Text(200, "[]") : null;
        Assert.Contains(
            "config.json",
            (await Assert.ThrowsAsync<DamagedFileException>(() => Pull())).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task More_bytes_than_announced_are_refused()
    {
        Server.Misbehave = (r, _) => IsFile(r) ? new Answer(200, [.. Content, 0]) : null;
        Assert.Contains(
            "300001",
            (await Assert.ThrowsAsync<DamagedFileException>(() => Pull())).Message,
            StringComparison.Ordinal
        );
        Assert.False(File.Exists(Blob));
    }
}
