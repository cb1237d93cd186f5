using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Token rows padded on the right to the longest, and where their labels are. Shapes: B rows, T width, P labels.
/// </summary>
/// <remarks>
/// With padding on the right and causal attention no real position sees padding, so losses need no mask; lengths are
/// kept for those who read padded positions. The label of position t is predicted by the logits at t - 1.
/// </remarks>
public sealed class RowBatch : IDisposable
{
    private RowBatch(
        IReadOnlyList<TokenRow> rows,
        Tensor ids,
        Tensor positions,
        Tensor targets,
        Tensor labelRows,
        int[] counts,
        bool[] isAnswer
    )
    {
        Rows = rows;
        Ids = ids;
        LabelPositions = positions;
        LabelTargets = targets;
        LabelRows = labelRows;
        LabelCounts = counts;
        IsAnswer = isAnswer;
        LabelDivisor = isAnswer.Length;
        RowDivisor = rows.Count;
    }

    /// <summary>The rows, in batch order.</summary>
    public IReadOnlyList<TokenRow> Rows { get; }

    /// <summary>Token ids [B, T], padded with 0.</summary>
    public Tensor Ids { get; }

    /// <summary>Index of the predicting position of each label in the flattened [B * T] positions [P].</summary>
    public Tensor LabelPositions { get; }

    /// <summary>The token id of each label [P].</summary>
    public Tensor LabelTargets { get; }

    /// <summary>The row of each label [P].</summary>
    public Tensor LabelRows { get; }

    /// <summary>Labels of each row [B].</summary>
    public IReadOnlyList<int> LabelCounts { get; }

    /// <summary>Whether each label belongs to the answer; false only for prompt labels [P].</summary>
    public IReadOnlyList<bool> IsAnswer { get; }

    /// <summary>T.</summary>
    public int Width => (int)Ids.shape[1];

    /// <summary>Real tokens in the batch, padding left out.</summary>
    public int TokenCount => Rows.Sum(r => r.Ids.Count);

    /// <summary>
    /// What a token mean divides by: the labels of the batch, unless accumulation is to be exact over a larger step.
    /// </summary>
    public double LabelDivisor { get; init; }

    /// <summary>
    /// What a mean over rows divides by: the rows of the batch, unless accumulation is to be exact over a larger step.
    /// </summary>
    public double RowDivisor { get; init; }

    /// <summary>
    /// What a mean over tokens divides by: the tokens of the batch without each row's last, unless accumulation is to
    /// be exact over a larger step.
    /// </summary>
    public double PositionDivisor { get; init; }

    /// <summary>Pads and indexes rows.</summary>
    /// <param name="rows">At least one; each with at least one label that has a predecessor.</param>
    /// <param name="device">Where the tensors go.</param>
    /// <param name="promptLabels">Also label the prompt from its second token on, as pretraining does.</param>
    /// <param name="labelDivisor">See <see cref="LabelDivisor"/>; null for the labels of this batch.</param>
    /// <param name="rowDivisor">See <see cref="RowDivisor"/>; null for the rows of this batch.</param>
    /// <param name="positionDivisor">See <see cref="PositionDivisor"/>; null for the tokens of this batch.</param>
    /// <exception cref="ArgumentException">A row is empty, has no label, or labels its first token.</exception>
    public static RowBatch Of(
        IReadOnlyList<TokenRow> rows,
        Device? device = null,
        bool promptLabels = false,
        double? labelDivisor = null,
        double? rowDivisor = null,
        double? positionDivisor = null
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            throw new ArgumentException("A batch needs a row.", nameof(rows));
        var width = rows.Max(r => r.Ids.Count);
        var ids = new long[rows.Count, width];
        var positions = new List<long>();
        var targets = new List<long>();
        var labelRows = new List<long>();
        var isAnswer = new List<bool>();
        var counts = new int[rows.Count];
        for (var b = 0; b < rows.Count; b++)
        {
            var row = rows[b];
            if (row.LabelStart < 1 || row.LabelCount < 1)
                throw new ArgumentException(
                    $"Row {b} has {row.Ids.Count} token(s) and labels from {row.LabelStart}: a label needs a token "
                        + "before it.",
                    nameof(rows)
                );
            for (var t = 0; t < row.Ids.Count; t++)
                ids[b, t] = row.Ids[t];
            for (var t = promptLabels ? 1 : row.LabelStart; t < row.Ids.Count; t++)
            {
                positions.Add((long)b * width + t - 1);
                targets.Add(row.Ids[t]);
                labelRows.Add(b);
                isAnswer.Add(t >= row.LabelStart);
                counts[b]++;
            }
        }
        return new RowBatch(
            rows,
            Kept(tensor(ids, device: device)),
            Kept(tensor(positions, device: device)),
            Kept(tensor(targets, device: device)),
            Kept(tensor(labelRows, device: device)),
            counts,
            [.. isAnswer]
        )
        {
            LabelDivisor = labelDivisor ?? positions.Count,
            RowDivisor = rowDivisor ?? rows.Count,
            PositionDivisor = positionDivisor ?? rows.Sum(r => r.LengthWithoutEnd),
        };
    }

    private static Tensor Kept(Tensor t) => t.DetachFromDisposeScope();

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        LabelPositions.Dispose();
        LabelTargets.Dispose();
        LabelRows.Dispose();
    }
}
