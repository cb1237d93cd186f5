using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EditUnlearn.Models.Kernels;

/// <summary>A matrix in memory: value (r, c) lies <c>r * Row + c * Column</c> behind the first.</summary>
/// <param name="First">Its first value.</param>
/// <param name="Row">Distance of neighbours in a column.</param>
/// <param name="Column">Distance of neighbours in a row.</param>
internal readonly unsafe record struct Matrix(nint First, nint Row, nint Column)
{
    /// <summary>Rows one behind the other.</summary>
    public static Matrix Rows(float* first, long width) => new((nint)first, (nint)width, 1);

    /// <summary>The matrix on its side.</summary>
    public Matrix Transposed => new(First, Column, Row);

    /// <summary>Address of a value.</summary>
    public float* At(nint row, nint column) => (float*)First + row * Row + column * Column;
}

/// <summary>Products of float32 matrices, C = A B or C += A B, with the same bits on every processor.</summary>
/// <remarks>
/// Every value of C is one chain of fused multiply-adds over k = 0, 1, 2, ..; lanes of a vector are neighbouring columns
/// of C and never meet. So no result depends on the width of vectors (AVX2, AVX-512, NEON), on how matrices are cut into
/// blocks, or on which rows stand beside a row: a row of a batch gets the bits it gets alone.
/// Order of loops and packing: Goto and van de Geijn (2008). Measured beside MKL: docs/performance.md.
/// </remarks>
internal static unsafe class MatrixProduct
{
    // Depth of a block: what is read of B in one go stays in the first-level cache's neighbourhood. Values of A in a
    // block: 256 KiB.
    private const int Depth = 1024,
        BlockValues = 1 << 16;

    [ThreadStatic]
    private static Workspace? _space;

    /// <summary>Whether tiles are 64 columns of 512-bit vectors instead of 16 of 256; no bit depends on it.</summary>
    internal static bool Wide { get; set; } = Vector512.IsHardwareAccelerated && Avx512F.IsSupported;

    /// <summary>C [m, n] = A [m, k] B [k, n], or added to C.</summary>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">Columns of A.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n], its rows one behind the other at any distance.</param>
    /// <param name="add">Whether C is added to.</param>
    public static void Compute(long m, long n, long k, Matrix a, Matrix b, Matrix c, bool add = false)
    {
        if (m == 0 || n == 0)
            return;
        if (k == 0)
        {
            for (nint i = 0; !add && i < (nint)m; i++)
                new Span<float>(c.At(i, 0), (int)n).Clear();
            return;
        }
        var width = Wide && n > 32 ? Tiles.WideColumns : Tiles.Columns;
        var panels = (int)((n + width - 1) / width);
        var deepest = (int)Math.Min(k, Depth);
        // A whose columns lie far apart is copied into strips of a tile's rows, which are read from end to end.
        var strips = a.Column != 1;
        var (panelValues, stripValues) = ((long)panels * width * deepest, strips ? BlockValues + 8L * deepest : 0);
        var packed = (_space ??= new Workspace()).Of(panelValues + stripValues + Tiles.Rows * Tiles.WideColumns);
        var strip = packed + panelValues;
        var tile = strip + stripValues;
        for (nint k0 = 0; k0 < (nint)k; k0 += Depth)
        {
            var depth = (int)Math.Min(deepest, k - k0);
            for (var p = 0; p < panels; p++)
                Packing.Columns(
                    b with
                    {
                        First = (nint)b.At(k0, (nint)p * width),
                    },
                    depth,
                    (int)Math.Min(width, n - (long)p * width),
                    width,
                    packed + (long)p * width * depth
                );
            nint step = Math.Max(Tiles.Rows, BlockValues / depth / Tiles.Rows * Tiles.Rows);
            for (nint i0 = 0; i0 < (nint)m; i0 += step)
            {
                var rows = (int)Math.Min(step, (nint)m - i0);
                var block = a with { First = (nint)a.At(i0, k0) };
                if (strips)
                    Packing.Rows(block, rows, depth, strip);
                for (var p = 0; p < panels; p++)
                    Panel(
                        strips ? null : block,
                        strip,
                        packed + (long)p * width * depth,
                        c with
                        {
                            First = (nint)c.At(i0, (nint)p * width),
                        },
                        new Shape(rows, (int)Math.Min(width, n - (long)p * width), depth, width),
                        add || k0 > 0,
                        tile
                    );
            }
        }
    }

    private readonly record struct Shape(int Rows, int Columns, int Depth, int Width);

    // All rows of a block of A by one panel of B.
    private static void Panel(Matrix? a, float* strip, float* panel, Matrix c, Shape shape, bool add, float* tile)
    {
        var wide = shape.Width == Tiles.WideColumns;
        for (nint i = 0; i < shape.Rows; i += Tiles.Rows)
        {
            var rows = (int)Math.Min(Tiles.Rows, shape.Rows - i);
            var part = a is { } direct
                ? direct with
                {
                    First = (nint)direct.At(i, 0),
                }
                : new Matrix((nint)(strip + i * shape.Depth), 1, Tiles.Rows);
            var whole = rows == Tiles.Rows && shape.Columns == shape.Width;
            var at = c.At(i, 0);
            if (!whole && add)
                for (nint r = 0; r < rows; r++)
                    new Span<float>(at + r * c.Row, shape.Columns).CopyTo(
                        new Span<float>(tile + r * shape.Width, shape.Width)
                    );
            var (to, distance) = whole ? (new Pointer(at), c.Row) : (new Pointer(tile), shape.Width);
            if (rows == Tiles.Rows && wide)
                Tiles.Wide(shape.Depth, part, panel, to.Value, distance, add);
            else if (rows == Tiles.Rows)
                Tiles.Narrow(shape.Depth, part, panel, to.Value, distance, add);
            else if (wide)
                Tiles.WideRows(rows, shape.Depth, part, panel, to.Value, distance, add);
            else
                Tiles.NarrowRows(rows, shape.Depth, part, panel, to.Value, distance, add);
            for (nint r = 0; !whole && r < rows; r++)
                new Span<float>(tile + r * shape.Width, shape.Columns).CopyTo(
                    new Span<float>(at + r * c.Row, shape.Columns)
                );
        }
    }

    private readonly record struct Pointer(nint Address)
    {
        public Pointer(float* at)
            : this((nint)at) { }

        public float* Value => (float*)Address;
    }
}
