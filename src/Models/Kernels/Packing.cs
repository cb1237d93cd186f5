using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EditUnlearn.Models.Kernels;

/// <summary>Copies parts of matrices into the order in which tiles read them.</summary>
internal static unsafe class Packing
{
    private const int Side = 8; // of the squares that are turned in registers

    /// <summary>Columns of B [depth, columns], row after row, with zeros up to a tile's width.</summary>
    public static void Columns(Matrix b, int depth, int columns, int width, float* to)
    {
        if (b.Column == 1)
        {
            for (nint k = 0; k < depth; k++)
            {
                var row = new Span<float>(to + k * width, width);
                new Span<float>(b.At(k, 0), columns).CopyTo(row);
                row[columns..].Clear();
            }
            return;
        }
        nint from = 0;
        if (b.Row == 1 && Avx.IsSupported)
            for (; from + Side <= columns; from += Side)
            {
                nint k = 0;
                for (; k + Side <= depth; k += Side)
                    Turn(b.At(k, from), b.Column, to + k * width + from, width);
                for (; k < depth; k++)
                    for (nint c = from; c < from + Side; c++)
                        to[k * width + c] = *b.At(k, c);
            }
        for (nint k = 0; k < depth && from < width; k++)
        {
            for (var c = from; c < columns; c++)
                to[k * width + c] = *b.At(k, c);
            new Span<float>(to + k * width + Math.Max(from, columns), (int)(width - Math.Max(from, columns))).Clear();
        }
    }

    /// <summary>
    /// Rows of A [rows, depth] in strips of <see cref="Tiles.Rows"/>, each k after the other, zeros where the last
    /// strip has no row.
    /// </summary>
    public static void Rows(Matrix a, int rows, int depth, float* to)
    {
        for (nint k = 0; k < depth; k++)
        {
            var from = a.At(0, k);
            for (nint i = 0; i < rows; i += Tiles.Rows)
            {
                var at = to + i * depth + k * Tiles.Rows;
                if (a.Row == 1 && i + Tiles.Rows <= rows)
                {
                    *(Vector128<float>*)at = *(Vector128<float>*)(from + i);
                    *(Vector64<float>*)(at + 4) = *(Vector64<float>*)(from + i + 4);
                    continue;
                }
                var count = Math.Min(Tiles.Rows, rows - i);
                for (nint r = 0; r < count; r++)
                    at[r] = from[(i + r) * a.Row];
                for (var r = count; r < Tiles.Rows; r++)
                    at[r] = 0;
            }
        }
    }

    // Eight rows of eight values become columns.
    private static void Turn(float* from, nint distance, float* to, nint width)
    {
        Vector256<float> Row(nint i) => Vector256.Load(from + i * distance);
        var (r0, r1, r2, r3) = (Row(0), Row(1), Row(2), Row(3));
        var (r4, r5, r6, r7) = (Row(4), Row(5), Row(6), Row(7));
        var (t0, t1) = (Avx.UnpackLow(r0, r1), Avx.UnpackHigh(r0, r1));
        var (t2, t3) = (Avx.UnpackLow(r2, r3), Avx.UnpackHigh(r2, r3));
        var (t4, t5) = (Avx.UnpackLow(r4, r5), Avx.UnpackHigh(r4, r5));
        var (t6, t7) = (Avx.UnpackLow(r6, r7), Avx.UnpackHigh(r6, r7));
        var (u0, u1) = (Avx.Shuffle(t0, t2, 0x44), Avx.Shuffle(t0, t2, 0xEE));
        var (u2, u3) = (Avx.Shuffle(t1, t3, 0x44), Avx.Shuffle(t1, t3, 0xEE));
        var (u4, u5) = (Avx.Shuffle(t4, t6, 0x44), Avx.Shuffle(t4, t6, 0xEE));
        var (u6, u7) = (Avx.Shuffle(t5, t7, 0x44), Avx.Shuffle(t5, t7, 0xEE));
        Avx.Permute2x128(u0, u4, 0x20).Store(to);
        Avx.Permute2x128(u1, u5, 0x20).Store(to + width);
        Avx.Permute2x128(u2, u6, 0x20).Store(to + 2 * width);
        Avx.Permute2x128(u3, u7, 0x20).Store(to + 3 * width);
        Avx.Permute2x128(u0, u4, 0x31).Store(to + 4 * width);
        Avx.Permute2x128(u1, u5, 0x31).Store(to + 5 * width);
        Avx.Permute2x128(u2, u6, 0x31).Store(to + 6 * width);
        Avx.Permute2x128(u3, u7, 0x31).Store(to + 7 * width);
    }
}
