using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Gradient;

/// <summary>At which positions a model is compared with its reference.</summary>
public enum KlPositions
{
    /// <summary>Every position that predicts a token of the row, prompt, answer and EOS: a mean per row.</summary>
    AllRealTokens,

    /// <summary>The same but for the position that predicts EOS: a mean per row.</summary>
    WithoutEnd,

    /// <summary>
    /// Eq. 6 to the letter: the sum over the tokens i = 2..|s| of a row without its EOS, divided by |s| and not by
    /// their number.
    /// </summary>
    Equation6,

    /// <summary>The positions that predict the answer and EOS, a mean per row.</summary>
    AnswerOnly,

    /// <summary>
    /// Every position of the padded tensor, padding and each row's last one included, divided by all of them: what
    /// PISTOL's and TOFU's code computes.
    /// </summary>
    PaddedCompat,
}

/// <summary>Which positions count, and how long rows are padded.</summary>
/// <param name="Positions">Which.</param>
/// <param name="PaddedLength">Tokens of a padded row under <see cref="KlPositions.PaddedCompat"/>; null for the longest
/// row of the batch.</param>
/// <param name="PadId">Token that fills a row; EOS in every published trainer.</param>
public sealed record KlRule(KlPositions Positions, int? PaddedLength, int PadId)
{
    /// <summary>T of a batch of rows.</summary>
    /// <exception cref="ArgumentException">A row is longer than the padded length.</exception>
    public int Width(IReadOnlyList<TokenRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var longest = rows.Max(r => r.Ids.Count);
        if (Positions != KlPositions.PaddedCompat || PaddedLength is not { } length)
            return longest;
        return length >= longest
            ? length
            : throw new ArgumentException(
                $"A row has {longest} tokens, but kl.paddedLength is {length}.",
                nameof(rows)
            );
    }

    /// <summary>Counted positions of rows laid out at that width.</summary>
    public long Count(IEnumerable<TokenRow> rows, int width) => rows.Sum(r => (long)Of(r, width).Count());

    /// <summary>The counted positions of one row in a tensor of that width, in order.</summary>
    public IEnumerable<int> Of(TokenRow row, int width)
    {
        ArgumentNullException.ThrowIfNull(row);
        return Positions switch
        {
            KlPositions.AllRealTokens => Enumerable.Range(0, row.Ids.Count - 1),
            KlPositions.WithoutEnd or KlPositions.Equation6 => Enumerable.Range(0, row.LengthWithoutEnd - 1),
            KlPositions.AnswerOnly => Enumerable.Range(row.LabelStart - 1, row.LabelCount),
            KlPositions.PaddedCompat => Enumerable.Range(0, width),
            _ => throw new InvalidOperationException($"Unknown positions {Positions}."),
        };
    }
}

/// <summary>Rows laid out for a comparison. Shapes: B rows, T width, P counted positions.</summary>
internal sealed class ReferencePositions : IDisposable
{
    private ReferencePositions(Tensor ids, Tensor? mask, Tensor positions, Tensor weights) =>
        (Ids, AttentionMask, Positions, Weights) = (ids, mask, positions, weights);

    /// <summary>[B, T].</summary>
    public Tensor Ids { get; }

    /// <summary>[B, T], only where padded positions are read.</summary>
    public Tensor? AttentionMask { get; }

    /// <summary>Indices into the flattened [B * T] positions [P].</summary>
    public Tensor Positions { get; }

    /// <summary>What each position's divergence is multiplied with before the sum [P].</summary>
    public Tensor Weights { get; }

    public static ReferencePositions Of(
        IReadOnlyList<TokenRow> rows,
        KlRule rule,
        double rowDivisor,
        Device device,
        int? width = null
    )
    {
        var length = width ?? rule.Width(rows);
        var padded = rule.Positions == KlPositions.PaddedCompat;
        var ids = new long[rows.Count, length];
        var mask = new long[rows.Count, length];
        var positions = new List<long>();
        var weights = new List<float>();
        for (var b = 0; b < rows.Count; b++)
        {
            var row = rows[b];
            for (var t = 0; t < length; t++)
                ids[b, t] = t < row.Ids.Count ? row.Ids[t] : rule.PadId;
            // The published trainers leave EOS, which is also their padding, out of the attention mask; a row that was
            // cut has none.
            for (var t = 0; t < (row.Ids[^1] == rule.PadId ? row.LengthWithoutEnd : row.Ids.Count); t++)
                mask[b, t] = 1;
            var counted = rule.Of(row, length).ToList();
            var divisor = rule.Positions == KlPositions.Equation6 ? row.LengthWithoutEnd : counted.Count;
            foreach (var t in counted)
            {
                positions.Add((long)b * length + t);
                weights.Add((float)(1 / (divisor * rowDivisor)));
            }
        }
        return new ReferencePositions(
            Kept(tensor(ids, device: device)),
            padded ? Kept(tensor(mask, device: device)) : null,
            Kept(tensor(positions, device: device)),
            Kept(tensor(weights, device: device))
        );
    }

    private static Tensor Kept(Tensor t) => t.DetachFromDisposeScope();

    public void Dispose()
    {
        Ids.Dispose();
        AttentionMask?.Dispose();
        Positions.Dispose();
        Weights.Dispose();
    }
}
