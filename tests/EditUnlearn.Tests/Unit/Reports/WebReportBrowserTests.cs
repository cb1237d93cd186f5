using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

/// <summary>The page in a real browser, from a file.</summary>
[Trait("Category", "Browser")]
public sealed class WebReportBrowserTests
{
    private static async Task<Chromium> Open(string file)
    {
        var page = await Chromium.OpenAsync(file);
        await page.EvaluateAsync("report.ready");
        return page;
    }

    [ChromiumFact]
    public async Task It_opens_without_a_complaint_and_shows_hostile_texts_as_texts()
    {
        using var study = new SyntheticPage();
        using var page = await Open(study.Write());
        Assert.Empty(await page.ComplaintsAsync());
        // The newline-like letter in it is a space in a title.
        Assert.StartsWith("</script><script>", await page.EvaluateAsync("document.title"), StringComparison.Ordinal);
        Assert.Equal(SyntheticPage.Hostile, await Text(page, "#title"));
        Assert.Equal(SyntheticPage.Hostile, await Text(page, "#answers .detail h3"));
        // Pictures are the figures; scripts are the page's own.
        Assert.Equal("0", await page.EvaluateAsync("document.querySelectorAll('img:not(.drawing)').length"));
        Assert.Equal("4", await page.EvaluateAsync("document.scripts.length"));
        Assert.Equal(
            "summary claims tables figures answers curves ratings stages",
            await page.EvaluateAsync("[...document.querySelectorAll('main > section')].map(s => s.id).join(' ')")
        );
        var open = double.Parse(await page.EvaluateAsync("report.timings.open"), CultureInfo.InvariantCulture);
        Assert.True(open < 20_000, $"opened after {open} ms");
    }

    [ChromiumFact]
    public async Task The_page_of_the_stage_has_all_but_what_changes_from_run_to_run()
    {
        using var study = new SyntheticPage();
        using var page = await Open(study.Write(withStore: false));
        Assert.Empty(await page.ComplaintsAsync());
        Assert.Equal("true", await page.EvaluateAsync("document.getElementById('stages') === null"));
        await page.EvaluateAsync("document.querySelector('#table1 td[tabindex]').click()");
        Assert.Contains("eu-stage report", await Text(page, "#origin-body"), StringComparison.Ordinal);
    }

    [ChromiumFact]
    public async Task Answers_are_searched_and_filtered_as_one_types()
    {
        using var study = new SyntheticPage(3000);
        using var page = await Open(study.Write());
        Assert.Equal("1 to 20 of 3,000 questions.", await Count(page));
        await page.EvaluateAsync("document.getElementById('answer-search').focus()");
        await page.PressAsync([.. "number 1234".Select(c => c.ToString())]);
        Assert.Equal("1 to 1 of 1 (of 3,000 in all) questions.", await Count(page));
        Assert.Equal(
            "Who wrote the book number 1234, which nobody has read to its end?",
            await Text(page, "#answers .detail h3")
        );
        // The true answer, and its words in what the untouched model says.
        Assert.Equal("Writer 1234 of Möhren", await Text(page, "#answers .detail p mark"));
        Assert.Equal(
            "Writer 1234 Möhren",
            await page.EvaluateAsync(
                "[...document.querySelector('#answers .detail tbody tr').querySelectorAll('mark')]"
                    + ".map(m => m.textContent).join(' ')"
            )
        );
        Assert.Equal("11", await page.EvaluateAsync("document.querySelectorAll('#answers .detail tbody tr').length"));
        // Words in any order, without accents; words in quotes as they stand.
        Assert.Equal("1 to 1 of 1 (of 3,000 in all) questions.", await Search(page, "MOHREN 77 \\\"writer 77 of\\\""));
        Assert.Equal("None of 3,000 questions.", await Search(page, "nobody wrote this word"));
        await Search(page, "");

        // Every question of either kind, and both kinds are all that a method was asked beside refusals.
        await Choose(page, "Method", "wise");
        var counts = new List<int>();
        foreach (var state in (string[])["changed", "unchanged", "refused"])
        {
            await Choose(page, "Answers", state);
            counts.Add(await Found(page));
        }
        Assert.Equal(3000, counts.Sum());
        Assert.All(counts, c => Assert.True(c > 500));
        await Choose(page, "Split", "forget");
        Assert.InRange(await Found(page), 100, counts[2] - 100);
        await page.EvaluateAsync("document.querySelector('#answers .pager button:last-child').click()");
        Assert.StartsWith("21 to 40 of", await Count(page), StringComparison.Ordinal);

        var slowest = 0.0;
        foreach (var text in (string[])["w", "wr", "who", "book", "9", "somebody else", "not know"])
        {
            await Search(page, text);
            slowest = Math.Max(slowest, Number(await page.EvaluateAsync("report.timings.filter")));
        }
        Assert.True(slowest < 1000, $"filtering took {slowest} ms");
    }

