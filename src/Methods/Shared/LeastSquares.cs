using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// The closed forms of the locate-and-edit methods: the right factor A [F, B] of Delta W = R A^T. All in float64.
/// </summary>
/// <remarks>K [F, B] holds the keys of the edits, C [F, F] the second moment of keys.</remarks>
internal static class LeastSquares
{
    /// <summary>
    /// Where float64 linear algebra runs for tensors of a device: there, or on the processor where the device has none.
    /// </summary>
    public static Device Home(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.type is DeviceType.CPU or DeviceType.CUDA ? device : CPU;
    }

    /// <summary>The tensor in float64, at <see cref="Home"/>.</summary>
    public static Tensor Wide(Tensor t)
    {
        ArgumentNullException.ThrowIfNull(t);
        return t.detach().to(Home(t.device)).to(ScalarType.Float64);
    }

    /// <summary>(lambda C + K K^T)^-1 K by one direct solve of size F.</summary>
    /// <param name="moment">C.</param>
    /// <param name="lambda">Weight of the term that keeps W k.</param>
    /// <param name="keys">K.</param>
    public static Tensor Direct(Tensor moment, double lambda, Tensor keys)
    {
        using var scope = NewDisposeScope();
        var k = Wide(keys);
        return linalg.solve(lambda * Wide(moment) + matmul(k, k.t()), k).MoveToOuterDisposeScope();
    }

    // (L L^T)^-1 X.
    internal static Tensor SolveWith(Tensor lower, Tensor x) =>
        linalg.solve_triangular(lower.t(), linalg.solve_triangular(lower, x, upper: false), upper: true);
}

/// <summary>
/// (lambda C + K K^T)^-1 K for many K: lambda C is factored once, each K then costs two triangular solves (Woodbury).
/// </summary>
/// <remarks>Source: the Woodbury identity; docs/methods.md, "MEMIT".</remarks>
internal sealed class FactoredMoment : IDisposable
{
    private const double Ridge = 1e-10,
        MostRidge = 1e-5; // in units of the mean diagonal
    private readonly Tensor _lower;

    /// <summary>Factors lambda C.</summary>
    /// <param name="moment">C [F, F].</param>
    /// <param name="lambda">Above 0.</param>
    public FactoredMoment(Tensor moment, double lambda)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var scaled = lambda * LeastSquares.Wide(moment);
        var diagonal = scaled.diagonal().mean().ToDouble();
        for (var ridge = 0.0; ; ridge = ridge == 0 ? Ridge : 10 * ridge)
        {
            try
            {
                AddedRidge = ridge * diagonal;
                _lower = linalg
                    .cholesky(
                        ridge == 0
                            ? scaled
                            : scaled
                                + AddedRidge * eye(scaled.shape[0], dtype: ScalarType.Float64, device: scaled.device)
                    )
                    .DetachFromDisposeScope();
                return;
            }
            catch (System.Runtime.InteropServices.ExternalException) when (ridge < MostRidge)
            {
                // C comes from float32 sums: its smallest eigenvalues may have slipped below zero.
            }
        }
    }

    /// <summary>What had to be added to the diagonal of lambda C to factor it; 0 as a rule.</summary>
    public double AddedRidge { get; }

    /// <summary>A [F, B]. Of a lone edit the share s / (1 + s) is written, s = k^T (lambda C)^-1 k.</summary>
    /// <param name="keys">K [F, B].</param>
    public Tensor Solve(Tensor keys)
    {
        using var scope = NewDisposeScope();
        var k = LeastSquares.Wide(keys);
        var y = LeastSquares.SolveWith(_lower, k); // (lambda C)^-1 K [F, B]
        var small = matmul(k.t(), y); // [B, B]
        var inner = eye(k.shape[1], dtype: ScalarType.Float64, device: k.device) + (small + small.t()) / 2;
        // Y (I + K^T Y)^-1
        return LeastSquares.SolveWith(linalg.cholesky(inner), y.t()).t().contiguous().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _lower.Dispose();
}
