using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using EditUnlearn.HumanStudy;
using EditUnlearn.Methods;
using EditUnlearn.Models.Families;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.HumanStudy;

public sealed class StudyExportTests
{
    [Fact]
    public void Blind_no_name_of_a_method_or_model_stands_in_anything_a_rater_gets()
    {
        using var folder = new TemporaryFolder();
        // The names of the untouched model are ordinary words.
        var known = MethodCatalog.All.Where(m => m.Kind != MethodKind.Untouched).ToList();
        var methods = known.Select(m => m.Name).Append("zebrafish-edit").ToArray();
        var groups = Studies
            .Groups(6, methods)
            .Select(g => g with { System = g.System with { Model = "llama31", Variant = "after-improvement" } })
            .ToList();
        StudyExport.Write(StudyDesign.Of(groups, Studies.Options(3)), folder["study"]);
        var names = methods
            .Concat(known.Select(m => m.Label))
            .Concat(FamilyCatalog.All.SelectMany(f => (string[])[f.Name, f.Label]))
            .Concat(["facts-40", "after-improvement", "hash-0", "answers.parquet"])
            .ToList();
        var files = Directory
            .EnumerateFiles(folder["study"])
            .Where(f => Path.GetFileName(f) is not StudyKey.FileName)
            .ToList();
        Assert.Equal(2 * 3 + 2, files.Count);
        foreach (var file in files)
        {
            var text = File.ReadAllText(file);
            foreach (var name in names)
                Assert.DoesNotMatch(
                    new Regex(
                        $@"(?<![\p{{L}}\p{{N}}]){Regex.Escape(name)}(?![\p{{L}}\p{{N}}])",
                        RegexOptions.IgnoreCase
                    ),
                    text
                );
            // Long names must not even hide inside other words.
            foreach (var name in names.Where(n => n.Length > 3))
                Assert.DoesNotContain(name, text, StringComparison.OrdinalIgnoreCase);
        }
        Assert.Contains("zebrafish-edit", File.ReadAllText(folder["study/key.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_that_names_its_model_is_pointed_out_to_the_organiser()
    {
        using var folder = new TemporaryFolder();
        var groups = Studies.Groups(2, "rome").ToList();
        groups[0] = groups[0] with
        {
            Answers =
            [
                groups[0].Answers[0] with
                {
                    Answer = "I am Llama2 and do not know.",
                },
                groups[0].Answers[1] with
                {
                    Question = "What is the capital of Italy, Rome or Oslo?",
                    Answer = "Rome",
                },
            ],
        };
        var note = Assert.Single(
            StudyExport.Write(StudyDesign.Of(groups, Studies.Options(1, attention: 0)), folder["study"])
        );
        Assert.EndsWith("(facts/0000): the answer itself says 'llama2'", note, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_design_gives_the_same_bytes_and_a_used_folder_is_refused()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in (string[])["a", "b"])
            StudyExport.Write(StudyDesign.Of(Studies.Groups(5, "rome", "wise"), Studies.Options(2)), folder[name]);
        foreach (var file in Directory.EnumerateFiles(folder["a"]))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(folder[Path.Combine("b", Path.GetFileName(file))]));
        Assert.Contains(
            "is not an empty folder",
            Assert
                .Throws<InputException>(() =>
                    StudyExport.Write(StudyDesign.Of(Studies.Groups(5, "rome"), Studies.Options(2)), folder["a"])
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0")]
    [InlineData("+1+2", "'+1+2")]
    [InlineData("-2+3", "'-2+3")]
    [InlineData("@SUM(A1)", "'@SUM(A1)")]
    [InlineData("  =1", "'  =1")]
    [InlineData("\uFF1D1", "'\uFF1D1")]
    [InlineData("-12.5", "-12.5")]
    [InlineData("plain", "plain")]
    [InlineData("0123456789", "'0123456789")]
    [InlineData("12345e6789", "'12345e6789")]
    [InlineData("12345a6789", "12345a6789")]
    [InlineData("'quoted'", "''quoted'")]
    public void A_spreadsheet_runs_no_text_and_changes_no_code(string text, string cell)
    {
        Assert.Equal(cell, SheetCsv.Harmless(text));
        Assert.Equal(text, SheetCsv.Plain(SheetCsv.Harmless(text)));
    }

    [Fact]
    public void Hostile_answers_come_back_from_a_sheet_as_they_were_and_never_begin_like_a_formula()
    {
        using var folder = new TemporaryFolder();
        string[] hostile =
        [
            "=HYPERLINK(\"http://x\",\"y\")",
            "a\"b,c\nd;e\tf",
            "\t=1",
            "</script><script>alert(1)</script>",
            "\"",
            "",
            "'",
            "\u202E evil",
            "ends with space ",
        ];
        SheetCsv.Write(folder["x.csv"], hostile.Select((h, i) => (IReadOnlyList<string>)[$"{i}", h]));
        Assert.Equal(hostile, SheetCsv.Read(folder["x.csv"]).Select(r => SheetCsv.Plain(r.Fields[1])));
        Assert.All(SheetCsv.Read(folder["x.csv"]), r => Assert.DoesNotMatch(@"^\s*[=+\-@]", r.Fields[1]));
    }

    [Fact]
    public void Scripts_in_answers_stay_text_and_the_page_allows_no_other_script_than_its_own()
    {
        var item = new StudyItem(
            "0a0a0a0a0a",
            new StudyAnswer(
                "x/1",
                "Q {{script}} </script>",
                "T",
                "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028",
                "s"
            ),
            ["rome"]
        );
        var html = RatingForm.Html("r01", [item]);
        Assert.DoesNotContain("<script>alert", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<img", html, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(html, "</script>"));
        // its own script is there once
        Assert.Equal(1, Regex.Count(html, Regex.Escape("addEventListener(\"keydown\", e => {\n    if")));
        Assert.Matches("default-src 'none'.*script-src 'sha256-[A-Za-z0-9+/=]+'", html);
        Assert.DoesNotMatch("https?://", html.Replace("http-equiv", "", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("a;b\r\n1;2\r\n", "1|2")]
    [InlineData("a\tb\n1\t2", "1|2")]
    [InlineData("\uFEFFa,b\r1,\"x\n\"\"y\"\"\"\r", "1|x\n\"y\"")]
    public void Sheets_of_other_spreadsheet_programs_are_read(string text, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["x.csv"], text);
        Assert.Equal(expected, string.Join('|', SheetCsv.Read(folder["x.csv"])[1].Fields));
    }

    [Fact]
    public void A_quote_that_is_never_closed_is_named_with_its_line()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["x.csv"], "a,b\n1,2\n3,\"open\n4,5\n");
        Assert.Contains(
            "x.csv(3): a quote opens here and is never closed",
            Assert.Throws<InputException>(() => SheetCsv.Read(folder["x.csv"])).Message,
            StringComparison.Ordinal
        );
    }
}