    [ChromiumFact]
    public async Task Tables_sort_by_a_heading_within_their_blocks()
    {
        using var study = new SyntheticPage(4);
        using var page = await Open(study.Write());
        const string Values =
            "JSON.stringify([...document.querySelectorAll('#table1 tbody:not(.block)')].map(b => "
            + "[...b.rows].map(r => r.cells[1].dataset.sort)))";
        var before = Blocks(await page.EvaluateAsync(Values));
        await page.EvaluateAsync(
            "document.querySelectorAll('#table1 thead tr:last-child th')[1].querySelector('button').focus()"
        );
        foreach (var direction in (string[])["descending", "ascending"])
        {
            await page.EvaluateAsync("document.activeElement.click()");
            await Task.Delay(100);
            var after = Blocks(await page.EvaluateAsync(Values));
            Assert.Equal(
                direction,
                await page.EvaluateAsync("document.activeElement.closest('th').getAttribute('aria-sort')")
            );
            Assert.Equal(before.Count, after.Count);
            foreach (var (b, a) in before.Zip(after))
            {
                var numbers = b.Where(v => v.Length > 0).Select(Number);
                var sorted = direction == "ascending" ? numbers.Order() : numbers.OrderDescending();
                // What has no number stands last either way.
                Assert.Equal(sorted, a.TakeWhile(v => v.Length > 0).Select(Number));
                Assert.All(a.SkipWhile(v => v.Length > 0), v => Assert.Equal("", v));
            }
        }
    }

    [ChromiumFact]
    public async Task A_number_says_where_it_comes_from_by_keyboard()
    {
        using var study = new SyntheticPage(4);
        using var page = await Open(study.Write());
        // From the first number of the row below the untouched model, one to the right.
        await page.EvaluateAsync("document.querySelector('#table1 td[tabindex=\"0\"]').focus()");
        await page.PressAsync("ArrowDown", "ArrowRight", "ArrowLeft", "Enter");
        Assert.Equal("true", await page.EvaluateAsync("document.getElementById('origin').open"));
        Assert.Equal("table1[GA,llama2,facts-40,forget.rouge1]", await Text(page, "#origin-title"));
        var body = await Text(page, "#origin-body");
        string[] expected =
        [
            "95 % interval",
            "score[llama2,facts-40,ga] stale 13 s, 1.70 GB",
            "with.seed 17 -> 18",
            "aaaaaaaaaaaa",
            "cccccccccccc",
            "options.learningRate",
            "apply[llama2,facts-40,ga]",
            "the paper prints",
            "peak memory",
            "2026-01-02T03:04:05Z",
        ];
        Assert.All(expected, e => Assert.Contains(e, body, StringComparison.Ordinal));
        await page.EvaluateAsync("document.getElementById('origin-close').click()");
        Assert.Equal(
            "table1[GA,llama2,facts-40,forget.rouge1]",
            await page.EvaluateAsync(
                "(document.activeElement.click(), document.getElementById('origin-title').textContent)"
            )
        );
        // From there to the answers that it is the mean of.
        await page.EvaluateAsync("document.querySelector('#origin-body .facts + button').click()");
        Assert.Equal("false", await page.EvaluateAsync("document.getElementById('origin').open"));
        Assert.Equal("1 to 2 of 2 (of 4 in all) questions.", await Count(page));
        Assert.Contains("GA: ", await Text(page, "#answers .questions"), StringComparison.Ordinal);
    }

    [ChromiumFact]
    public async Task Nothing_but_tables_is_wider_than_a_narrow_screen()
    {
        using var study = new SyntheticPage(40);
        using var page = await Open(study.Write());
        foreach (var width in (int[])[320, 400, 800, 1280])
        {
            await page.ResizeAsync(width, 900);
            await Drawn(page);
            Assert.Equal(
                $"{width} ",
                await page.EvaluateAsync(
                    "document.documentElement.scrollWidth + ' ' + [...document.querySelectorAll('main *')]"
                        + ".filter(e => !e.closest('.scroll, .plot, .hide') && e.getBoundingClientRect().right > "
                        + "innerWidth + 1).map(e => e.tagName + '.' + e.className).slice(0, 5).join(' ')"
                )
            );
        }
    }

    [ChromiumFact]
    public async Task Nothing_keeps_people_out()
    {
        using var study = new SyntheticPage(40);
        using var page = await Open(study.Write());
        var axe = File.ReadAllText(Path.Combine(Checkout.Root, "tests", "Fixtures", "axe", "axe.min.js"));
        await page.EvaluateAsync($"(() => {{ {axe}\n}})()");
        foreach (var scheme in (string[])["light", "dark"])
            foreach (var width in (int[])[1280, 400])
            {
                await page.EmulateAsync(scheme: scheme);
                await page.ResizeAsync(width, 900);
                await Drawn(page);
                Assert.Equal(scheme, await page.EvaluateAsync("document.documentElement.dataset.theme"));
                // All that can be opened, opened; and once more with the dialog before it.
                await page.EvaluateAsync("document.querySelectorAll('main details').forEach(d => d.open = true)");
                Assert.Equal("", await Violations(page));
                await page.EvaluateAsync("document.querySelector('#table1 tr:nth-child(2) td[tabindex]').click()");
                await page.EvaluateAsync("document.querySelectorAll('#origin details').forEach(d => d.open = true)");
                Assert.Equal("", await Violations(page));
                await page.EvaluateAsync("document.getElementById('origin').close()");
            }
    }

