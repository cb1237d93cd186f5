using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.HumanStudy;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.HumanStudy;

public sealed class StudyImportTests
{
    [Fact]
    public void What_raters_said_comes_back_for_every_method_and_no_rating_is_lost()
    {
        using var folder = new TemporaryFolder();
        var design = StudyDesign.Of(Studies.Groups(10, "rome", "alphaedit"), Studies.Options(4));
        var result = StudyResult.Of(
            StudyImport.Read(folder["s"], Studies.Filled(folder["s"], design, Studies.Attentive), lenient: false),
            excludeFlagged: true
        );
        Assert.Equal(4 * 10 * 2, result.Ratings.Count);
        Assert.Empty(result.Import.Flagged);
        double? Mean(string method, string measure) =>
            result.Means.Single(m => m.Method == method && m.Measure == measure && m.Raters == "all").Mean;
        Assert.Equal(1, Mean("rome", "forgetRate"));
        // 8 answers of its own with 2, and the 2 shared ones with 4.
        Assert.Equal((8 * 2 + 2 * 4) / 10.0, Mean("rome", "entailment")!.Value, 12);
        Assert.Equal(4, Mean("alphaedit", "entailment"));
        var pair = result.Pairs.Single(p => p.Measure == "entailment" && p.Raters == "all");
        Assert.Equal((40, -1.6), (pair.Pairs, Math.Round(pair.Difference!.Value, 12)));
        Assert.True(pair.P < 0.001 && pair.PHolm == pair.P);
        Assert.Equal(
            result.Means.Where(m => m.Raters == "all").Select(m => m.Mean),
            result.Means.Where(m => m.Raters == "unflagged").Select(m => m.Mean)
        );
        var interval = result.Means.Single(m => m.Method == "rome" && m.Measure == "entailment" && m.Raters == "all");
        Assert.True(interval.CiLow < interval.Mean && interval.Mean < interval.CiHigh);
    }

