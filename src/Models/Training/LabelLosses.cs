using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Losses over label positions: P labels of B rows, V words. Every one is computed in float32 or wider.
/// </summary>
public static class LabelLosses
{
    /// <summary>Negative natural log-probability of each label [P].</summary>
    /// <param name="logits">Logits at the predicting positions [P, V].</param>
    /// <param name="targets">The labels [P].</param>
    public static Tensor Nll(Tensor logits, Tensor targets) =>
        nn.functional.cross_entropy(AtLeastFloat32(logits), targets, reduction: nn.Reduction.None);

    /// <summary>The loss of a batch as one number, -L of the method files being its ascent.</summary>
    /// <param name="nll">From <see cref="Nll"/> [P].</param>
    /// <param name="batch">The rows the labels belong to.</param>
    /// <param name="normalisation">How labels and rows are weighed.</param>
    public static Tensor Mean(Tensor nll, RowBatch batch, LossNormalisation normalisation)
    {
        ArgumentNullException.ThrowIfNull(nll);
        ArgumentNullException.ThrowIfNull(batch);
        switch (normalisation)
        {
            case LossNormalisation.TokenMean:
                return nll.sum() / batch.LabelDivisor;
            case LossNormalisation.SampleMean:
                using (
                    var counts = tensor(
                        batch.LabelCounts.Select(c => (double)c).ToArray(),
                        dtype: nll.dtype,
                        device: nll.device
                    )
                )
                    return (RowSums(nll, batch) / counts).sum() / batch.RowDivisor;
            default:
                throw new ArgumentOutOfRangeException(nameof(normalisation), normalisation, null);
        }
    }

    /// <summary>
    /// The summed negative log-probability of each row [B]; its negative is log pi(answer | question).
    /// </summary>
    public static Tensor RowSums(Tensor nll, RowBatch batch)
    {
        ArgumentNullException.ThrowIfNull(nll);
        ArgumentNullException.ThrowIfNull(batch);
        return zeros(batch.Rows.Count, dtype: nll.dtype, device: nll.device).index_add(0, batch.LabelRows, nll, 1);
    }

    /// <summary>
    /// KL(p_reference || p) of each position [P] from log-probabilities of the reference and logits of the model [P,
    /// V].
    /// </summary>
    /// <remarks>
    /// Forward direction, sum over the vocabulary of p_ref (log p_ref - log p); the gradient flows through p only.
    /// </remarks>
    public static Tensor KullbackLeibler(Tensor referenceLogProbabilities, Tensor logits)
    {
        ArgumentNullException.ThrowIfNull(referenceLogProbabilities);
        // The scope lets go of what backward does not need: several times [P, V] otherwise.
        using var scope = NewDisposeScope();
        var reference = AtLeastFloat32(referenceLogProbabilities);
        var current = LogProbabilities(logits);
        return (reference.exp() * (reference - current)).sum(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Natural log-probabilities [.., V].</summary>
    public static Tensor LogProbabilities(Tensor logits) => nn.functional.log_softmax(AtLeastFloat32(logits), -1);

    /// <summary>-log sigmoid(x), without overflow at either end.</summary>
    public static Tensor NegativeLogSigmoid(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return -nn.functional.logsigmoid(x);
    }

    private static Tensor AtLeastFloat32(Tensor t)
    {
        ArgumentNullException.ThrowIfNull(t);
        return t.dtype is ScalarType.Float32 or ScalarType.Float64 ? t : t.to(ScalarType.Float32);
    }
}

/// <summary>How the labels of a batch are averaged.</summary>
public enum LossNormalisation
{
    /// <summary>One mean over all labels: what the reference trainers compute.</summary>
    TokenMean,

    /// <summary>A mean per row, then over rows: what the study's equations 4 to 7 say.</summary>
    SampleMean,
}
