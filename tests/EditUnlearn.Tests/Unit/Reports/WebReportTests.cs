using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EditUnlearn.Reports.Web;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

/// <summary>The page as a file: what it holds, and what can never be in it.</summary>
public sealed class WebReportTests
{
    [Fact]
    public void Hostile_texts_are_data_and_never_markup()
    {
        using var page = new SyntheticPage(4);
        var html = File.ReadAllText(page.Write());
        // The markup is the same whatever the texts are.
        var markup = Regex.Replace(html, "(?<=id=\"data\">)[^<]*", "");
        using var other = new SyntheticPage(6);
        Assert.Equal(markup, Regex.Replace(File.ReadAllText(other.Write()), "(?<=id=\"data\">)[^<]*", ""));
        Assert.DoesNotContain("onerror", html, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", html, StringComparison.Ordinal);
        Assert.Equal(SyntheticPage.Hostile, (string?)WebReport.DataOf(html)["title"]);
    }

    [Theory]
    [InlineData("innerHTML")]
    [InlineData("outerHTML")]
    [InlineData("insertAdjacentHTML")]
    [InlineData("document.write")]
    [InlineData("DOMParser")]
    [InlineData("eval(")]
    public void No_part_of_the_page_makes_markup_or_code_of_a_text(string way)
    {
        var web = Path.Combine(Checkout.Root, "src", "Reports", "Web");
        Assert.All(
            Directory.EnumerateFiles(web, "*.js", SearchOption.AllDirectories),
            file => Assert.DoesNotContain(way, File.ReadAllText(file), StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Nothing_is_loaded_from_anywhere_and_only_the_pages_own_scripts_run()
    {
        using var page = new SyntheticPage(4);
        var html = File.ReadAllText(page.Write());
        var policy = Regex.Match(html, "Content-Security-Policy\" content=\"([^\"]*)\"").Groups[1].Value;
        Assert.StartsWith("default-src 'none'; img-src data: blob:;", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        var scripts = Regex.Matches(html, "<script>(.*?)</script>", RegexOptions.Singleline);
        Assert.Equal(4, scripts.Count);
        Assert.All(
            scripts.Select(s => s.Groups[1].Value),
            script =>
                Assert.Contains(
                    Convert.ToBase64String(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(script))),
                    policy,
                    StringComparison.Ordinal
                )
        );
        Assert.DoesNotMatch("<(link|script|img|iframe)[^>]*(src|href)=", html);
    }

    [Fact]
    public void The_same_inputs_give_the_same_bytes_in_any_folder_and_culture()
    {
        using var one = new SyntheticPage(9);
        using var two = new SyntheticPage(9);
        var expected = File.ReadAllBytes(one.Write(withStore: false));
        var before = CultureInfo.CurrentCulture;
        try
        {
            var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (other.NumberFormat.NumberDecimalSeparator, other.NumberFormat.NegativeSign) = (",", "~");
            CultureInfo.CurrentCulture = other;
            Assert.Equal(expected, File.ReadAllBytes(two.Write(withStore: false)));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Tables_hold_the_papers_number_at_the_same_place()
    {
        using var page = new SyntheticPage(4);
        var tables = page.Data()["tables"]!.AsArray();
        Assert.Equal(14, tables.Count); // seven in either profile of metrics
        var cells = tables
            .SelectMany(t => t!["blocks"]!.AsArray())
            .SelectMany(b => b!["rows"]!.AsArray())
            .SelectMany(r => r!["cells"]!.AsArray())
            .ToDictionary(c => (string)c!["name"]!, c => c!);
        var cell = cells["table1[GA,llama2,facts-40,forget.prob]"];
        Assert.Equal(0.59, (double)cell["paper"]![0]!);
        Assert.Equal("0.59", (string)cell["paper"]![1]!);
        Assert.Equal(
            "score[llama2,facts-40,ga]",
            (string)page.Data()["runs"]![(int)cell["run"]!]!["cells"]![0]!
        );
        // Every number of the paper that the study has a number for.
        var beside = cells.Values.Count(c => c["paper"] is not null);
        Assert.True(beside > 500, $"{beside} cells have the paper's number");
    }

    [Fact]
    public void Every_answer_is_there_once()
    {
        using var page = new SyntheticPage(30);
        var answers = page.Data()["answers"]!;
        var group = Assert.Single(answers["groups"]!.AsArray())!;
        var strings = answers["strings"]!.AsArray().Select(s => (string)s!).ToList();
        Assert.Equal(strings.Count, strings.Distinct().Count());
        Assert.Equal(11, group["methods"]!.AsArray().Count);
        var untouched = group["methods"]!.AsArray().Single(m => (string)m!["name"]! == "none")!;
        Assert.Equal(
            [SyntheticPage.Hostile, .. Enumerable.Range(1, 29).Select(i => $"Writer {i} of Möhren")],
            untouched["text"]!.AsArray().Select(t => strings[(int)t! >> 1])
        );
        Assert.Equal(95, (int)untouched["probability"]![0]!); // exp of the mean of -0.1 and 0
    }

    [Fact]
    public void A_long_curve_is_thinned_and_keeps_its_last_update()
    {
        using var page = new SyntheticPage(4);
        var curve = page.Data()["curves"]![0]!;
        var steps = curve["step"]!.AsArray().Select(s => (int)s!).ToList();
        Assert.Equal((500, 250, 500, 501), ((int)curve["updates"]!, steps.Count, steps[^1], (int)curve["diverged"]!));
        Assert.Null(curve["retain"]);
    }

    [Fact]
    public void Edits_have_a_curve_of_their_mean_where_a_fact_that_is_done_keeps_its_last_loss()
    {
        using var page = new SyntheticPage(4);
        var curve = page.Data()["curves"]!.AsArray().Single(c => c!["edits"] is not null)!;
        Assert.Equal(("rome", 2, 3), ((string)curve["axes"]!["method"]!, (int)curve["edits"]!, (int)curve["updates"]!));
        Assert.Equal([4, 1.5, 0.75], curve["edit"]!.AsArray().Select(x => (double)x!));
        JsonArray memories =
        [
            new JsonObject { ["targetLoss"] = new JsonArray(2.0, 1.0), ["routingLoss"] = new JsonArray(9.0) },
        ];
        Assert.Equal(
            [2, 1],
            PageCurves.OfEdits("apply", "apply", [], memories)!["edit"]!.AsArray().Select(x => (double)x!)
        );
        Assert.Null(PageCurves.OfEdits("apply", "apply", [], [new JsonObject { ["loss"] = new JsonArray() }]));
    }

    [Fact]
    public void Parts_of_others_are_the_files_whose_hashes_are_written_down()
    {
        foreach (var folder in (string[])["src/Reports/Web/vendor", "tests/Fixtures/axe"])
        {
            var root = Path.Combine(Checkout.Root, folder);
            var words = File.ReadAllText(Path.Combine(root, "README.md"));
            var listed = Regex
                .Matches(words, "^([0-9a-f]{64})  (\\S+)$", RegexOptions.Multiline)
                .ToDictionary(m => m.Groups[2].Value, m => m.Groups[1].Value);
            var there = Directory
                .EnumerateFiles(root, "*", SearchOption.AllDirectories)
                .Where(f => Path.GetExtension(f) is ".js" or ".css")
                .ToDictionary(
                    f => Path.GetRelativePath(root, f).Replace('\\', '/'),
                    f => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(f)))
                );
            Assert.Equal(listed.OrderBy(p => p.Key), there.OrderBy(p => p.Key));
            Assert.All(
                there.Keys,
                f => Assert.True(File.Exists(Path.Combine(root, Path.GetDirectoryName(f)!, "LICENSE")))
            );
        }
    }
}
