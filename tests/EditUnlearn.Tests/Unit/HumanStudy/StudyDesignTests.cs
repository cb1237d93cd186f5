using EditUnlearn.Foundation;
using EditUnlearn.HumanStudy;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.HumanStudy;

public sealed class StudyDesignTests
{
    private static readonly string[] Nine = ["ga", "gd", "kl", "dpo", "rome", "memit", "grace", "wise", "alphaedit"];

    [Theory]
    [InlineData(7, 3, 20)]
    [InlineData(20, 3, 40)]
    [InlineData(5, 2, 13)]
    [InlineData(4, 4, 9)]
    public void Balanced_every_item_has_its_raters_loads_differ_by_one_and_every_rater_sees_every_method_equally_often(
        int raters,
        int perItem,
        int questions
    )
    {
        var design = StudyDesign.Of(Studies.Groups(questions, Nine), Studies.Options(raters, perItem, attention: 0));
        var times = design.Sheets.SelectMany(s => s.Value).GroupBy(i => i.Code).ToList();
        Assert.Equal(design.Items.Count, times.Count);
        Assert.All(times, t => Assert.Equal(perItem, t.Count()));
        Assert.All(design.Sheets, s => Assert.Equal(s.Value.Count, s.Value.DistinctBy(i => i.Code).Count()));
        var loads = design.Sheets.Select(s => s.Value.Count).ToList();
        Assert.InRange(loads.Max() - loads.Min(), 0, 1);
        Assert.All(
            design.Sheets,
            s =>
            {
                var counts = Nine.Select(m => s.Value.Count(i => i.Systems.Contains(m))).ToList();
                Assert.InRange(counts.Max() - counts.Min(), 0, 1);
            }
        );
    }

    [Fact]
    public void Full_everyone_rates_everything_in_an_order_of_their_own()
    {
        var design = StudyDesign.Of(Studies.Groups(10, "rome", "wise"), Studies.Options(3));
        Assert.All(design.Sheets, s => Assert.Equal(18 + 2, s.Value.Count)); // 2 of 20 answers are said by both
        Assert.NotEqual(Codes(design, 0), Codes(design, 1));
        Assert.Equal(
            Codes(design, 0),
            Codes(StudyDesign.Of(Studies.Groups(10, "rome", "wise"), Studies.Options(3)), 0)
        );
    }

    [Fact]
    public void What_two_methods_say_in_the_same_words_is_shown_once_and_counts_for_both()
    {
        var design = StudyDesign.Of(Studies.Groups(6, "rome", "wise"), Studies.Options(2, attention: 0));
        Assert.Equal(["rome", "wise"], design.Items.Single(i => i.Answer.Id == "facts/0005").Systems);
        Assert.Equal(2, design.Items.Count(i => i.Answer.Id == "facts/0004"));
    }

    [Fact]
    public void Codes_are_ten_digits_of_the_salted_hash()
    {
        var design = StudyDesign.Of(Studies.Groups(2, "rome"), Studies.Options(1, attention: 0) with { Salt = "s" });
        Assert.Equal(
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("s|facts/0001|rome"u8))[..10],
            design.Items[1].Code
        );
        Assert.NotEqual(
            design.Items[1].Code,
            StudyDesign.Of(Studies.Groups(2, "rome"), Studies.Options(1, attention: 0)).Items[1].Code
        );
    }

    [Fact]
    public void Items_are_drawn_by_the_seed_and_are_the_same_for_all_methods()
    {
        var options = Studies.Options(2) with { Items = 7 };
        var ids = StudyDesign
            .Of(Studies.Groups(40, "rome", "wise"), options)
            .Items.Where(i => i.Attention is null)
            .SelectMany(i => i.Systems.Select(s => (s, i.Answer.Id)))
            .ToLookup(p => p.s, p => p.Id);
        Assert.Equal(7, ids["rome"].Count());
        Assert.Equal(ids["rome"], ids["wise"]);
        Assert.NotEqual(
            ids["rome"],
            StudyDesign
                .Of(Studies.Groups(40, "rome", "wise"), options with { Seed = new Seed(6) })
                .Items.Where(i => i.Systems.Contains("rome"))
                .Select(i => i.Answer.Id)
        );
    }

    [Fact]
    public void Every_sheet_has_a_true_answer_and_an_ideal_refusal_that_look_like_other_items()
    {
        var design = StudyDesign.Of(Studies.Groups(8, "rome"), Studies.Options(3));
        Assert.All(
            design.Sheets,
            s =>
            {
                var attention = s.Value.Where(i => i.Attention is not null).OrderBy(i => i.Attention).ToList();
                Assert.Equal(
                    [AttentionKind.TrueAnswer, AttentionKind.IdealRefusal],
                    attention.Select(a => a.Attention!.Value)
                );
                Assert.Equal(attention[0].Answer.GroundTruth, attention[0].Answer.Answer);
                Assert.Contains(attention[1].Answer.Subject, attention[1].Answer.Answer, StringComparison.Ordinal);
                Assert.All(attention, a => Assert.Matches("^[0-9a-f]{10}$", a.Code));
            }
        );
    }

    [Fact]
    public void Two_sets_of_the_same_questions_go_out_together_and_are_told_apart_by_their_names()
    {
        var groups = Studies.Groups(4, "gd", "wise").ToList();
        groups.Add(
            groups[1] with
            {
                System = groups[1].System with { Set = "facts-40-model" },
                Answers = [.. groups[1].Answers.Select(a => a with { Answer = a.Answer + " Sorry." })],
            }
        );
        var design = StudyDesign.Of(groups, Studies.Options(2));
        Assert.Equal(["gd", "wise/facts-40", "wise/facts-40-model"], design.Groups.Select(g => g.Key));
        // What is said in the same words by two methods is still one item: 11 of 12.
        Assert.Equal(11, design.Items.Count(i => i.Attention is null));
    }

    [Fact]
    public void Everything_that_does_not_fit_is_reported_together()
    {
        var groups = Studies.Groups(4, "rome", "wise").ToList();
        groups[1] = groups[1] with { Answers = [.. groups[1].Answers.Skip(1)] };
        groups.Add(groups[0]);
        groups.Add(
            groups[0] with
            {
                System = groups[0].System with { Set = "contracts-20" },
                Answers = [.. groups[0].Answers.Select(a => a with { Question = "Who is the seller?" })],
            }
        );
        var e = Assert.Throws<InputException>(() =>
            StudyDesign.Of(
                groups,
                new StudyOptions
                {
                    Raters = ["ann", "Ann", "a b"],
                    RatersPerItem = 9,
                    Items = 0,
                    Attention = 5,
                    Seed = new Seed(1),
                }
            )
        );
        Snapshot.Matches(e.Message + "\n", "design-problems.txt");
    }

    private static List<string> Codes(StudyDesign design, int sheet) =>
        [.. design.Sheets[sheet].Value.Select(i => i.Code)];
}
