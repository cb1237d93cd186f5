using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Training;

public class LabelLossTests
{
    private static readonly TokenRow Short = new([1, 5, 7], 2);
    private static readonly TokenRow Long = new([1, 5, 6, 7, 2], 2);

    [Fact]
    public void Labels_are_predicted_one_position_earlier_and_never_lie_on_prompt_or_padding()
    {
        using var batch = RowBatch.Of([Short, Long]);
        Assert.Equal([2L, 5], batch.Ids.shape);
        Assert.Equal([1L, 6, 7, 8], batch.LabelPositions.data<long>().ToArray());
        Assert.Equal([7L, 6, 7, 2], batch.LabelTargets.data<long>().ToArray());
        Assert.Equal([0L, 1, 1, 1], batch.LabelRows.data<long>().ToArray());
        Assert.Equal([1, 3], batch.LabelCounts);
    }

    [Fact]
    public void Prompt_labels_come_in_on_request_and_are_told_apart()
    {
        using var batch = RowBatch.Of([Short], promptLabels: true);
        Assert.Equal([5L, 7], batch.LabelTargets.data<long>().ToArray());
        Assert.Equal([false, true], batch.IsAnswer);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void A_row_without_a_predictable_label_is_refused(int labelStart) =>
        Assert.Throws<ArgumentException>(() => RowBatch.Of([new TokenRow([1, 5, 7], labelStart)]));

    [Fact]
    public void Token_mean_weighs_labels_and_sample_mean_weighs_rows()
    {
        using var scope = NewDisposeScope();
        using var batch = RowBatch.Of([Short, Long]);
        var nll = tensor(new[] { 1.0, 2, 3, 7 });
        Assert.Equal(13.0 / 4, LabelLosses.Mean(nll, batch, LossNormalisation.TokenMean).ToDouble(), 12);
        Assert.Equal((1 + 12.0 / 3) / 2, LabelLosses.Mean(nll, batch, LossNormalisation.SampleMean).ToDouble(), 12);
        Assert.Equal([1.0, 12], LabelLosses.RowSums(nll, batch).data<double>().ToArray());
    }

    [Fact]
    public void Both_means_agree_on_rows_of_equal_length()
    {
        using var scope = NewDisposeScope();
        using var batch = RowBatch.Of([Long, Long with { LabelStart = 2 }]);
        var nll = tensor(new[] { 1.0, 2, 4, 8, 16, 32 });
        Assert.Equal(
            LabelLosses.Mean(nll, batch, LossNormalisation.TokenMean).ToDouble(),
            LabelLosses.Mean(nll, batch, LossNormalisation.SampleMean).ToDouble(),
            12
        );
    }

    [Fact]
    public void Nll_is_minus_the_log_softmax_at_the_label()
    {
        using var scope = NewDisposeScope();
        var nll = LabelLosses.Nll(
            tensor(
                new double[,]
                {
                    { 0, Math.Log(3) },
                }
            ),
            tensor(new long[] { 1 })
        );
        Assert.Equal(-Math.Log(0.75), nll.ToDouble(), 12);
    }

    [Fact]
    public void Half_precision_logits_are_widened_before_the_softmax()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(ScalarType.Float32, LabelLosses.Nll(zeros(1, 4, dtype: bfloat16), zeros(1, dtype: int64)).dtype);
    }

    [Fact]
    public void Kl_of_two_coins_matches_the_hand_computed_value()
    {
        using var scope = NewDisposeScope();
        var reference = tensor(
            new[,]
            {
                { Math.Log(0.75), Math.Log(0.25) },
            }
        );
        var kl = LabelLosses.KullbackLeibler(reference, zeros(1, 2, dtype: float64)).ToDouble();
        Assert.Equal(0.75 * Math.Log(1.5) + 0.25 * Math.Log(0.5), kl, 12);
    }

    [Fact]
    public void Kl_is_not_negative_ignores_a_constant_in_the_logits_and_vanishes_with_its_gradient_at_the_reference()
    {
        using var scope = NewDisposeScope();
        var logits = sin(arange(40, dtype: float64)).view(4, 10);
        var other = LabelLosses.LogProbabilities(cos(arange(40, dtype: float64)).view(4, 10));
        Assert.True(LabelLosses.KullbackLeibler(other, logits).min().ToDouble() > 0);
        var shifted = LabelLosses.KullbackLeibler(other, logits + 100);
        Assert.True((shifted - LabelLosses.KullbackLeibler(other, logits)).abs().max().ToDouble() < 1e-12);

        var same = LabelLosses.LogProbabilities(logits);
        var leaf = logits.clone().requires_grad_();
        var kl = LabelLosses.KullbackLeibler(same, leaf).sum();
        kl.backward();
        Assert.True(Math.Abs(kl.ToDouble()) < 1e-9);
        Assert.True(leaf.grad!.abs().max().ToDouble() < 1e-12);
    }

    [Theory]
    [InlineData(0, 0.693147)]
    [InlineData(1, 0.313262)]
    [InlineData(-1, 1.313262)]
    [InlineData(1000, 0)]
    [InlineData(-1000, 1000)]
    public void Negative_log_sigmoid_neither_overflows_nor_loses_digits(double x, double expected)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(expected, LabelLosses.NegativeLogSigmoid(tensor((float)x)).ToSingle(), 1e-6);
    }
}
