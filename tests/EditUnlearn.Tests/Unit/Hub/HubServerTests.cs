using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;
using static EditUnlearn.Tests.Support.HubServer;

namespace EditUnlearn.Tests.Unit.Hub;

/// <summary>Servers that redirect, stall, ask for time or refuse.</summary>
public sealed class HubServerTests : HubPullScene
{
    [Fact]
    public async Task The_token_goes_to_the_hub_and_to_nobody_it_redirects_to()
    {
        using var elsewhere = new HubServer();
        elsewhere.Misbehave = (r, _) => Part(r, Content, "\"store\"");
        Server.Misbehave = (r, _) =>
            IsFile(r)
                ? new Answer(302, [])
                {
                    Headers = { ["Location"] = new Uri(elsewhere.Endpoint, "store/abc?sig=1").ToString() },
                }
                : null;
        await Pull();
        WholeAndClean();
        Assert.All(Server.Requests, r => Assert.Equal("Bearer hf_secret", r.Header("Authorization")));
        var there = Assert.Single(elsewhere.Requests);
        Assert.Null(there.Header("Authorization"));
        Assert.DoesNotContain(
            "hf_secret",
            string.Join('\n', there.Headers.Select(h => h.Value)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_redirect_back_to_the_hub_gets_the_token_again_and_a_relative_one_keeps_it()
    {
        Server.Misbehave = (r, before) =>
            IsFile(r) && before == 0 ? new Answer(307, []) { Headers = { ["Location"] = r.Path } } : null;
        await Pull();
        WholeAndClean();
        Assert.All(Server.Requests.Where(IsFile), r => Assert.Equal("Bearer hf_secret", r.Header("Authorization")));
    }

    [Theory]
    [InlineData("", "more than 10 redirects")]
    [InlineData("file:///etc/passwd", "which is not followed")]
    [InlineData("ftp://127.0.0.1/x", "which is not followed")]
    public async Task Redirects_that_lead_nowhere_end(string location, string expected)
    {
        Server.Misbehave = (r, _) =>
            IsFile(r)
                ? new Answer(302, []) { Headers = { ["Location"] = location.Length > 0 ? location : r.Path } }
                : null;
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull());
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.True(Server.Requests.Count(IsFile) <= 11);
    }

    [Fact]
    public async Task A_busy_server_is_given_the_time_it_asks_for()
    {
        Server.Misbehave = (r, before) =>
            IsFile(r) && before < 2
                ? new Answer(429, []) { Headers = { ["Retry-After"] = before == 0 ? "17" : "3" } }
                : null;
        await Pull();
        WholeAndClean();
        Assert.Equal([17, 3], Pauses.Select(p => p.TotalSeconds));
    }

    [Fact]
    public async Task A_server_that_asks_for_an_hour_is_not_waited_for()
    {
        Server.Misbehave = (r, _) => IsFile(r) ? new Answer(503, []) { Headers = { ["Retry-After"] = "3600" } } : null;
        Assert.Contains(
            "come back in 60 minutes",
            (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull())).Message,
            StringComparison.Ordinal
        );
        Assert.Empty(Pauses);
    }

    [Fact]
    public async Task A_broken_server_is_tried_six_times_with_longer_and_longer_pauses()
    {
        Server.Misbehave = (r, _) => r.Path.StartsWith("/api/", StringComparison.Ordinal) ? Text(500, "oops") : null;
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull());
        Assert.Contains("org/tiny at main: the server answered 500", e.Message, StringComparison.Ordinal);
        Assert.Equal([1, 2, 4, 8, 16], Pauses.Select(p => p.TotalSeconds));
    }

    [Fact]
    public async Task A_server_that_falls_silent_is_left_and_resumed()
    {
        Server.Misbehave = (r, before) =>
            IsFile(r) && before == 0 ? Server.Usual(r) with { CutAt = 40_000, Stall = TimeSpan.FromSeconds(20) } : null;
        await Pull(Settings with { DownloadTimeout = TimeSpan.FromMilliseconds(300) });
        WholeAndClean();
        Assert.Contains(Notes, n => n.Contains("nothing arrived for 0.3 s", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_a_typed_error()
    {
        Server.Misbehave = (_, _) => Text(200, "{}") with { Delay = TimeSpan.FromSeconds(20) };
        Assert.Contains(
            "did not answer within 0.1 s",
            (
                await Assert.ThrowsAsync<ResourceUnavailableException>(() =>
                    Pull(Settings with { EtagTimeout = TimeSpan.FromMilliseconds(100) })
                )
            ).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task No_network_is_exit_code_6_with_a_hint()
    {
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() =>
            Pull(Settings with { Endpoint = new Uri("http://127.0.0.1:1/") })
        );
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
        Server.Misbehave = (r, _) =>
            r.Path.StartsWith("/api/", StringComparison.Ordinal)
                ? new Answer(status, []) { Headers = code is null ? [] : new() { ["X-Error-Code"] = code } }
                : null;
        var e = await Assert.ThrowsAnyAsync<Exception>(() => Pull());
        Assert.IsType(kind, e);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hf_secret", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gated_file_inside_an_open_listing_names_the_page()
    {
        Server.Misbehave = (r, _) => IsFile(r) ? new Answer(403, []) : null;
        Assert.Contains(
            $"accept the licence on {Server.Endpoint}org/tiny",
            (await Assert.ThrowsAsync<ResourceUnavailableException>(() => Pull())).Message,
            StringComparison.Ordinal
        );
    }
}
