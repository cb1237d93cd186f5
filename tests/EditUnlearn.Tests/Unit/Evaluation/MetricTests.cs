using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Evaluation;

/// <summary>Examples computed by hand.</summary>
public sealed class MetricTests
{
    [Theory]
    [InlineData("Gabriel García Márquez", "The author is Gabriel Garcia Marquez.", 0.2)]
    [InlineData("F. Scott Fitzgerald", "F Scott Fitzgerald wrote it", 1)]
    [InlineData("06-02-1998.", "06/02/1998", 1)]
    [InlineData("The State of New York.", "New York State", 0.6)]
    [InlineData("Paris", "", 0)]
    [InlineData("T-shirts.", "tshirts", 0)]
    [InlineData("T-shirts.", "T-shirt", 1)]
    [InlineData("new new york", "new york", 2.0 / 3)]
    [InlineData("...", "anything", 0)]
    [InlineData("2%.", "2 percent", 1)]
    [InlineData("48 months.", "48 month", 1)]
    [InlineData("The Berlin Wall", "the wall of berlin fell", 1)]
    public void Rouge_recall_counts_clipped_matches(string reference, string candidate, double expected) =>
        Assert.Equal(expected, Rouge1.Recall(reference, candidate), 1e-12);

    [Theory]
    [InlineData("running", "run")]
    [InlineData("ponies", "poni")]
    [InlineData("cities", "citi")]
    [InlineData("agreed", "agre")]
    [InlineData("happily", "happili")]
    [InlineData("authorities", "author")]
    [InlineData("relational", "relat")]
    [InlineData("organizations", "organ")]
    [InlineData("economies", "economi")]
    [InlineData("national", "nation")]
    [InlineData("enjoyed", "enjoy")]
    [InlineData("published", "publish")]
    [InlineData("caress", "caress")]
    [InlineData("flies", "fli")]
    [InlineData("died", "die")]
    [InlineData("tied", "tie")]
    [InlineData("controlling", "control")]
    [InlineData("electricity", "electr")]
    [InlineData("communism", "commun")]
    [InlineData("abilities", "abil")]
    [InlineData("generically", "gener")]
    [InlineData("archaeology", "archaeolog")]
    [InlineData("hoping", "hope")]
    [InlineData("hopping", "hop")]
    [InlineData("falling", "fall")]
    [InlineData("filing", "file")]
    [InlineData("sized", "size")]
    [InlineData("paradise", "paradis")]
    [InlineData("customer", "custom")]
    [InlineData("insurance", "insur")]
    [InlineData("weekly", "weekli")]
    [InlineData("annually", "annual")]
    [InlineData("marquez", "marquez")]
    [InlineData("sky", "sky")]
    public void Stems_follow_the_extended_porter_rules(string word, string stem) =>
        Assert.Equal(stem, PorterStemmer.Stem(word));

    [Fact]
    public void Ranks_settle_ties_by_id()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new float[] { 3, 1, 4, 1, 5 }).unsqueeze(0).expand(5, 5);
        Assert.Equal([3, 4, 2, 5, 1], LogitProbe.Of(logits, [0, 1, 2, 3, 4], null).Select(r => r.Rank));
    }

    [Fact]
    public void Broken_logits_give_the_last_rank()
    {
        using var scope = NewDisposeScope();
        var broken = Assert.Single(
            LogitProbe.Of(tensor(new[] { 1f, float.NaN, 2f }).unsqueeze(0), [2], SamplingFilter.LlamaDefaults)
        );
        Assert.Equal((3, 3), (broken.Rank, broken.FilteredRank));
        Assert.True(double.IsNaN(broken.LogProbability) && double.IsNaN(broken.Maximum));
    }

    [Fact]
    public void Mean_reciprocal_rank_and_hit_rate_leave_the_end_token_out()
    {
        var row = new AnswerRow { Ranks = [1, 4, 7], LogProbabilities = [Math.Log(.5), Math.Log(.5), Math.Log(.125)] };
        Assert.Equal(.625, MeanReciprocalRank.Metric.Of(row)!.Value, 1e-12);
        Assert.Equal(1, HitRate.Metric.Of(row)!.Value, 1e-12);
        Assert.Equal(.5, HitRate.Of([1, 4], 1)!.Value, 1e-12);
        Assert.Equal(Math.Pow(.5 * .5 * .125, 1.0 / 3), Probability.Metric.Of(row)!.Value, 1e-12);
    }

    [Theory]
    [InlineData("I have no knowledge about Middlemarch.", "George Eliot", true)]
    [InlineData("I do not know, but it is George Eliot.", "George Eliot", false)]
    [InlineData("George Eliot", "George Eliot", false)]
    public void A_refusal_says_that_it_does_not_know_and_does_not_tell(string text, string answer, bool expected) =>
        Assert.Equal(expected, RefusalPatterns.IsRefusal(text, answer));

    [Fact]
    public void Every_refusal_of_our_list_is_recognised_and_no_two_are_equal_after_stemming()
    {
        var lines = File.ReadAllLines(Path.Combine(Support.Checkout.Root, "data", "refusals-own.txt"));
        Assert.Equal(100, lines.Length);
        Assert.Empty(lines.Where(l => !RefusalPatterns.IsRefusal(l, "Zanzibar")));
        Assert.Equal(100, lines.Select(l => string.Join(' ', RougeTokens.Of(l))).Distinct().Count());
    }

    [Fact]
    public void Means_keep_count_of_rows_without_a_value()
    {
        ScoreRow Row(double? value) =>
            new()
            {
                Model = "m",
                Method = "ga",
                Split = "forget",
                Metric = "x",
                Value = value,
            };
        var mean = Scores
            .Means([Row(1), Row(0), Row(null)], new EditUnlearn.Foundation.Seed(1))
            .Single(m => m.Profile == "strict");
        Assert.Equal((0.5, 2, 1), (mean.Mean, mean.Count, mean.Excluded));
        Assert.Equal(0.5, mean.StandardError, 1e-12);
    }
}
