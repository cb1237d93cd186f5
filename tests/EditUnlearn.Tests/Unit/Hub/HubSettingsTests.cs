using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Hub;

public sealed class HubSettingsTests
{
    private static HubSettings Read(params (string Name, string Value)[] variables) =>
        HubSettings.FromEnvironment(name => variables.FirstOrDefault(v => v.Name == name).Value, "/home/me");

    [Fact]
    public void The_folders_follow_the_hubs_own_order()
    {
        Assert.Equal("/home/me/.cache/huggingface/hub", Read().Cache);
        Assert.Equal("/x/huggingface/hub", Read(("XDG_CACHE_HOME", "/x")).Cache);
        Assert.Equal("/h/hub", Read(("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")).Cache);
        Assert.Equal("/home/me/c", Read(("HF_HOME", "/h"), ("HF_HUB_CACHE", "~/c")).Cache);
    }

    [Fact]
    public void The_token_comes_from_the_variable_then_the_file_and_can_be_held_back()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["token"], "hf_file\n");
        File.WriteAllText(folder["other"], "hf_other\n");
        Assert.Null(Read(("HF_HOME", folder["none"])).Token);
        Assert.Equal("hf_file", Read(("HF_HOME", folder.Path)).Token);
        Assert.Equal("hf_other", Read(("HF_HOME", folder.Path), ("HF_TOKEN_PATH", folder["other"])).Token);
        Assert.Equal("hf_variable", Read(("HF_HOME", folder.Path), ("HF_TOKEN", " hf_variable ")).Token);
        Assert.Null(Read(("HF_TOKEN", "hf_variable"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")).Token);
    }

    [Fact]
    public void The_rest_is_read_as_written()
    {
        var settings = Read(
            ("HF_ENDPOINT", "https://mirror.example/hub/"),
            ("HF_HUB_OFFLINE", "yes"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "30"),
            ("HF_HUB_ETAG_TIMEOUT", "2.5"),
            ("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        );
        Assert.Equal("https://mirror.example/hub/", settings.Endpoint.ToString());
        Assert.Equal(
            (true, 30.0, 2.5, false),
            (
                settings.Offline,
                settings.DownloadTimeout.TotalSeconds,
                settings.EtagTimeout.TotalSeconds,
                settings.ShowProgress
            )
        );
        Assert.False(Read(("HF_HUB_OFFLINE", "0")).Offline);
    }

    [Fact]
    public void Everything_that_is_wrong_is_reported_at_once_and_no_token_is_shown()
    {
        var e = Assert.Throws<InputException>(() =>
            Read(("HF_ENDPOINT", "ftp://x"), ("HF_HUB_DOWNLOAD_TIMEOUT", "soon"), ("HF_TOKEN", "hf_se\ncret"))
        );
        Assert.Equal(3, e.Problems.Count);
        Assert.DoesNotContain("cret", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("org/name", true)]
    [InlineData("gpt2", true)]
    [InlineData("../name", false)]
    [InlineData("org/../name", false)]
    [InlineData("org/name/more", false)]
    [InlineData("org/na me", false)]
    [InlineData("org/a--b", false)]
    [InlineData("/name", false)]
    [InlineData("", false)]
    public void A_repository_name_cannot_lead_out_of_the_cache(string name, bool valid)
    {
        if (valid)
            Assert.Equal(
                "models--" + name.Replace("/", "--", StringComparison.Ordinal),
                RepositoryId.Parse(RepositoryType.Model, name).Folder
            );
        else
            Assert.Throws<InputException>(() => RepositoryId.Parse(RepositoryType.Model, name));
    }

    [Theory]
    [InlineData("*.safetensors", "a/b.safetensors", true)]
    [InlineData("original/*", "original/x/y.pth", true)]
    [InlineData("original/", "original/params.json", true)]
    [InlineData("model-0000[12]-*", "model-00002-of-00002.safetensors", true)]
    [InlineData("model-0000[!12]-*", "model-00002-of-00002.safetensors", false)]
    [InlineData("?.json", "ab.json", false)]
    [InlineData("a.json", "aajson", false)]
    [InlineData("[z-a]", "[z-a]", true)]
    [InlineData("a[", "a[", true)]
    public void Patterns_mean_what_they_mean_to_the_hubs_own_tools(string pattern, string name, bool expected) =>
        Assert.Equal(expected, NamePatterns.Matches(pattern, name));

    [Theory]
    [InlineData("{}")]
    [InlineData("nothing")]
    [InlineData("{\"format\":\"pull/2\",\"repositories\":[]}")]
    [InlineData(
        """
            {"format":"pull/1",
             "repositories":[{"type":"model","repository":"a/b","revision":"main","commit":"x","files":[]}]}
            """
    )]
    [InlineData("{\"format\":\"pull/1\",\"repositories\":[null]}")]
    public void A_lock_that_was_edited_into_nonsense_is_refused(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["pull.lock.json"], text);
        Assert.Throws<InputException>(() => PullLock.Read(folder["pull.lock.json"]));
    }
}
