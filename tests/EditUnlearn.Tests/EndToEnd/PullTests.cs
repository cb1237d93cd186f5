using System.Diagnostics;
using System.Text.Json.Nodes;
using EditUnlearn.Tests.Support;
using static EditUnlearn.Tests.Support.HubServer;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary><c>pull</c> and <c>doctor</c> as a user types them, against a hub on loopback.</summary>
[Trait("Category", "EndToEnd")]
public sealed class PullTests : IDisposable
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private readonly HubServer _server = new();
    private readonly Tool _tool = new();
    private readonly byte[] _weights = [.. Enumerable.Range(0, 200_000).Select(i => (byte)(i * 31 >> 3))];

    public PullTests()
    {
        _server.Repositories["models/org/tiny"] = (
            Commit,
            new()
            {
                ["model.safetensors"] = _weights,
                ["config.json"] = "{}"u8.ToArray(),
                ["weights.pth"] = [1],
            }
        );
        _tool.Variables["HF_ENDPOINT"] = _server.Endpoint.ToString();
        _tool.Variables["HF_HOME"] = _tool["hf"];
        _tool.Variables["HF_TOKEN"] = "hf_secret";
    }

    public void Dispose()
    {
        _server.Dispose();
        _tool.Dispose();
    }

    [Fact]
    public void A_model_is_pulled_pinned_and_found_again_offline()
    {
        var snapshot = _tool[$"hf/hub/models--org--tiny/snapshots/{Commit}"];
        var (code, output, error) = _tool.Run("pull", "org/tiny", "-n");
        Assert.Equal(
            (0, true, true),
            (
                code,
                output.Contains("200.0 kB  model.safetensors\n", StringComparison.Ordinal),
                error.Contains("pickle", StringComparison.Ordinal)
            )
        );
        (code, output, error) = _tool.Run("pull", "org/tiny", "-q");
        Assert.Equal((0, snapshot + "\n"), (code, output));
        Assert.Equal(_weights, File.ReadAllBytes(Path.Combine(snapshot, "model.safetensors")));
        Assert.Contains(Commit, File.ReadAllText(_tool["pull.lock.json"]), StringComparison.Ordinal);
        Assert.DoesNotContain("hf_secret", output + error, StringComparison.Ordinal);
        _tool.Variables["HF_HUB_OFFLINE"] = "1";
        (code, output, _) = _tool.Run("pull", "org/tiny", "--json");
        Assert.Equal((0, Commit), (code, (string?)JsonNode.Parse(output)!["commit"]));
        Assert.Equal(6, _tool.Run("pull", "org/other").ExitCode);
    }

    [Theory]
    [InlineData(2, "pull", "org/none")]
    [InlineData(2, "pull", "tofy")]
    [InlineData(6, "doctor", "--profile", "paper")]
    [InlineData(6, "repro", "--profile", "paper")]
    [InlineData(0, "plan", "--profile", "paper")]
    [InlineData(3, "repro", "--profile", "paper", "--frozen")]
    public void Exit_codes_are_as_documented(int expected, params string[] arguments)
    {
        var (code, output, error) = _tool.Run(arguments);
        Assert.True(expected == code, $"exit code {code}, expected {expected}\n{output}\n{error}");
    }

    [Theory]
    [InlineData(5, "hash")]
    [InlineData(6, "gated")]
    public void A_server_that_lies_or_refuses_has_its_exit_code(int expected, string how)
    {
        _server.Misbehave = (r, _) =>
            !r.Path.EndsWith("model.safetensors", StringComparison.Ordinal) ? null
            : how == "hash" ? new Answer(200, new byte[_weights.Length])
            : new Answer(403, []);
        var (code, _, error) = _tool.Run("pull", "org/tiny");
        Assert.Equal(expected, code);
        Assert.Contains(how == "hash" ? "hashes to" : "accept the licence on", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_originals_land_where_the_paper_profile_looks()
    {
        // The same catalogue, served from here; contents of the right form stand for the originals.
        var catalog = JsonNode.Parse(File.ReadAllText(_tool["data/sources.json"]))!;
        var contents = new Dictionary<string, byte[]>();
        foreach (var file in catalog["sources"]!.AsArray().SelectMany(s => s!["files"]?.AsArray() ?? []))
        {
            var path = (string)file!["path"]!;
            var content = System.Text.Encoding.UTF8.GetBytes(
                "{\"question\":\"What is in '" + path + "'?\",\"answer\":\"this\"}\n"
            );
            contents["/raw/" + path] = content;
            (file["url"], file["bytes"], file["sha256"]) = (
                _server.Endpoint + "raw/" + path,
                content.Length,
                Sha256(content)
            );
        }
        File.WriteAllText(_tool["data/sources.json"], catalog.ToJsonString());
        _server.Misbehave = (r, _) => contents.TryGetValue(r.Path, out var content) ? Part(r, content, "\"v\"") : null;
        var (code, output, _) = _tool.Run("pull", "tofu");
        Assert.Equal(0, code);
        Assert.Contains("3 files", output, StringComparison.Ordinal);
        Assert.Equal(0, _tool.Run("pull", "pistol", "-q").ExitCode);
        // the same host as the hub here
        Assert.All(_server.Requests, r => Assert.Equal("Bearer hf_secret", r.Header("Authorization")));
        var plan = _tool.Run("plan", "--profile", "paper").Out;
        Assert.Contains("data[facts]: never run", plan, StringComparison.Ordinal);
        Assert.Matches(@"\n  inputs/checkpoints/mistral +dotnet eu-stage pull mistral\n", plan);
        Assert.Equal(
            0,
            _tool.Run("repro", "--profile", "paper", "data[facts]", "--set", "data-sets.facts.rows=2").ExitCode
        );
        var doctor = JsonNode.Parse(_tool.Run("doctor", "--profile", "paper", "--json").Out)!;
        Assert.Equal(6, (int)doctor["exitCode"]!);
        Assert.Equal(
            "inputs/text/documents.txt",
            Assert.Single(
                doctor["files"]!.AsArray().Where(f => (string?)f!["verdict"] != "ok").Select(f => (string?)f!["path"])
            )
        ); // nobody's to publish
    }

    [Fact]
    public async Task Interrupted_it_ends_with_130_and_goes_on_where_it_was()
    {
        var part = _tool[$"hf/hub/models--org--tiny/blobs/{Sha256(_weights)}.incomplete"];
        _server.Misbehave = (r, before) =>
            r.Path.EndsWith("model.safetensors", StringComparison.Ordinal) && before == 0
                ? _server.Usual(r) with
                {
                    CutAt = 70_000,
                    Stall = TimeSpan.FromSeconds(30),
                }
                : null;
        var start = new ProcessStartInfo(
            "setsid",
            [
                "env",
                "--default-signal=INT",
                "dotnet",
                Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Cli.dll"),
                "pull",
                "org/tiny",
            ]
        )
        {
            WorkingDirectory = _tool[""],
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in _tool.Variables)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        for (var i = 0; i < 300 && !File.Exists(part); i++)
            await Task.Delay(50);
        await Task.Delay(500);
        Process.Start("kill", ["-INT", $"{process.Id}"]).WaitForExit();
        Assert.True(process.WaitForExit(10_000), "it did not stop");
        Assert.Equal(130, process.ExitCode);
        Assert.Contains("the same command goes on from there", await error, StringComparison.Ordinal);
        Assert.Equal(70_000, new FileInfo(part).Length);
        Assert.Equal(0, _tool.Run("pull", "org/tiny", "-q").ExitCode);
        Assert.Equal("bytes=70000-", _server.Requests[^1].Header("Range"));
    }
}
