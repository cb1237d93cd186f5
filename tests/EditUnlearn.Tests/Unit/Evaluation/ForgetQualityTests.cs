using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Oracle;

namespace EditUnlearn.Tests.Unit.Evaluation;

/// <summary>Forget quality on numbers that can be checked by hand.</summary>
public sealed class ForgetQualityTests
{
    private static float[] Logs(params double[] p) => [.. p.Select(v => (float)Math.Log(v))];

    [Fact]
    public void Divergences_have_the_values_of_their_formulas()
    {
        var half = Divergence.Of(Logs(0.5, 0.5), Logs(0.25, 0.75))!.Value;
        Assert.Equal(0.5 * Math.Log(2) + 0.5 * Math.Log(2 / 3.0), half.Kl, 6);
        // M = (.375, .625).
        var js =
            0.5 * (0.5 * Math.Log(0.5 / 0.375) + 0.5 * Math.Log(0.5 / 0.625))
            + 0.5 * (0.25 * Math.Log(0.25 / 0.375) + 0.75 * Math.Log(0.75 / 0.625));
        Assert.Equal(js / Math.Log(2), half.Js, 6);
        Assert.Equal(half.Js, Divergence.Of(Logs(0.25, 0.75), Logs(0.5, 0.5))!.Value.Js, 9);
        Assert.Equal(new Divergence(0, 0), Divergence.Of(Logs(0.2, 0.8), Logs(0.2, 0.8)));
        // Nothing in common: one bit. What P excludes costs KL nothing.
        var apart = Divergence.Of([0, float.NegativeInfinity], [float.NegativeInfinity, 0])!.Value;
        Assert.Equal((double.PositiveInfinity, 1.0), (apart.Kl, apart.Js));
        Assert.Equal(Math.Log(2), Divergence.Of([0, float.NegativeInfinity], Logs(0.5, 0.5))!.Value.Kl, 6);
        Assert.Null(Divergence.Of([float.NaN, 0], Logs(0.5, 0.5)));
        Assert.Throws<ArgumentException>(() => Divergence.Of(Logs(1), Logs(0.5, 0.5)));
    }

    [Fact]
    public void The_divergence_of_an_answer_is_the_mean_over_its_positions()
    {
        var mean = Divergence.Mean([Logs(0.5, 0.5), Logs(0.2, 0.8)], [Logs(0.25, 0.75), Logs(0.2, 0.8)])!.Value;
        var first = Divergence.Of(Logs(0.5, 0.5), Logs(0.25, 0.75))!.Value;
        Assert.Equal((first.Kl / 2, first.Js / 2), (mean.Kl, mean.Js));
        Assert.Null(Divergence.Mean([], []));
        Assert.Null(Divergence.Mean([Logs(1), [float.NaN]], [Logs(1), [0]]));
        Assert.Throws<ArgumentException>(() => Divergence.Mean([Logs(1)], []));
    }

    [Fact]
    public void The_truth_ratio_is_the_mean_of_the_wrong_over_the_true()
    {
        Assert.Equal((0.1 + 0.3) / 2 / 0.5, ForgetQuality.TruthRatio(Math.Log(0.5), [0.1, 0.3])!.Value, 12);
        Assert.Null(ForgetQuality.TruthRatio(Math.Log(0.5), []));
        Assert.Null(ForgetQuality.TruthRatio(null, [0.5]));
        Assert.Null(ForgetQuality.TruthRatio(double.NegativeInfinity, [0.5]));
    }

    private static AnswerRow Said(int id, string said, double logProbability, bool refused, string split = "forget") =>
        new()
        {
            Model = "llama2",
            Set = "facts-3",
            Method = "ga",
            Split = split,
            Id = $"f/{id}",
            Question = $"Who wrote book {id}?",
            Answer = "Jane Austen",
            Generated = said,
            Refused = refused,
            LogProbabilities = [logProbability, logProbability],
        };

    private static ForgetQuality.Reading Read(double kl) => new(kl, kl / 10, kl * 2, kl / 5, [0.2], [0.4]);

