using EditUnlearn.Models.Kernels;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>The arithmetic of Adam, step for step that of torch, on moments that the caller holds.</summary>
/// <remarks>
/// Source: Kingma and Ba (2015), algorithm 1.
/// Each step t: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, then w moves by
/// -lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps).
/// </remarks>
public record Adam
{
    /// <summary>Decay of the first moment; torch default.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment; torch default.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the denominator; torch default.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Moves weights in place.</summary>
    /// <param name="weights">w, changed.</param>
    /// <param name="gradient">g, of the same shape.</param>
    /// <param name="moments">m and v, changed.</param>
    /// <param name="step">t, from 1.</param>
    /// <param name="rate">lr.</param>
    public void Step(Tensor weights, Tensor gradient, (Tensor First, Tensor Second) moments, long step, double rate)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(gradient);
        Tensor[] all = [weights, gradient, moments.First, moments.Second];
        if (all.All(t => Memory.Takes(t) && t.is_contiguous()))
        {
            InKernel(all, step, rate);
            return;
        }
        var denominator = Denominator(gradient, moments, step);
        weights.addcdiv_(moments.First, denominator, Scale(step, rate));
    }

    /// <summary>The same move as a tensor, for a caller that bounds it before it is made.</summary>
    /// <inheritdoc cref="Step"/>
    public Tensor Move(Tensor gradient, (Tensor First, Tensor Second) moments, long step, double rate) =>
        moments.First / Denominator(gradient, moments, step) * Scale(step, rate);

    private unsafe void InKernel(Tensor[] all, long step, double rate) =>
        Elementwise.Adam(
            Memory.Of(all[0]),
            Memory.Of(all[1]),
            Memory.Of(all[2]),
            Memory.Of(all[3]),
            all[0].numel(),
            (Beta1, Beta2),
            Math.Sqrt(1 - Math.Pow(Beta2, step)),
            Scale(step, rate),
            Epsilon
        );

    private double Scale(long step, double rate) => -rate / (1 - Math.Pow(Beta1, step));

    private Tensor Denominator(Tensor gradient, (Tensor First, Tensor Second) moments, long step)
    {
        moments.First.mul_(Beta1).add_(gradient, alpha: 1 - Beta1);
        moments.Second.mul_(Beta2).addcmul_(gradient, gradient, 1 - Beta2);
        return moments.Second.sqrt().div_(Math.Sqrt(1 - Math.Pow(Beta2, step))).add_(Epsilon);
    }
}
