using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Support;

/// <summary>Comparisons of tensors that say what differs.</summary>
public static class Tensors
{
    /// <summary>
    /// Fails unless the L2 distance is at most <paramref name="bound"/> times the L2 norm of
    /// <paramref name="expected"/>.
    /// </summary>
    public static void Near(Tensor expected, Tensor actual, double bound, string what)
    {
        Assert.Equal(expected.shape, actual.shape);
        using var scope = NewDisposeScope();
        var (e, a) = (expected.to(ScalarType.Float64), actual.detach().cpu().to(ScalarType.Float64));
        var norm = e.norm().ToDouble();
        var distance = (e - a).norm().ToDouble();
        Assert.True(
            distance <= bound * Math.Max(norm, 1e-30),
            string.Create(
                CultureInfo.InvariantCulture,
                $"{what}: relative distance {distance / norm:0.0e0}, allowed {bound:0.0e0}"
            )
        );
    }

    /// <summary>Whether both hold the same bits.</summary>
    public static bool SameBits(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return a.dtype == b.dtype
            && a.shape.SequenceEqual(b.shape)
            && a.contiguous().clone().bytes.SequenceEqual(b.contiguous().clone().bytes);
    }

    /// <summary>Token ids [1, T].</summary>
    public static Tensor Ids(IReadOnlyList<int> ids) => tensor(ids.Select(i => (long)i).ToArray()).unsqueeze(0);
}