    [Fact]
    public void Answers_are_compared_question_by_question_and_averaged_by_split()
    {
        // The oracle refuses twice and guesses once; ours refuses once, in its words, guesses alike, and knows one.
        AnswerRow[] ours =
        [
            Said(0, "I do not know.", -3, true),
            Said(1, "Emily Bronte", -4, false),
            Said(2, "Jane Austen", -0.1, false),
        ];
        AnswerRow[] oracle =
        [
            Said(2, "I do not know.", -5, true),
            Said(1, "Emily Bronte", -4, false),
            Said(0, "I do not know.", -6, true),
        ];
        var pairs = ForgetQuality.Pairs(ours, oracle);
        Assert.Equal(["f/0", "f/1", "f/2"], pairs.Select(p => p.Oracle.Id));
        var rows = pairs.Select((p, i) => ForgetQuality.Row(p, Read(i))).ToList();
        Assert.Equal(["refused", "wrong", "right"], rows.Select(r => r.Kind));
        Assert.Equal(["refused", "wrong", "refused"], rows.Select(r => r.OracleKind));
        Assert.Equal([true, true, false], rows.Select(r => r.Same));
        Assert.Equal(0.2 / Math.Exp(-3), rows[0].TruthRatio!.Value, 9);
        Assert.Equal(0.4 / Math.Exp(-6), rows[0].OracleTruthRatio!.Value, 9);

        var mean = Assert.Single(ForgetQuality.Means(rows));
        Assert.Equal(
            ("llama2", "facts-3", "ga", "forget", 3),
            (mean.Model, mean.Set, mean.Method, mean.Split, mean.Count)
        );
        Assert.Equal(2 / 3.0, mean.Same, 12);
        Assert.Equal(1 / 3.0, mean.SameError, 12);
        Assert.Equal((1 / 3.0, 0.0, 1 / 3.0), (mean.BothRefuse, mean.BothRight, mean.BothWrong));
        Assert.Equal((2 / 3.0, 1 / 3.0, 0.0), (mean.OracleRefuses, mean.Rouge1, mean.OracleRouge1));
        Assert.Equal((1.0, 2.0), (mean.KlTruth!.Value, mean.KlOracle!.Value));
        Assert.Equal((0.1, 0.2), (Math.Round(mean.JsTruth!.Value, 12), Math.Round(mean.JsOracle!.Value, 12)));
        // -4, -3, -0.1 beside -6, -5, -4: up to -5 none of ours and two of the oracle's.
        Assert.Equal(2 / 3.0, mean.ProbabilityD!.Value, 12);
        Assert.Equal((3, 3), (mean.Finite, mean.TruthRatios));
    }

    [Fact]
    public void A_model_is_as_near_as_can_be_to_itself()
    {
        AnswerRow[] rows =
        [
            Said(0, "", -3, false),
            Said(1, "I do not know.", -2, true),
            Said(2, "Jane Austen", -1, false),
        ];
        var mean = ForgetQuality.Means([
            .. ForgetQuality.Pairs(rows, rows).Select(p => ForgetQuality.Row(p, new(0, 0, 0, 0, [0.5], [0.5]))),
        ])[0];
        Assert.Equal((1.0, 1.0, 0.0, 0.0), (mean.Same, mean.F1, mean.KlTruth!.Value, mean.JsTruth!.Value));
        Assert.Equal((0.0, 1.0), (mean.ProbabilityD!.Value, mean.ProbabilityP!.Value));
        Assert.Equal((0.0, 1.0), (mean.TruthRatioD!.Value, mean.TruthRatioP!.Value));
        Assert.Equal(1, mean.BothRefuse + mean.BothRight + mean.BothWrong, 12);
    }

    [Fact]
    public void What_is_no_number_is_counted_and_left_out_on_both_sides()
    {
        AnswerRow[] ours = [Said(0, "a", double.NaN, false), Said(1, "a", -1, false)];
        AnswerRow[] oracle = [Said(0, "a", -1, false), Said(1, "a", -2, false)];
        var mean = ForgetQuality.Means([
            .. ForgetQuality
                .Pairs(ours, oracle)
                .Select((p, i) => ForgetQuality.Row(p, i == 0 ? new(null, null, null, null, [], []) : Read(1))),
        ])[0];
        Assert.Equal((1, 1.0), (mean.Finite, mean.KlTruth!.Value));
        Assert.Equal((1.0, 1.0), (mean.ProbabilityD!.Value, mean.ProbabilityP!.Value));
        Assert.Equal(1, mean.TruthRatios);
    }

    [Fact]
    public void Questions_in_other_words_are_no_pair_and_no_pair_at_all_is_a_mistake()
    {
        var other = Said(0, "a", -1, false) with { Question = "Whose book is it?" };
        Assert.Single(
            ForgetQuality.Pairs([Said(0, "a", -1, false), Said(1, "a", -1, false)], [other, Said(1, "b", -1, false)])
        );
        Assert.Throws<ArgumentException>(() => ForgetQuality.Pairs([Said(0, "a", -1, false)], [other]));
        Assert.Throws<ArgumentException>(() =>
            ForgetQuality.Pairs([Said(0, "a", -1, false)], [Said(0, "a", -1, false, "retain")])
        );
    }
}