    [ChromiumFact]
    public async Task Colours_follow_the_system_until_the_reader_chooses()
    {
        using var study = new SyntheticPage(4);
        using var page = await Open(study.Write());
        const string Ground = "getComputedStyle(document.body).backgroundColor";
        await page.EmulateAsync(scheme: "light");
        await Drawn(page);
        Assert.Equal("rgb(255, 255, 255)", await page.EvaluateAsync(Ground));
        await page.EmulateAsync(scheme: "dark");
        await Drawn(page);
        Assert.Equal("rgb(20, 23, 28)", await page.EvaluateAsync(Ground));
        await page.EvaluateAsync("document.getElementById('theme').click()");
        Assert.Equal("rgb(255, 255, 255)", await page.EvaluateAsync(Ground));
    }

    [ChromiumFact]
    public async Task On_paper_there_are_no_controls_and_nothing_is_folded()
    {
        using var study = new SyntheticPage(4);
        using var page = await Open(study.Write());
        await page.EmulateAsync(media: "print", scheme: "dark");
        Assert.Equal("rgb(255, 255, 255)", await page.EvaluateAsync("getComputedStyle(document.body).backgroundColor"));
        foreach (var hidden in (string[])[".bar", ".controls", "#answers", ".table-head button"])
            Assert.Equal("none", await Style(page, hidden, "display"));
        Assert.Equal(
            "true",
            await page.EvaluateAsync("document.querySelector('.claim .statement').getBoundingClientRect().height > 0")
        );
        Assert.Equal("visible", await Style(page, ".scroll", "overflowX"));
        var pdf = Convert.FromBase64String((string)(await page.SendAsync("Page.printToPDF", []))["data"]!);
        Assert.True(pdf.Length > 20_000);
    }

    [ChromiumFact]
    public async Task Numbers_can_be_copied_into_a_spreadsheet()
    {
        using var study = new SyntheticPage(4);
        using var page = await Open(study.Write());
        // The clipboard itself belongs to the machine.
        var lines = (
            await page.EvaluateAsync(
                "new Promise(r => { Object.defineProperty(navigator, 'clipboard', "
                    + "{ value: { writeText: async t => r(t) } }); "
                    + "document.querySelector('#table2 .table-head button').click(); })"
            )
        ).Split('\n');
        Assert.Equal("method", lines[0].Split('\t')[1]);
        var wise = lines.Single(l => l.StartsWith("\tWISE\t", StringComparison.Ordinal)).Split('\t')[2..];
        Assert.Equal(4 * 3, wise.Length);
        Assert.Equal(Number(wise[0]) - Number(wise[1]), Number(wise[2]), 9);
    }

    private static List<List<string>> Blocks(string json) =>
        [.. JsonNode.Parse(json)!.AsArray().Select(b => b!.AsArray().Select(v => (string)v!).ToList())];

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    // What the page is told of its surroundings reaches it with the next picture.
    private static Task<string> Drawn(Chromium page) =>
        page.EvaluateAsync("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))");

    private static Task<string> Text(Chromium page, string selector) =>
        page.EvaluateAsync($"document.querySelector('{selector}').textContent");

    private static Task<string> Style(Chromium page, string selector, string property) =>
        page.EvaluateAsync($"getComputedStyle(document.querySelector('{selector}')).{property}");

    private static Task<string> Count(Chromium page) => Text(page, "#answers .count");

    private static async Task<int> Found(Chromium page)
    {
        var words = (await Count(page)).Split(' ');
        return words[0] == "None" ? 0 : int.Parse(words[4], NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
    }

    private static async Task<string> Search(Chromium page, string text)
    {
        await page.EvaluateAsync(
            $"(s => {{ s.value = \"{text}\"; s.dispatchEvent(new Event('input')); }})"
                + "(document.getElementById('answer-search'))"
        );
        return await Count(page);
    }

    private static Task<string> Choose(Chromium page, string label, string value) =>
        page.EvaluateAsync(
            "(s => { s.value = '"
                + value
                + "'; s.dispatchEvent(new Event('change')); })([...document.querySelectorAll('#answers label')]"
                + $".find(l => l.firstChild.textContent === '{label}').querySelector('select'))"
        );

    private static Task<string> Violations(Chromium page) =>
        page.EvaluateAsync(
            "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(r => "
                + "r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + "
                + "n.failureSummary).join(' | ')).join('\\n'))"
        );
}
