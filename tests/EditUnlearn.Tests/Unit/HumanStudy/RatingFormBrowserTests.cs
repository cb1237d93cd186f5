using EditUnlearn.HumanStudy;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.HumanStudy;

/// <summary>The form in a real browser, from a file, by keyboard; what it saves is what the import reads.</summary>
[Trait("Category", "Browser")]
public sealed class RatingFormBrowserTests
{
    private const string Hostile =
        "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\"> =1+1, "
        + "\"quoted\"\nline";

    [ChromiumFact]
    public async Task A_rater_works_by_keyboard_saves_goes_on_from_the_file_and_the_import_reads_it()
    {
        using var folder = new TemporaryFolder();
        var groups = Studies.Groups(4, "rome").ToList();
        groups[0] = groups[0] with
        {
            Answers =
            [
                .. groups[0]
                    .Answers.Select(
                        (a, i) =>
                            i == 1 ? a with { Answer = Hostile }
                            : i == 2 ? a with { Answer = "" }
                            : a
                    ),
            ],
        };
        var design = StudyDesign.Of(groups, Studies.Options(1, attention: 1));
        StudyExport.Write(design, folder["s"]);
        var items = design.Sheets[0].Value;
        Directory.CreateDirectory(folder["downloads"]);

        await RateHalfAsync(folder, items);

        // Half done: the import says which cells are open.
        File.Move(folder["downloads/sheet-r01.csv"], folder["s/sheet-r01.csv"], overwrite: true);
        var open = Assert.Throws<EditUnlearn.Foundation.InputException>(() =>
            StudyImport.Read(folder["s"], Key(folder), false)
        );
        Assert.Equal(2, open.Problems.Count(p => p.Message.Contains("is empty", StringComparison.Ordinal)));

        await GoOnAsync(folder);
        File.Move(folder["downloads/sheet-r01.csv"], folder["s/sheet-r01.csv"], overwrite: true);
        var import = StudyImport.Read(folder["s"], Key(folder), false);
        (int, int?, int?)[] expected = [(1, 4, 5), (1, 2, 3), (0, null, null), (1, 5, 5), (0, null, null)];
        Assert.Equal(
            items.Zip(expected).Where(p => p.First.Attention is null).Select(p => (p.First.Code, p.Second)),
            import.Ratings.Select(r => (r.Code, (r.ForgetQuality, r.Entailment, r.Trustworthiness)))
        );
        if (items[2].Attention is null)
            Assert.Equal("=1", import.Ratings.Single(r => r.Code == items[2].Code).Comment);
        Assert.Contains("'=1", File.ReadAllText(folder["s/sheet-r01.csv"]), StringComparison.Ordinal);
    }

    private static async Task RateHalfAsync(TemporaryFolder folder, IReadOnlyList<StudyItem> items)
    {
        using var page = await Chromium.OpenAsync(folder["s/form-r01.html"]);
        await page.DownloadToAsync(folder["downloads"]);
        Assert.Equal("Rating sheet", await page.EvaluateAsync("document.title"));
        Assert.Equal(
            $"0 of {items.Count} rated",
            await page.EvaluateAsync("document.getElementById('count').textContent")
        );
        // Scales wait for forget quality 1; 7 is no rating of anything.
        await page.PressAsync("ArrowDown", "3", "7");
        Assert.Equal($"0 of {items.Count} rated", await Count(page));
        // First item: 1, 4, 5; the page goes on by itself. Second: 0.
        await page.PressAsync("1", "4", "5");
        Assert.Equal("Item 2 of 5", await page.EvaluateAsync("document.getElementById('place').textContent"));
        await page.PressAsync("0");
        Assert.Equal($"2 of {items.Count} rated", await Count(page));
        // A slip of the finger is undone and rated again.
        await page.PressAsync("u");
        Assert.Equal($"1 of {items.Count} rated", await Count(page));
        await page.PressAsync("1", "2", "3");
        // A comment that a spreadsheet would run.
        await page.PressAsync("c", "=", "1", "Escape", "0");
        // Back and over the rated ones to the next open one.
        await page.PressAsync("ArrowLeft", "ArrowLeft", "n");
        Assert.Equal("Item 4 of 5", await page.EvaluateAsync("document.getElementById('place').textContent"));
        await page.PressAsync("s");
        await Until(() => File.Exists(folder["downloads/sheet-r01.csv"]));
        Assert.Contains(
            "2 items are not rated yet",
            await page.EvaluateAsync("document.getElementById('note').textContent"),
            StringComparison.Ordinal
        );
        foreach (var item in items)
            Assert.Equal(
                item.Answer.Answer.Length == 0 ? StudyExport.EmptyAnswer : item.Answer.Answer,
                await AnswerShown(page, items, item)
            );
        Assert.Equal("Rating sheet", await page.EvaluateAsync("document.title"));
        foreach (var width in (int[])[400, 1100])
            Assert.Equal("true", await Fits(page, width));
    }

    private static async Task GoOnAsync(TemporaryFolder folder)
    {
        using var page = await Chromium.OpenAsync(folder["s/form-r01.html"]);
        await page.DownloadToAsync(folder["downloads"]);
        await page.EvaluateAsync("document.getElementById('help').open = true");
        await page.ChooseFileAsync("#load", folder["s/sheet-r01.csv"]);
        for (var i = 0; i < 100 && await Count(page) != "3 of 5 rated"; i++)
            await Task.Delay(20);
        Assert.Equal("3 of 5 rated", await Count(page));
        await page.EvaluateAsync("document.getElementById('load').blur()");
        await page.PressAsync("n", "1", "5", "5", "0", "s");
        await Until(() => File.Exists(folder["downloads/sheet-r01.csv"]));
        Assert.Contains(
            "all items rated",
            await page.EvaluateAsync("document.getElementById('note').textContent"),
            StringComparison.Ordinal
        );
    }

    private static StudyKey Key(TemporaryFolder folder) => StudyKey.Read(folder["s/key.json"]);

    private static Task<string> Count(Chromium page) =>
        page.EvaluateAsync("document.getElementById('count').textContent");

    private static async Task<string> AnswerShown(Chromium page, IReadOnlyList<StudyItem> items, StudyItem item)
    {
        for (var i = 0; i < items.Count; i++)
            await page.PressAsync("ArrowLeft");
        for (var i = 0; i < items.ToList().IndexOf(item); i++)
            await page.PressAsync("ArrowRight");
        return await page.EvaluateAsync("document.getElementById('answer').textContent");
    }

    private static async Task<string> Fits(Chromium page, int width)
    {
        Assert.True((await page.PictureAsync(width, 900)).Length > 10_000);
        return await page.EvaluateAsync("document.documentElement.scrollWidth <= innerWidth");
    }

    private static async Task Until(Func<bool> holds)
    {
        for (var i = 0; i < 500 && !holds(); i++)
            await Task.Delay(20);
        Assert.True(holds());
    }
}
