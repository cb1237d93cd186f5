using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EditUnlearn.Models.Kernels;

/// <summary>
/// Functions of eight float32 numbers at once. Eight whatever the processor has: sums over lanes have one order.
/// </summary>
internal static unsafe class Lanes
{
    /// <summary>Numbers of a vector.</summary>
    public const int Count = 8;

    private const float Log2E = 1.44269504f,
        Ln2High = 0.693359375f, // exact in few bits, so that n * Ln2High is exact
        Ln2Low = -2.12194440e-4f,
        Largest = 88.3762626f,
        Least = -87.3365447f; // below it exp is 0 here, as its exact value is next to the smallest normal number

    /// <summary>e^x within 2 units of the last place; 0 below -87.3, infinite above 88.37, NaN for NaN.</summary>
    /// <remarks>Range reduction by ln 2 in two parts and the polynomial of Cephes' expf (Moshier 1992).</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        var n = Vector256.Floor(
            Vector256.FusedMultiplyAdd(
                Vector256.Min(x, Vector256.Create(Largest)),
                Vector256.Create(Log2E),
                Vector256.Create(0.5f)
            )
        );
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2High), x);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2Low), r);
        var p = Vector256.Create(1.9875691500e-4f);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.3981999507e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(8.3334519073e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(4.1665795894e-2f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.6666665459e-1f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(5.0000001201e-1f));
        p = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256<float>.One;
        var power = Vector256.ShiftLeft(Vector256.ConvertToInt32(n) + Vector256.Create(127), 23).AsSingle();
        var e = p * power;
        e = Vector256.ConditionalSelect(
            Vector256.GreaterThan(x, Vector256.Create(Largest)),
            Vector256.Create(float.PositiveInfinity),
            e
        );
        e = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(Least)), Vector256<float>.Zero, e);
        return Vector256.ConditionalSelect(Vector256.Equals(x, x), e, x);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Sigmoid(Vector256<float> x) =>
        Vector256<float>.One / (Vector256<float>.One + Exp(-x));

    /// <summary>The first few numbers of a vector that ends beyond an array; the others are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* from, int count) =>
        count >= Count ? Vector256.Load(from) : LoadPart(from, count);

    /// <summary>Writes the first few numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> v, float* to, int count)
    {
        if (count >= Count)
            v.Store(to);
        else
            StorePart(v, to, count);
    }

    /// <summary>Adds some numbers to as many others.</summary>
    public static void Add(float* from, float* to, long count)
    {
        for (long i = 0; i < count; i += Count)
        {
            var left = (int)Math.Min(Count, count - i);
            Store(Load(to + i, left) + Load(from + i, left), to + i, left);
        }
    }

    /// <summary>The largest of some numbers; at least one.</summary>
    public static float Max(float* x, long count)
    {
        var largest = float.NegativeInfinity;
        long i = 0;
        if (count >= Count)
        {
            var most = Vector256.Load(x);
            for (i = Count; i + Count <= count; i += Count)
                most = Vector256.Max(most, Vector256.Load(x + i));
            for (var lane = 0; lane < Count; lane++)
                largest = MathF.Max(largest, most.GetElement(lane));
        }
        for (; i < count; i++)
            largest = MathF.Max(largest, x[i]);
        return largest;
    }

    /// <summary>The sum of a vector's numbers, always in the same order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> v)
    {
        var four = v.GetLower() + v.GetUpper();
        return (four.GetElement(0) + four.GetElement(2)) + (four.GetElement(1) + four.GetElement(3));
    }

    private static Vector256<float> LoadPart(float* from, int count)
    {
        if (Avx.IsSupported)
            return Avx.MaskLoad(from, First(count));
        var v = Vector256<float>.Zero;
        for (var i = 0; i < count; i++)
            v = v.WithElement(i, from[i]);
        return v;
    }

    private static void StorePart(Vector256<float> v, float* to, int count)
    {
        if (Avx.IsSupported)
            Avx.MaskStore(to, First(count), v);
        else
            for (var i = 0; i < count; i++)
                to[i] = v.GetElement(i);
    }

    // All bits set in the first few lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> First(int count) =>
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();
}
