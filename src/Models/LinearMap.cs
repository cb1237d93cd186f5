using EditUnlearn.Models.Kernels;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// A linear map outside a model's own blocks, by the same products as those inside: the same weights give the same bits
/// in both places.
/// </summary>
public static class LinearMap
{
    /// <summary>y = W x [.., out]; no gradient is tracked through it where the kernels take it.</summary>
    /// <param name="x">[.., in].</param>
    /// <param name="weight">W [out, in].</param>
    public static Tensor Of(Tensor x, Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        return Linear.Plain(x, weight.to(x.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>The gradient of W [out, in], float32.</summary>
    /// <param name="dy">Gradient of y [.., out].</param>
    /// <param name="x">[.., in].</param>
    public static Tensor WeightGradient(Tensor dy, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(dy);
        ArgumentNullException.ThrowIfNull(x);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var (g, from) = (dy.reshape(-1, dy.shape[^1]), x.reshape(-1, x.shape[^1]));
        var gradient =
            Memory.Takes(g) && Memory.Takes(from)
                ? Linear.WeightGradient(g.contiguous(), from.contiguous())
                : matmul(g.t(), from).to(ScalarType.Float32);
        return gradient.MoveToOuterDisposeScope();
    }
}
