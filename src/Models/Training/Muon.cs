using EditUnlearn.Models.Kernels;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Momentum whose matrices are made nearly orthogonal before they are applied: all directions of a weight learn at one
/// rate, the rare ones too.
/// </summary>
/// <remarks>
/// Source: Jordan et al. (2024), Muon; the size of a step, which lets it share AdamW's rate and decay, is that of Liu
/// et al. (2025), equation 4. Used for pretraining miniatures, which learn their facts in fewer updates than with AdamW
/// (docs/performance.md); embeddings, output maps, gains and biases stay with AdamW.
/// </remarks>
internal static class Muon
{
    private const double Momentum = 0.95,
        Size = 0.2; // root mean square of AdamW's usual steps
    private const int Iterations = 5;

    // Of the quintic that pushes singular values towards 1.
    private const float A = 3.4445f,
        B = -4.7750f,
        C = 2.0315f;

    /// <summary>Whether a weight of that name and shape is stepped so.</summary>
    public static bool Takes(FlatParameters.Slot slot) =>
        slot.Shape.Length == 2 && slot.Name is not (TensorNames.Embedding or TensorNames.LmHead);

    /// <summary>One step of one weight.</summary>
    /// <param name="weight">[out, in], changed; all are contiguous float32 on the processor.</param>
    /// <param name="gradient">Its gradient.</param>
    /// <param name="momentum">Changed.</param>
    /// <param name="rate">Of this step.</param>
    /// <param name="decay">Decoupled weight decay per unit of rate.</param>
    public static void Step(Tensor weight, Tensor gradient, Tensor momentum, double rate, double decay)
    {
        using var scope = NewDisposeScope();
        momentum.mul_(Momentum).add_(gradient);
        var direction = Orthogonal(gradient + momentum * Momentum); // Nesterov
        weight.mul_(1 - rate * decay).add_(direction, alpha: -rate * Size * Math.Sqrt(weight.shape.Max()));
    }

    /// <summary>A matrix with the singular vectors of another and singular values near 1 [m, n].</summary>
    /// <remarks>Five steps of the quintic Newton-Schulz iteration.</remarks>
    public static Tensor Orthogonal(Tensor g)
    {
        using var scope = NewDisposeScope();
        var turned = g.size(0) > g.size(1);
        var x = (turned ? g.t() : g).contiguous();
        x = x / (x.norm() + 1e-7);
        for (var i = 0; i < Iterations; i++)
        {
            var gram = Product(x, x, turned: true); // [m, m]
            var inner = gram * B + Product(gram, gram) * C;
            x = x * A + Product(inner, x);
        }
        return (turned ? x.t().contiguous() : x).MoveToOuterDisposeScope();
    }

    // a b, or a b^T.
    private static Tensor Product(Tensor a, Tensor b, bool turned = false)
    {
        long rows = a.size(0),
            inner = a.size(1),
            columns = turned ? b.size(0) : b.size(1);
        var c = Memory.New(rows, columns);
        var right = Memory.Rows(b, b.size(1));
        MatrixProduct.Compute(
            rows,
            columns,
            inner,
            Memory.Rows(a, inner),
            turned ? right.Transposed : right,
            Memory.Rows(c, columns)
        );
        return c;
    }
}