    [Fact]
    public void A_score_beside_forget_quality_0_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        var design = StudyDesign.Of(Studies.Groups(6, "rome", "wise"), Studies.Options(3, attention: 0));
        (string, string, string) Rate(StudyItem i, string after0) =>
            i.Answer.Id == "facts/0002" ? ("0", after0, after0) : ("1", "3", "4");
        var empty = StudyResult.Of(
            StudyImport.Read(folder["a"], Studies.Filled(folder["a"], design, (_, i) => Rate(i, "")), false),
            false
        );
        foreach (var noise in (string[])["5", "many", "9"])
        {
            var scored = StudyResult.Of(
                StudyImport.Read(folder[noise], Studies.Filled(folder[noise], design, (_, i) => Rate(i, noise)), false),
                false
            );
            Assert.Equal(empty.Means, scored.Means);
            Assert.Equal(empty.Ratings, scored.Ratings);
            Assert.Equal(empty.Agreement, scored.Agreement);
        }
        var mean = empty.Means.Single(m => m.Method == "rome" && m.Measure == "entailment");
        Assert.Equal((3.0, 15, 18), (mean.Mean, mean.Counted, mean.Rated));
    }

    [Fact]
    public void Without_a_rating_that_counts_a_mean_is_not_available_rather_than_0()
    {
        using var folder = new TemporaryFolder();
        var design = StudyDesign.Of(Studies.Groups(4, "rome", "wise"), Studies.Options(2, attention: 0));
        var key = Studies.Filled(
            folder["s"],
            design,
            (_, i) => i.Systems is ["rome"] or ["rome", "wise"] ? ("0", "", "") : ("1", "2", "2")
        );
        var result = StudyResult.Of(StudyImport.Read(folder["s"], key, false), false);
        var mean = result.Means.Single(m => m.Method == "rome" && m.Measure == "trustworthiness");
        Assert.Equal((null, null, null, 0), (mean.Mean, mean.MeanOfRaterMeans, mean.CiLow, mean.Counted));
        Assert.Equal(
            (null, 0),
            result.Pairs.Where(p => p.Measure == "trustworthiness").Select(p => (p.P, p.Pairs)).Single()
        );
        Assert.Contains("n/a", StudyReport.Text(result), StringComparison.Ordinal);
    }

    [Fact]
    public void Pooled_means_weigh_ratings_and_means_of_raters_weigh_raters()
    {
        using var folder = new TemporaryFolder();
        var design = StudyDesign.Of(Studies.Groups(4, "rome"), Studies.Options(2, attention: 0));
        // The second rater lets one answer through only, and gives it a 5.
        var key = Studies.Filled(
            folder["s"],
            design,
            (r, i) =>
                r == "r01" ? ("1", "1", "1")
                : i.Answer.Id == "facts/0001" ? ("1", "5", "5")
                : ("0", "", "")
        );
        var mean = StudyResult
            .Of(StudyImport.Read(folder["s"], key, false), false)
            .Means.Single(m => m.Measure == "entailment");
        Assert.Equal(((4 * 1 + 5) / 5.0, 3.0), (mean.Mean!.Value, mean.MeanOfRaterMeans!.Value));
    }

    [Fact]
    public void Raters_who_fail_the_attention_items_are_flagged_and_both_results_are_printed()
    {
        using var folder = new TemporaryFolder();
        var design = StudyDesign.Of(Studies.Groups(5, "rome"), Studies.Options(3));
        var key = Studies.Filled(
            folder["s"],
            design,
            (r, i) =>
                r == "r02" ? (i.Attention == AttentionKind.TrueAnswer ? "1" : "1", "1", "1") : Studies.Attentive(r, i)
        );
        var result = StudyResult.Of(StudyImport.Read(folder["s"], key, false), excludeFlagged: true);
        Assert.Equal(["r02"], result.Import.Flagged);
        Assert.All(result.Ratings, r => Assert.Equal(r.Rater == "r02", r.Flagged));
        double Mean(string raters) =>
            result.Means.Single(m => m.Raters == raters && m.Measure == "trustworthiness").Mean!.Value;
        Assert.Equal((3 + 1 + 3) / 3.0, Mean("all"), 12);
        Assert.Equal(3, Mean("unflagged"), 12);
        var text = StudyReport.Text(result);
        Assert.Contains("Flagged, more than half of the attention items failed: r02.", text, StringComparison.Ordinal);
        Assert.Contains("All raters\n", text, StringComparison.Ordinal);
        Assert.Contains("Without flagged raters\n", text, StringComparison.Ordinal);
        // One failed of two is not more than half.
        var half = Studies.Filled(
            folder["h"],
            design,
            (r, i) => i.Attention == AttentionKind.TrueAnswer ? ("1", "1", "1") : Studies.Attentive(r, i)
        );
        Assert.Empty(StudyImport.Read(folder["h"], half, false).Flagged);
    }

    [Fact]
    public void Everything_wrong_in_all_sheets_is_reported_at_once_with_file_line_and_field()
    {
        using var folder = new TemporaryFolder();
        var key = Damaged(folder);
        var e = Assert.Throws<InputException>(() => StudyImport.Read(folder["s"], key, lenient: false));
        Snapshot.Matches(
            e.Message.Replace(folder.Path + "/", "", StringComparison.Ordinal) + "\n",
            "import-problems.txt"
        );
    }

    [Fact]
    public void Leniently_what_is_wrong_is_left_out_and_the_rest_counts()
    {
        using var folder = new TemporaryFolder();
        var import = StudyImport.Read(folder["s"], Damaged(folder), lenient: true);
        Assert.NotEmpty(import.Problems);
        Assert.Equal(["r01", "r02"], import.Ratings.Select(r => r.Rater).Distinct());
        Assert.Equal(4 - 3 + 4 - 1, import.Ratings.Count);
    }

    // Two questions of two methods, five raters: r03 empty, r04 missing, r05 twice; cells of r01 and r02 wrong.
    private static StudyKey Damaged(TemporaryFolder folder)
    {
        var groups = Studies
            .Groups(3, "rome", "wise")
            .Select(g => g with { Answers = [.. g.Answers.Skip(1)] })
            .ToList();
        var design = StudyDesign.Of(groups, Studies.Options(5, attention: 0) with { Salt = "fixed" });
        var key = Studies.Filled(folder["s"], design, (r, _) => r is "r03" ? ("", "", "") : ("1", "3", "4"));
        var first = File.ReadAllLines(folder["s/sheet-r01.csv"]);
        first[1] = Change(first[1], "2", "3", "4");
        first[2] = Change(first[2], "1", "6", "2.5");
        first[3] = Change(first[3], "1", "", "4.0");
        File.WriteAllLines(folder["s/sheet-r01.csv"], first);
        var second = File.ReadAllLines(folder["s/sheet-r02.csv"]);
        File.WriteAllLines(folder["s/sheet-r02.csv"], [.. second[..4], second[1], "ffffffffff,,,,1,3,3,"]);
        File.Delete(folder["s/sheet-r04.csv"]);
        File.Copy(folder["s/sheet-r05.csv"], folder["s/sheet-r05 (1).csv"]);
        File.Delete(folder["s/sheet-r05.csv"]);
        File.WriteAllText(folder["s/sheet-r05.csv"], "code,forget\n1,2\n");
        File.WriteAllText(folder["s/sheet-r11.csv"], "item_code\n");
        File.WriteAllText(
            folder["s/raters.csv"],
            """
            rater_id,age_band,gender,education,consent
            r01,21-25,female,bachelor,yes
            r02,26-32,male,master,no
            r09,26-32,male,master,yes
            r03,,,,

            """
        );
        return key;
    }

    private static string Change(string line, params string[] cells) =>
        string.Join(',', [.. line.Split(',')[..^4], .. cells, ""]);

    [Fact]
    public void People_are_counted_and_small_groups_are_not_told_apart()
    {
        using var folder = new TemporaryFolder();
        var design = StudyDesign.Of(Studies.Groups(3, "rome"), Studies.Options(5));
        var key = Studies.Filled(folder["s"], design, Studies.Attentive);
        File.WriteAllText(
            folder["s/raters.csv"],
            "rater_id,age_band,gender,education,consent\n"
                + string.Concat(
                    Enumerable.Range(1, 5).Select(i => $"r0{i},21-25,{(i == 1 ? "female" : "male")},bachelor,Yes\n")
                )
        );
        var import = StudyImport.Read(folder["s"], key, false);
        Assert.Equal(
            [
                "5 raters told about themselves",
                "age band: 21-25 5",
                "gender: male 4, in groups of fewer than 3: 1",
                "education: bachelor 5",
            ],
            import.People
        );
        StudyReport.Write(StudyResult.Of(import, false), folder["out"]);
        Assert.DoesNotContain("female", File.ReadAllText(folder["out/ratings.csv"]), StringComparison.Ordinal);
    }

    [Fact]
    public void The_report_is_as_accepted_and_its_files_agree()
    {
        using var folder = new TemporaryFolder();
        var design = StudyDesign.Of(Studies.Groups(8, "rome", "wise", "alphaedit"), Studies.Options(4, 3));
        var draw = new Seed(9).Stream("raters");
        var key = Studies.Filled(
            folder["s"],
            design,
            (r, i) =>
                i.Attention is not null ? Studies.Attentive(r, i)
                : draw.Below(4) == 0 ? ("0", "", "")
                : ("1", $"{1 + draw.Below(5)}", $"{1 + draw.Below(5)}")
        );
        var result = StudyResult.Of(StudyImport.Read(folder["s"], key, false), false);
        StudyReport.Write(result, folder["out"]);
        Snapshot.Matches(Studies.Read(folder, "out/study.txt"), "study.txt");
        Assert.Equal(result.Ratings, ParquetTable.Read<RatingRow>(folder["out/ratings.parquet"]));
        Assert.Equal(result.Means, ParquetTable.Read<RatingMean>(folder["out/rating-means.parquet"]));
        Assert.Equal(result.Pairs, ParquetTable.Read<RatingPair>(folder["out/rating-pairs.parquet"]));
        var json = JsonNode.Parse(Studies.Read(folder, "out/study.json"))!;
        Assert.Equal(result.Means[0].Mean, (double?)json["means"]![0]!["mean"]);
        Assert.Equal(result.Means.Count + 1, SheetCsv.Read(folder["out/rating-means.csv"]).Count);
    }

    [Theory]
    [InlineData("{}", "is not the key of a study")]
    [InlineData("[1", "is not the key of a study")]
    [InlineData(
        """
            {"salt":"s","seed":1,"split":"forget","assignment":"full","sources":[],
             "items":[{"code":"aa","id":"x","systems":["rome"]}],"attention":[],
             "sheets":[{"rater":"../x","codes":["bb"]}]}
            """,
        "item aa names 'rome', which is not among the sources"
    )]
    public void A_key_that_is_none_or_contradicts_itself_is_refused(string text, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["key.json"], text);
        Assert.Contains(
            expected,
            Assert.Throws<InputException>(() => StudyKey.Read(folder["key.json"])).Message,
            StringComparison.Ordinal
        );
    }
}
