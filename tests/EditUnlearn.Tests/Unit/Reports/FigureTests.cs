using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

public sealed class FigureTests
{
    private static IReadOnlyList<Figure> All(ulong shuffle = 0, IReadOnlyList<RatedMean>? ratings = null) =>
        FigureCatalog.All(SyntheticScores.Book(shuffle: shuffle), SyntheticScores.Scope, ratings ?? []);

    [Fact]
    public void What_is_drawn_is_as_accepted()
    {
        Assert.Equal(FigureCatalog.Names, All().Select(f => f.Name));
        Snapshot.Matches(string.Concat(All().Select(FigureCsv.Of)), "figures.csv");
    }

    [Fact]
    public void Figures_are_the_same_bytes_whatever_the_order_of_scores()
    {
        foreach (var (a, b) in All().Zip(All(shuffle: 7)))
        {
            Assert.Equal(FigureRenderer.Svg(a), FigureRenderer.Svg(b));
            Assert.Equal(FigureRenderer.Png(a), FigureRenderer.Png(b));
        }
    }

    [Fact]
    public void Every_picture_is_well_formed_and_says_that_models_are_miniatures()
    {
        foreach (var figure in All())
        {
            var svg = XDocument.Parse(FigureRenderer.Svg(figure));
            Assert.Contains(
                "Miniature models",
                string.Concat(svg.Descendants().Where(e => e.Name.LocalName == "text").Select(e => e.Value)),
                StringComparison.Ordinal
            );
            Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], FigureRenderer.Png(figure)[..4]);
        }
    }

    // Hinting rounds widths to whole points, and small letters then stand apart unevenly.
    [Fact]
    public void Letters_stand_where_the_design_of_the_font_puts_them()
    {
        using var design = FigureFont.At(FigureFont.Regular.UnitsPerEm);
        using var bold = FigureFont.At(FigureFont.Bold.UnitsPerEm, bold: true);
        var seen = 0;
        foreach (var text in Texts(FigureRenderer.Svg(All().First(f => f.Name == "figure6-left"))))
        {
            double Number(string name) => double.Parse((string)text.Attribute(name)!, CultureInfo.InvariantCulture);
            double[] x =
            [
                .. ((string)text.Attribute("x")!)
                    .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                    .Select(n => double.Parse(n, CultureInfo.InvariantCulture)),
            ];
            var font = text.Attribute("font-weight") is null ? design : bold;
            foreach (var (i, (from, to)) in x.Zip(x.Skip(1)).Index())
            {
                var width = font.MeasureText(text.Value.Trim()[i].ToString()) / font.Size * Number("font-size");
                Assert.True(
                    Math.Abs(to - from - width) < 0.02,
                    $"'{text.Value}', letter {i}: {to - from}, not {width}"
                );
                seen++;
            }
        }
        Assert.True(seen > 200, $"only {seen} letters were seen");
    }

    [Fact]
    public void A_picture_of_lines_holds_the_font_that_it_names()
    {
        foreach (var figure in All())
        {
            var svg = FigureRenderer.Svg(figure);
            var style = XDocument.Parse(svg).Root!.Elements().First(e => e.Name.LocalName == "style").Value;
            Assert.Equal(
                ["400", "600"],
                Regex
                    .Matches(style, $"font-family:\"{FigureFont.Name}\";font-weight:(\\d+);")
                    .Select(m => m.Groups[1].Value)
            );
            foreach (var (bold, font) in Regex.Matches(style, "base64,([^)]+)").Select(m => m.Groups[1].Value).Index())
                Assert.Equal(FigureFont.File(bold == 1), Convert.FromBase64String(font));
            Assert.All(
                Texts(svg),
                t =>
                    Assert.StartsWith(
                        FigureFont.Name + ",",
                        (string)t.Attribute("font-family")!,
                        StringComparison.Ordinal
                    )
            );
        }
    }

    [Fact]
    public void A_picture_of_points_has_two_to_a_unit_of_length()
    {
        foreach (var figure in All())
        {
            var (svg, png) = (XDocument.Parse(FigureRenderer.Svg(figure)).Root!, FigureRenderer.Png(figure));
            Assert.Equal(2 * (int)svg.Attribute("width")!, BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)));
            Assert.Equal(2 * (int)svg.Attribute("height")!, BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)));
        }
    }

    [Fact]
    public void Every_line_of_text_stays_within_the_picture()
    {
        foreach (var figure in All())
        {
            var svg = FigureRenderer.Svg(figure);
            var root = XDocument.Parse(svg).Root!;
            var lines = Texts(svg).Where(t => (string)t.Attribute("font-size")! == "11").ToList();
            Assert.NotEmpty(lines);
            Assert.Equal(
                figure.Note.Split(' ', StringSplitOptions.RemoveEmptyEntries),
                string.Join(' ', lines.Select(t => t.Value.Trim())).Split(' ', StringSplitOptions.RemoveEmptyEntries)
            );
            foreach (var line in lines)
                Assert.InRange(
                    double.Parse(((string)line.Attribute("x")!).Split(',')[0], CultureInfo.InvariantCulture),
                    0,
                    (double)root.Attribute("width")! / 2
                );
        }
    }

    private static IEnumerable<XElement> Texts(string svg) =>
        XDocument.Parse(svg).Descendants().Where(e => e.Name.LocalName == "text");

    [Fact]
    public void Without_ratings_left_figure_6_shows_stand_ins_and_says_so()
    {
        var figure = All().First(f => f.Name == "figure6-left");
        Assert.Contains("not judgements of people", figure.Note, StringComparison.Ordinal);
        Assert.Equal(2, figure.Panels.Count(p => p.Title.StartsWith("stand-in:", StringComparison.Ordinal)));
    }

    [Fact]
    public void With_ratings_left_figure_6_shows_them_and_nothing_else()
    {
        RatedMean[] ratings =
        [
            new()
            {
                Method = "wise",
                Variant = "after",
                Measure = "trustworthiness",
                Raters = "all",
                Mean = 4.25,
                CiLow = 4,
                CiHigh = 4.5,
            },
            new()
            {
                Method = "wise",
                Variant = "after",
                Measure = "trustworthiness",
                Raters = "unflagged",
                Mean = 4.4,
            },
        ];
        var figure = All(ratings: ratings).First(f => f.Name == "figure6-left");
        Assert.DoesNotContain(figure.Panels, p => p.Title.StartsWith("stand-in", StringComparison.Ordinal));
        var trust = figure.Panels[1];
        Assert.Equal((1, 5), (trust.Low, trust.High));
        // raters who failed the attention items are left out where that is known
        Assert.Equal(4.4, trust.Series[1].Values[2]!.Value);
    }

    [Fact]
    public void A_study_that_ran_nothing_still_has_its_figures()
    {
        var empty = FigureCatalog.All(new ScoreBook([], "strict", []), SyntheticScores.Scope, []);
        Assert.All(empty, f => Assert.True(FigureRenderer.Png(f).Length > 1000));
        Assert.Contains("not run", FigureRenderer.Svg(empty[0]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_study_of_one_model_shows_its_contracts_in_left_figure_4()
    {
        ScoreBook Only(string? model) =>
            new(
                SyntheticScores.All().Where(s => model is null || s.Model == model),
                MetricProfile.Strict.Name,
                MetricProfile.Strict.Columns
            );
        string Title(string? model) =>
            FigureCatalog
                .All(Only(model), SyntheticScores.Scope, [])
                .First(f => f.Name == "figure4-left")
                .Panels[1]
                .Title;
        Assert.EndsWith(SyntheticScores.Scope.LabelOf("mistral"), Title(null), StringComparison.Ordinal);
        Assert.EndsWith(SyntheticScores.Scope.LabelOf("llama2"), Title("llama2"), StringComparison.Ordinal);
    }

    [Fact]
    public void Right_figure_6_starts_without_merging_and_compares_with_what_is_not_merged()
    {
        var panel = FigureCatalog
            .All(SyntheticScores.Paper, StudyScope.Paper, [])
            .First(f => f.Name == "figure6-right")
            .Panels[0];
        Assert.Equal(["1", "2", "4", "5", "8", "10"], panel.Categories);
        Assert.Equal(
            [1.005, .995, 1.400, 1.622, 1.539, 1.179],
            panel.Series[0].Values.Select(v => Math.Round(v!.Value, 3))
        );
        Assert.Equal(
            [("AlphaEdit, not merged", 1.636), ("GD, not merged", 1.596), ("DPO, not merged", 1.123)],
            panel.References.Select(r => (r.Name, Math.Round(r.Value, 3)))
        );
    }

    // The library numbers the parts of a picture over the life of the process; a worker draws many.
    [Fact]
    public void The_curve_of_a_training_run_is_the_same_picture_whatever_was_drawn_before()
    {
        using var folder = new TemporaryFolder();
        TrainingRow[] rows =
        [
            .. Enumerable
                .Range(1, 30)
                .Select(i => new TrainingRow
                {
                    Step = i,
                    Loss = 3.0 / i,
                    ForgetLoss = i / 10.0,
                    Rouge1 = i % 10 == 0 ? 0.5 : null,
                }),
        ];
        string[] names = ["first", "second", "third"];
        foreach (var name in names)
            TrainingPlot.Write(folder[name], "GA: 4 rows", rows, 28);
        foreach (var ending in (string[])[".svg", ".png"])
            Assert.Single(names.Select(n => Convert.ToHexString(File.ReadAllBytes(folder[n + ending]))).Distinct());
        Assert.Contains("update", File.ReadAllText(folder["first.svg"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Distance_to_the_ideal_is_that_of_the_plane() =>
        Assert.Equal(0.5, FigureCatalog.DistanceToIdeal(0.3, 0.6), 1e-12);
}
