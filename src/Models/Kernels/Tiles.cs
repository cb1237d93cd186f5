using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EditUnlearn.Models.Kernels;

/// <summary>
/// The innermost part of a product: a tile of C that stays in registers while k runs. Written out, because a compiler
/// keeps named variables in registers, but not an array of them.
/// </summary>
/// <remarks>
/// The panel of B holds the tile's columns of one k after the other, zeros where C has none. Six rows: 24 wide or 12
/// narrow sums leave registers for B's vectors and one value of A in all columns.
/// </remarks>
internal static unsafe class Tiles
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 6;

    /// <summary>Columns of a tile of 256-bit vectors.</summary>
    public const int Columns = 16;

    /// <summary>Columns of a tile of 512-bit vectors.</summary>
    public const int WideColumns = 64;

    /// <summary>Six rows of 64 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Wide(int depth, Matrix a, float* b, float* c, nint distance, bool add, Ahead ahead)
    {
        float* a0 = a.At(0, 0), a1 = a.At(1, 0), a2 = a.At(2, 0), a3 = a.At(3, 0), a4 = a.At(4, 0), a5 = a.At(5, 0);
        Vector512<float> c00 = default, c01 = default, c02 = default, c03 = default;
        Vector512<float> c10 = default, c11 = default, c12 = default, c13 = default;
        Vector512<float> c20 = default, c21 = default, c22 = default, c23 = default;
        Vector512<float> c30 = default, c31 = default, c32 = default, c33 = default;
        Vector512<float> c40 = default, c41 = default, c42 = default, c43 = default;
        Vector512<float> c50 = default, c51 = default, c52 = default, c53 = default;
        if (add)
        {
            c00 = Vector512.Load(c);
            c01 = Vector512.Load(c + 16);
            c02 = Vector512.Load(c + 32);
            c03 = Vector512.Load(c + 48);
            c10 = Vector512.Load(c + distance);
            c11 = Vector512.Load(c + distance + 16);
            c12 = Vector512.Load(c + distance + 32);
            c13 = Vector512.Load(c + distance + 48);
            c20 = Vector512.Load(c + 2 * distance);
            c21 = Vector512.Load(c + 2 * distance + 16);
            c22 = Vector512.Load(c + 2 * distance + 32);
            c23 = Vector512.Load(c + 2 * distance + 48);
            c30 = Vector512.Load(c + 3 * distance);
            c31 = Vector512.Load(c + 3 * distance + 16);
            c32 = Vector512.Load(c + 3 * distance + 32);
            c33 = Vector512.Load(c + 3 * distance + 48);
            c40 = Vector512.Load(c + 4 * distance);
            c41 = Vector512.Load(c + 4 * distance + 16);
            c42 = Vector512.Load(c + 4 * distance + 32);
            c43 = Vector512.Load(c + 4 * distance + 48);
            c50 = Vector512.Load(c + 5 * distance);
            c51 = Vector512.Load(c + 5 * distance + 16);
            c52 = Vector512.Load(c + 5 * distance + 32);
            c53 = Vector512.Load(c + 5 * distance + 48);
        }
        var fetch = (byte*)ahead.From;
        nint at = 0;
        for (var k = 0; k < depth; k++, at += a.Column, b += 64, fetch += ahead.Step)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch1(fetch);
                Sse.Prefetch1(fetch + Ahead.Line);
            }
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + 16);
            var b2 = Vector512.Load(b + 32);
            var b3 = Vector512.Load(b + 48);
            var v = Vector512.Create(a0[at]);
            c00 = Vector512.FusedMultiplyAdd(v, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(v, b1, c01);
            c02 = Vector512.FusedMultiplyAdd(v, b2, c02);
            c03 = Vector512.FusedMultiplyAdd(v, b3, c03);
            v = Vector512.Create(a1[at]);
            c10 = Vector512.FusedMultiplyAdd(v, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(v, b1, c11);
            c12 = Vector512.FusedMultiplyAdd(v, b2, c12);
            c13 = Vector512.FusedMultiplyAdd(v, b3, c13);
            v = Vector512.Create(a2[at]);
            c20 = Vector512.FusedMultiplyAdd(v, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(v, b1, c21);
            c22 = Vector512.FusedMultiplyAdd(v, b2, c22);
            c23 = Vector512.FusedMultiplyAdd(v, b3, c23);
            v = Vector512.Create(a3[at]);
            c30 = Vector512.FusedMultiplyAdd(v, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(v, b1, c31);
            c32 = Vector512.FusedMultiplyAdd(v, b2, c32);
            c33 = Vector512.FusedMultiplyAdd(v, b3, c33);
            v = Vector512.Create(a4[at]);
            c40 = Vector512.FusedMultiplyAdd(v, b0, c40);
            c41 = Vector512.FusedMultiplyAdd(v, b1, c41);
            c42 = Vector512.FusedMultiplyAdd(v, b2, c42);
            c43 = Vector512.FusedMultiplyAdd(v, b3, c43);
            v = Vector512.Create(a5[at]);
            c50 = Vector512.FusedMultiplyAdd(v, b0, c50);
            c51 = Vector512.FusedMultiplyAdd(v, b1, c51);
            c52 = Vector512.FusedMultiplyAdd(v, b2, c52);
            c53 = Vector512.FusedMultiplyAdd(v, b3, c53);
        }
        c00.Store(c);
        c01.Store(c + 16);
        c02.Store(c + 32);
        c03.Store(c + 48);
        c10.Store(c + distance);
        c11.Store(c + distance + 16);
        c12.Store(c + distance + 32);
        c13.Store(c + distance + 48);
        c20.Store(c + 2 * distance);
        c21.Store(c + 2 * distance + 16);
        c22.Store(c + 2 * distance + 32);
        c23.Store(c + 2 * distance + 48);
        c30.Store(c + 3 * distance);
        c31.Store(c + 3 * distance + 16);
        c32.Store(c + 3 * distance + 32);
        c33.Store(c + 3 * distance + 48);
        c40.Store(c + 4 * distance);
        c41.Store(c + 4 * distance + 16);
        c42.Store(c + 4 * distance + 32);
        c43.Store(c + 4 * distance + 48);
        c50.Store(c + 5 * distance);
        c51.Store(c + 5 * distance + 16);
        c52.Store(c + 5 * distance + 32);
        c53.Store(c + 5 * distance + 48);
    }

    /// <summary>Six rows of 16 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow(int depth, Matrix a, float* b, float* c, nint distance, bool add, Ahead ahead)
    {
        float* a0 = a.At(0, 0), a1 = a.At(1, 0), a2 = a.At(2, 0), a3 = a.At(3, 0), a4 = a.At(4, 0), a5 = a.At(5, 0);
        Vector256<float> c00 = default, c01 = default;
        Vector256<float> c10 = default, c11 = default;
        Vector256<float> c20 = default, c21 = default;
        Vector256<float> c30 = default, c31 = default;
        Vector256<float> c40 = default, c41 = default;
        Vector256<float> c50 = default, c51 = default;
        if (add)
        {
            (c00, c01) = (Vector256.Load(c), Vector256.Load(c + 8));
            (c10, c11) = (Vector256.Load(c + distance), Vector256.Load(c + distance + 8));
            (c20, c21) = (Vector256.Load(c + 2 * distance), Vector256.Load(c + 2 * distance + 8));
            (c30, c31) = (Vector256.Load(c + 3 * distance), Vector256.Load(c + 3 * distance + 8));
            (c40, c41) = (Vector256.Load(c + 4 * distance), Vector256.Load(c + 4 * distance + 8));
            (c50, c51) = (Vector256.Load(c + 5 * distance), Vector256.Load(c + 5 * distance + 8));
        }
        var fetch = (byte*)ahead.From;
        nint at = 0;
        for (var k = 0; k < depth; k++, at += a.Column, b += 16, fetch += ahead.Step)
        {
            if (Sse.IsSupported)
                Sse.Prefetch1(fetch);
            var b0 = Vector256.Load(b);
            var b1 = Vector256.Load(b + 8);
            var v = Vector256.Create(a0[at]);
            c00 = Vector256.FusedMultiplyAdd(v, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(v, b1, c01);
            v = Vector256.Create(a1[at]);
            c10 = Vector256.FusedMultiplyAdd(v, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(v, b1, c11);
            v = Vector256.Create(a2[at]);
            c20 = Vector256.FusedMultiplyAdd(v, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(v, b1, c21);
            v = Vector256.Create(a3[at]);
            c30 = Vector256.FusedMultiplyAdd(v, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(v, b1, c31);
            v = Vector256.Create(a4[at]);
            c40 = Vector256.FusedMultiplyAdd(v, b0, c40);
            c41 = Vector256.FusedMultiplyAdd(v, b1, c41);
            v = Vector256.Create(a5[at]);
            c50 = Vector256.FusedMultiplyAdd(v, b0, c50);
            c51 = Vector256.FusedMultiplyAdd(v, b1, c51);
        }
        c00.Store(c);
        c01.Store(c + 8);
        c10.Store(c + distance);
        c11.Store(c + distance + 8);
        c20.Store(c + 2 * distance);
        c21.Store(c + 2 * distance + 8);
        c30.Store(c + 3 * distance);
        c31.Store(c + 3 * distance + 8);
        c40.Store(c + 4 * distance);
        c41.Store(c + 4 * distance + 8);
        c50.Store(c + 5 * distance);
        c51.Store(c + 5 * distance + 8);
    }
}

/// <summary>What a tile asks the memory for while it computes: its share of the panel that comes next.</summary>
/// <param name="From">Where its share begins; reading there never faults.</param>
/// <param name="Step">Bytes for each k.</param>
/// <remarks>
/// A real model's weights do not stay in the cache from one pass to the next. Without this the first tile of a panel
/// waits for memory, and the others leave the memory idle.
/// </remarks>
internal readonly record struct Ahead(nint From, nint Step)
{
    /// <summary>Bytes that come from memory at once.</summary>
    public const int Line = 64;

    /// <summary>The share of one of several tiles.</summary>
    /// <param name="next">The panel that comes next.</param>
    /// <param name="depth">Its depth.</param>
    /// <param name="width">Its columns.</param>
    /// <param name="tile">0-based.</param>
    /// <param name="tiles">Tiles that share it.</param>
    public static unsafe Ahead Of(float* next, int depth, int width, nint tile, nint tiles)
    {
        // A tile by itself gets through its panel as fast as memory gives it; half of the next is the most it can take.
        var step = (nint)(width * sizeof(float)) / Math.Max(tiles, 2);
        return new Ahead((nint)next + tile * step * depth, step);
    }
}
