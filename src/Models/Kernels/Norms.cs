using static TorchSharp.torch;

namespace EditUnlearn.Models.Kernels;

/// <summary>Root-mean-square norms of rows, and their gradients.</summary>
internal static unsafe class Norms
{
    /// <summary>The norm [.., D] and the factor of each row; both owned by the current scope.</summary>
    public static (Tensor Normed, Tensor Factors) Of(Tensor x, Tensor gain, double eps)
    {
        var (width, rows) = ((int)x.size(-1), x.numel() / x.size(-1));
        var (y, factors) = (Memory.New(x.shape), Memory.New(rows));
        Elementwise.Norm(Memory.Of(x), Memory.Of(gain), Memory.Of(y), Memory.Of(factors), rows, width, (float)eps);
        return (y, factors);
    }

    /// <summary>Adds to the gradient of x, and to that of the gain where it moves.</summary>
    public static void Back(Tensor x, Tensor gain, Tensor factors, Tensor dy, Tensor dx) =>
        Elementwise.NormBack(
            Memory.Of(x),
            Memory.Of(gain),
            Memory.Of(factors),
            Memory.Of(dy),
            Memory.Of(dx),
            (float*)Linear.GradientOf(gain),
            x.numel() / x.size(-1),
            (int)x.size(-1)
        );
}
