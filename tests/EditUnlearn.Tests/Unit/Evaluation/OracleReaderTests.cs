using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Oracle;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Evaluation;

/// <summary>Two models read side by side, with and without a tap.</summary>
public sealed class OracleReaderTests : IDisposable
{
    private static readonly AnswerCollector.Asked[] Questions =
    [
        .. Enumerable
            .Range(0, 9)
            .Select(i => new AnswerCollector.Asked(
                i < 4 ? "forget" : "retain",
                $"x/{i}",
                $"Who wrote 'Book {new string((char)('A' + i), 1 + i % 3)}'?",
                i % 2 == 0 ? "Nobody" : "Somebody else"
            )),
    ];

    private static readonly JsonTokenizer Words = BpeTrainer.Train(Questions.Select(q => q.Question + q.Answer), 280);

    private static readonly Dictionary<string, IReadOnlyList<string>> Wrong = Questions
        .Where((_, i) => i != 2)
        .ToDictionary(q => q.Id, q => (IReadOnlyList<string>)["Anybody", q.Answer], StringComparer.Ordinal);

    private readonly Checkpoint _one = Model(1),
        _other = Model(2);

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
    }

    private static Checkpoint Model(ulong seed) => new(TinyModels.Lively(seed, words: 280), Words);

    private static IReadOnlyList<AnswerRow> Answers(Checkpoint model, ForwardTap? tap = null) =>
        AnswerCollector.Collect(model, Questions, ("m", "s", "ga"), 6, 4, tap);

    private static IReadOnlyList<ForgetQualityRow> Compare(Checkpoint ours, Checkpoint oracle, ForwardTap? tap = null)
    {
        var pairs = ForgetQuality.Pairs(Answers(ours, tap), Answers(oracle));
        var read = OracleReader.Read(new(ours, tap), new(oracle), pairs, Wrong);
        return [.. pairs.Zip(read, ForgetQuality.Row)];
    }

    // Moves the stream behind one block.
    private sealed class Push(double by) : ForwardTap
    {
        public override int? BatchRows => 3;

        public override Tensor ResidPost(int layer, Tensor h) => layer == 1 ? h * by : h;
    }

    [Fact]
    public void A_model_beside_itself_is_perfect_and_beside_another_is_not()
    {
        var same = ForgetQuality.Means(Compare(_one, _one));
        Assert.Equal(["forget", "retain"], same.Select(m => m.Split));
        Assert.All(same, m => Assert.Equal((1.0, 1.0, 1.0), (m.Same, m.F1, m.ProbabilityP!.Value)));
        Assert.All(same, m => Assert.Equal((0.0, 0.0, 0.0), (m.KlTruth!.Value, m.JsTruth!.Value, m.KlOracle!.Value)));
        Assert.All(same, m => Assert.Equal(1, m.TruthRatioP));
        Assert.Equal([3, 5], same.Select(m => m.TruthRatios));
        var apart = ForgetQuality.Means(Compare(_one, _other));
        Assert.All(apart, m => Assert.InRange(m.JsTruth!.Value, 0.01, 1));
        Assert.All(apart, m => Assert.True(m is { KlTruth: > 0.01, KlOracle: > 0.01, Same: < 1 }));
    }

    [Fact]
    public void A_tap_counts_in_every_number()
    {
        var still = Compare(_one, _one, new Push(1));
        var moved = Compare(_one, _one, new Push(-3));
        Assert.All(still, r => Assert.InRange(r.KlTruth!.Value, 0, 1e-6));
        Assert.All(moved, r => Assert.True(r.KlTruth > 1e-3 && r.KlOracle > 1e-3));
        Assert.All(moved, r => Assert.NotEqual(r.LogProbability!.Value, r.OracleLogProbability!.Value, 1e-4));
        Assert.All(
            moved.Where(r => r.Id != "x/2"),
            r => Assert.NotEqual(r.TruthRatio!.Value, r.OracleTruthRatio!.Value)
        );
        // The second wrong answer is the true one: what stands in the ratio is what stands in the evidence.
        Assert.All(
            Compare(_one, _other).Where(r => r.Id != "x/2"),
            r => Assert.True(r.TruthRatio > 0.5 && r.OracleTruthRatio > 0.5)
        );
    }

    [Fact]
    public void Distributions_are_those_of_which_the_probe_reads_single_tokens_in_batches_of_any_size()
    {
        List<TokenRow> rows = [.. Questions.Select(q => _one.Row(q.Question, q.Answer))];
        List<LogitProbe.Row> asked =
        [
            .. rows.Select(r => new LogitProbe.Row(r.Ids, r.LabelStart, [.. LogitProbe.Labels(r)])),
            new LogitProbe.Row([1, 5, 9], 3, []),
        ];
        var all = LogitProbe.Distributions(_one.Model, asked);
        var single = LogitProbe.Distributions(_one.Model, asked, batchRows: 1);
        var read = LogitProbe.Read(_one.Model, asked);
        Assert.Empty(all[^1]);
        for (var i = 0; i < rows.Count; i++)
        {
            Assert.Equal(rows[i].LabelCount, all[i].Count);
            for (var t = 0; t < all[i].Count; t++)
            {
                Assert.Equal(280, all[i][t].Length);
                Assert.Equal(1, all[i][t].Sum(v => Math.Exp(v)), 5);
                Assert.Equal(read[i][t].LogProbability, all[i][t][rows[i].Ids[rows[i].LabelStart + t]], 4);
                for (var v = 0; v < 280; v++)
                    Assert.Equal(all[i][t][v], single[i][t][v], 1e-4f);
            }
        }
    }

    [Fact]
    public void Models_that_cut_texts_differently_cannot_be_compared()
    {
        var pairs = ForgetQuality.Pairs(Answers(_one), Answers(_other));
        using var foreign = new Checkpoint(
            TinyModels.Lively(3, words: 280),
            BpeTrainer.Train(["entirely different words, different letters"], 280)
        );
        Assert.Throws<ArgumentException>(() => OracleReader.Read(new(_one), new(foreign), pairs, Wrong));
    }
}
