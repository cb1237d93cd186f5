using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// What a sampler leaves of a distribution: temperature, then the k largest, then the smallest set that holds a share
/// of the probability.
/// </summary>
/// <remarks>
/// Inferred from the paper's numbers (docs/metrics.md, "MRR and Hit-Rate"): its ranks are taken after this filter for
/// the Llama families, because their chat checkpoints ship it as a default. Everything cut off has probability zero,
/// and zeros are ranked by id.
/// </remarks>
/// <param name="Temperature">Divides the logits.</param>
/// <param name="TopK">Largest logits kept.</param>
/// <param name="TopP">Probability the kept set must reach; at least one token stays.</param>
public sealed record SamplingFilter(double Temperature, int TopK, double TopP)
{
    /// <summary>The defaults shipped with the Llama chat checkpoints.</summary>
    public static SamplingFilter LlamaDefaults { get; } = new(0.6, 50, 0.9);

    /// <summary>The filter of a family's checkpoints; null where they ship none.</summary>
    public static SamplingFilter? Of(string family) => family is "llama2" or "llama31" ? LlamaDefaults : null;

    /// <summary>
    /// The token at one place of what the filter leaves, the likeliest first; equal ones by id. Of logits that are no
    /// numbers the first: whoever computes a loss of them finds that out.
    /// </summary>
    /// <param name="logits">[V].</param>
    /// <param name="draw">From 0 to below 1.</param>
    public int Pick(IReadOnlyList<float> logits, double draw)
    {
        ArgumentNullException.ThrowIfNull(logits);
        var order = Enumerable.Range(0, logits.Count).OrderByDescending(i => logits[i]).Take(TopK).ToList();
        var weights = order.Select(i => Math.Exp((logits[i] - logits[order[0]]) / Temperature)).ToList();
        var all = weights.Sum();
        var before = 0.0;
        var kept = weights.TakeWhile(w => (before += w) - w < TopP * all).ToList();
        var left = draw * kept.Sum();
        for (var i = 0; i < kept.Count; i++)
            if ((left -= kept[i]) < 0)
                return order[i];
        return order[Math.Max(0, kept.Count - 1)];
    }

    /// <summary>Ranks after the filter [P].</summary>
    /// <param name="logits">[P, V].</param>
    /// <param name="targets">[P].</param>
    /// <param name="ranks">Ranks before it [P].</param>
    public Tensor Ranks(Tensor logits, Tensor targets, Tensor ranks)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(ranks);
        using var scope = NewDisposeScope();
        var (top, ids) = logits.topk((int)Math.Min(TopK, logits.shape[1]), 1); // [P, k], falling
        var p = nn.functional.softmax(top / Temperature, 1);
        // A token stays while those before it have not reached the share.
        var kept = (p.cumsum(1) - p) < TopP;
        var count = kept.sum(1);
        var column = targets.unsqueeze(1);
        var isKept = (ids == column).logical_and(kept).any(1);
        var keptBelow = (ids < column).logical_and(kept).sum(1);
        var cutOff = count + 1 + targets - keptBelow;
        var filtered = where(isKept, ranks, cutOff);
        var broken = logits.isnan().any(1);
        return where(broken, ranks, filtered).MoveToOuterDisposeScope();
    }
}
