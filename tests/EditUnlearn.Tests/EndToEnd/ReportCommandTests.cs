using System.Text.Json.Nodes;
using EditUnlearn.Reports.Web;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// <c>eu-stage report</c> on a study before it ran, after it ran, and with settings that it did not run.
/// </summary>
public sealed class ReportCommandTests
{
    [Fact]
    public void The_page_shows_what_the_store_holds_and_in_which_state_it_is()
    {
        using var tool = new Tool();
        var (nothing, _, hint) = tool.Run("report", "--profile", "smoke");
        Assert.Equal(2, nothing);
        Assert.Contains("eu-stage repro --profile smoke", hint, StringComparison.Ordinal);

        tool.Repro();
        var (code, output, error) = tool.Run("report", "--profile", "smoke");
        Assert.True(code == 0, error);
        var file = output.Trim();
        Assert.EndsWith(Path.Combine("artifacts", "report.html"), file, StringComparison.Ordinal);
        var page = WebReport.DataOf(File.ReadAllText(file));
        var store = page["store"]!;
        Assert.Equal("smoke", (string?)store["profile"]);
        Assert.All(store["cells"]!.AsArray(), c => Assert.Equal("upToDate", (string?)c!["state"]));
        Assert.All(store["cells"]!.AsArray(), c => Assert.NotNull(c!["manifest"]));

        // The page of the stage is the same without what changes from run to run.
        var own = WebReport.DataOf(File.ReadAllText(tool["artifacts/report/report.html"]));
        foreach (var more in (string[])["store", "written", "forms"])
        {
            Assert.NotNull(page[more]);
            Assert.True(page.Remove(more));
            Assert.Null(own[more]);
        }
        Assert.Equal(own.ToJsonString(), page.ToJsonString());
        Assert.NotEmpty(own["answers"]!["groups"]!.AsArray());
        Assert.NotEmpty(own["curves"]!.AsArray());
        Assert.Equal(5, own["figures"]!.AsArray().Count);
        Assert.Equal(9, own["claims"]!.AsArray().Count);

        // With another setting the latest results are shown, and called what they are.
        var (changed, json, note) = tool.Run(
            ["report", "--profile", "smoke", "--json", "--set", "answer.max-new-tokens=9"]
        );
        Assert.True(changed == 0, note);
        var told = JsonNode.Parse(json)!;
        Assert.True((int)told["stale"]! > 0);
        Assert.Contains("are not up to date", note, StringComparison.Ordinal);
        var stale = WebReport.DataOf(File.ReadAllText((string)told["file"]!));
        Assert.Contains(
            stale["store"]!["cells"]!.AsArray(),
            c => (string?)c!["state"] == "stale" && c["manifest"] is not null && c["reasons"]!.AsArray().Count > 0
        );
        Assert.Equal(own["answers"]!.ToJsonString(), stale["answers"]!.ToJsonString());
    }

    [Fact]
    public void Forms_of_a_study_are_linked_relative_to_the_page()
    {
        using var tool = new Tool();
        Assert.Equal(2, tool.Run("report", "--profile", "smoke", "--study", "nowhere").ExitCode);
        Directory.CreateDirectory(tool["empty"]);
        var (code, _, error) = tool.Run("report", "--profile", "smoke", "--study", "empty");
        Assert.Equal(2, code);
        Assert.Contains("holds no form-*.html", error, StringComparison.Ordinal);

        tool.Repro();
        var (exported, _, why) = tool.Run(
            ["study", "export", "answer", "--profile", "smoke", "--out", "the people", "--raters", "2"]
        );
        Assert.True(exported == 0, why);
        var (reported, _, problem) = tool.Run(
            ["report", "--profile", "smoke", "--study", "the people", "--out", "pages/report.html"]
        );
        Assert.True(reported == 0, problem);
        var forms = WebReport.DataOf(File.ReadAllText(tool["pages/report.html"]))["forms"]!.AsArray();
        Assert.Equal(["r01", "r02"], forms.Select(f => (string?)f!["name"]));
        Assert.All(
            forms,
            f => Assert.True(File.Exists(tool["pages/" + Uri.UnescapeDataString((string)f!["href"]!)]))
        );
    }
}
