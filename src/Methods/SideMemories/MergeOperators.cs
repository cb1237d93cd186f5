using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.SideMemories;

/// <summary>How several memories become one.</summary>
internal enum MergeOperator
{
    /// <summary>
    /// Keep the largest changes, elect a sign for each entry, average those that agree. Source: Yadav et al. (2023).
    /// </summary>
    Ties,

    /// <summary>Keep the largest changes and add them up, weighted.</summary>
    Magnitude,

    /// <summary>Keep the largest changes and average them.</summary>
    MagnitudeNorm,

    /// <summary>Elect a sign over all changes and average those that agree.</summary>
    Sign,

    /// <summary>A straight line between the memories: their mean.</summary>
    Linear,

    /// <summary>
    /// Along the great circle between them, as if each matrix were one long vector. Source: Shoemake (1985).
    /// </summary>
    Slerp,
}

/// <summary>
/// Merges matrices that started from a common one. Source: Yadav et al. (2023), "TIES-Merging", and the reference's
/// operators, whose values lie in tests/Fixtures/goldens/edit/wise.
/// </summary>
/// <remarks>
/// tau_i = t_i - base; omega_i weights. Among equally large |tau| any may be kept; here the ones topk returns.
/// </remarks>
internal static class MergeOperators
{
    private const double AlmostParallel = 0.9995;

    /// <summary>The merged matrix.</summary>
    /// <param name="with">The operator.</param>
    /// <param name="origin">The common start [D, F].</param>
    /// <param name="tensors">At least one [D, F].</param>
    /// <param name="weights">omega, one for each; <see cref="MergeOperator.Linear"/> and
    /// <see cref="MergeOperator.Slerp"/> weigh all alike.</param>
    /// <param name="density">Share of entries that survive where the largest are kept.</param>
    public static Tensor Merge(
        MergeOperator with,
        Tensor origin,
        IReadOnlyList<Tensor> tensors,
        IReadOnlyList<double> weights,
        double density
    )
    {
        ArgumentNullException.ThrowIfNull(origin);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(weights);
        if (tensors.Count == 0 || tensors.Count != weights.Count)
            throw new ArgumentException(
                $"There are {weights.Count} weights for {tensors.Count} memories.",
                nameof(weights)
            );
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        if (with is MergeOperator.Linear or MergeOperator.Slerp)
        {
            // One after another, so that in the end each has the same share.
            var merged = tensors[0].clone();
            for (var i = 1; i < tensors.Count; i++)
                merged =
                    with == MergeOperator.Linear
                        ? Linear(merged, tensors[i], 1.0 / (i + 1))
                        : Slerp(merged, tensors[i], 1.0 / (i + 1));
            return merged.MoveToOuterDisposeScope();
        }
        var omega = tensor(weights.Select(w => (float)w).ToArray(), device: origin.device).view(-1, 1, 1);
        var tau = stack(
            tensors.Select(t => with == MergeOperator.Sign ? t - origin : Largest(t - origin, density)).ToArray()
        ); // [n, D, F]
        var weighted = omega * tau;
        var (sum, divisor) = (weighted.sum([0L]), omega.sum([0L]));
        if (with is MergeOperator.Ties or MergeOperator.Sign)
        {
            var elected = where(sum >= 0, 1f, -1f);
            // an entry without change agrees with neither sign
            var agrees = (weighted.sign() == elected.unsqueeze(0)).to(ScalarType.Float32);
            (sum, divisor) = ((weighted * agrees).sum([0L]), (omega * agrees).sum([0L]));
            divisor = where(divisor == 0, ones_like(divisor), divisor);
        }
        return (origin + (with == MergeOperator.Magnitude ? sum : sum / divisor)).MoveToOuterDisposeScope();
    }

    /// <summary>(1 - t) a + t b.</summary>
    public static Tensor Linear(Tensor a, Tensor b, double t) => (1 - t) * a + t * b;

    /// <summary>
    /// From a towards b by the share t of the angle between them; straight where they are almost parallel.
    /// </summary>
    public static Tensor Slerp(Tensor a, Tensor b, double t)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        using var scope = NewDisposeScope();
        var cosine = ((a / a.norm()) * (b / b.norm())).sum().ToDouble();
        if (!(Math.Abs(cosine) <= AlmostParallel))
            return Linear(a, b, t).MoveToOuterDisposeScope();
        var angle = Math.Acos(cosine);
        return (
            Math.Sin((1 - t) * angle) / Math.Sin(angle) * a + Math.Sin(t * angle) / Math.Sin(angle) * b
        ).MoveToOuterDisposeScope();
    }

    private static Tensor Largest(Tensor tau, double density)
    {
        using var scope = NewDisposeScope();
        var count = (int)(density * tau.numel());
        var flat = tau.reshape(-1);
        var (_, kept) = flat.abs().topk(count);
        return zeros_like(flat)
            .index_copy_(0, kept, flat.index_select(0, kept))
            .view(tau.shape)
            .MoveToOuterDisposeScope();
    }
}
