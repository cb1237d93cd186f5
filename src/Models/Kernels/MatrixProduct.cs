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

    /// <summary>What begins at some value.</summary>
    public Matrix From(nint row, nint column) => this with { First = (nint)At(row, column) };

    /// <summary>Address of a value.</summary>
    public float* At(nint row, nint column) => (float*)First + row * Row + column * Column;
}

/// <summary>Products of float32 matrices, C = A B or C += A B, with the same bits on every processor.</summary>
/// <remarks>
/// Every value of C is a sum of chains of fused multiply-adds over k = 0, 1, 2, ..: one for each
/// <see cref="Panels.Depth"/> of k, added up in order. One chain over a vocabulary of 49,152 words lost 2e-4 of a
/// gradient to rounding. Lanes of a vector are neighbouring columns of C and never meet. So no result depends on the
/// width of vectors (AVX2, AVX-512, NEON), on how rows and columns are cut into blocks, or on which rows stand beside a
/// row: a row of a batch gets the bits it gets alone.
/// Order of loops and packing: Goto and van de Geijn (2008). Measured beside MKL: docs/performance.md.
/// </remarks>
internal static unsafe class MatrixProduct
{
    // Values of A in a block: 256 KiB.
    private const int BlockValues = 1 << 16;

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
        if (!ProductThreads.Spreads(m * n * k))
            Alone(m, n, k, a, b, c, add);
        else if (n >= m)
            ByColumns(m, n, k, a, b, c, add);
        else
            ByRows(m, n, k, a, b, c, add);
    }

    // On this thread.
    private static void Alone(long m, long n, long k, Matrix a, Matrix b, Matrix c, bool add)
    {
        var panels = new Panels(k, n);
        var room = Room(panels.Values(Math.Min(k, Panels.Depth)), panels, a, out var strip, out var tile);
        for (long k0 = 0; k0 < k; k0 += Panels.Depth)
        {
            panels.Pack(b, k0, room);
            Block(m, panels, (0, panels.Count), k0, a, room, c, add || k0 > 0, strip, tile);
        }
    }

    /// <summary>The same with a B that was packed before.</summary>
    /// <param name="m">Rows of C.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n].</param>
    /// <param name="add">Whether C is added to.</param>
    public static void Compute(long m, Matrix a, PackedMatrix b, Matrix c, bool add = false)
    {
        if (m == 0)
            return;
        if (ProductThreads.Spreads(m * b.Panels.Columns * b.Panels.Inner))
            ByPanels(m, a, b, c, add);
        else
            Alone(m, a, b, (0, b.Panels.Count), c, add);
    }

    private static void Alone(long m, Matrix a, PackedMatrix b, (int From, int To) some, Matrix c, bool add)
    {
        _ = Room(0, b.Panels, a, out var strip, out var tile);
        for (long k0 = 0; k0 < b.Panels.Inner; k0 += Panels.Depth)
            Block(m, b.Panels, some, k0, a, b.At(k0), c, add || k0 > 0, strip, tile);
    }

    // Products in parts; in methods of their own, as a small product shall not pay for what these capture.
    private static void ByColumns(long m, long n, long k, Matrix a, Matrix b, Matrix c, bool add) =>
        ProductThreads.Spread(
            n,
            Tiles.WideColumns,
            (from, count) => Alone(m, count, k, a, b.From(0, (nint)from), c.From(0, (nint)from), add)
        );

    private static void ByRows(long m, long n, long k, Matrix a, Matrix b, Matrix c, bool add) =>
        ProductThreads.Spread(
            m,
            Tiles.Rows,
            (from, count) => Alone(count, n, k, a.From((nint)from, 0), b, c.From((nint)from, 0), add)
        );

    private static void ByPanels(long m, Matrix a, PackedMatrix b, Matrix c, bool add) =>
        ProductThreads.Spread(
            b.Panels.Count,
            1,
            (from, count) => Alone(m, a, b, ((int)from, (int)(from + count)), c, add)
        );

    // Memory of this thread: values for B, a strip of A, a tile of C.
    private static float* Room(long values, Panels panels, Matrix a, out float* strip, out float* tile)
    {
        // A whose columns lie far apart is copied into strips of a tile's rows, which are read from end to end; of
        // other matrices only the rows that do not fill a tile.
        var deepest = Math.Min(panels.Inner, Panels.Depth);
        var strips = a.Column != 1 ? BlockValues + (Tiles.Rows + 2) * deepest : Tiles.Rows * deepest;
        var room = (_space ??= new Workspace()).Of(values + strips + Tiles.Rows * Tiles.WideColumns);
        strip = room + values;
        tile = strip + strips;
        return room;
    }

    // All rows of C, and some panels of its columns, from one block of B's depth.
    private static void Block(
        long m,
        Panels panels,
        (int From, int To) some,
        long k0,
        Matrix a,
        float* packed,
        Matrix c,
        bool add,
        float* strip,
        float* tile
    )
    {
        var depth = panels.DepthAt(k0);
        nint step = Math.Max(Tiles.Rows, BlockValues / depth / Tiles.Rows * Tiles.Rows);
        for (nint i0 = 0; i0 < (nint)m; i0 += step)
        {
            var rows = (int)Math.Min(step, (nint)m - i0);
            var block = a.From(i0, (nint)k0);
            var direct = a.Column == 1;
            var whole = rows / Tiles.Rows * Tiles.Rows;
            if (!direct)
                Packing.Rows(block, rows, depth, strip);
            else if (whole < rows)
                Packing.Rows(block.From(whole, 0), rows - whole, depth, strip);
            var tiles = (rows + Tiles.Rows - 1) / Tiles.Rows;
            for (var p = some.From; p < some.To; p++)
            {
                var columns = panels.ColumnsOf(p);
                var panel = packed + (long)p * panels.Width * depth;
                // Behind the last panel the first: of the next rows, or, where there are none, nothing that is missed.
                var next = packed + (long)(p + 1 < some.To ? p + 1 : some.From) * panels.Width * depth;
                for (nint i = 0; i < rows; i += Tiles.Rows)
                {
                    var part =
                        direct && i < whole ? block.From(i, 0)
                        : direct ? new Matrix((nint)strip, 1, Tiles.Rows)
                        : new Matrix((nint)(strip + i * depth), 1, Tiles.Rows);
                    var to = c.At(i0 + i, (nint)p * panels.Width);
                    var ahead = Ahead.Of(next, depth, panels.Width, i / Tiles.Rows, tiles);
                    if (k0 > 0)
                        Later((int)Math.Min(Tiles.Rows, rows - i), columns, part, panel, to, tile, ahead);
                    else if (i < whole && columns == panels.Width)
                        Tile(panels.Width, depth, part, panel, to, c.Row, add, ahead);
                    else
                        Edge((int)Math.Min(Tiles.Rows, rows - i), columns, part, panel, to, tile, ahead);
                }
            }

            // A chain of its own, added to those before it.
            void Later(int left, int columns, Matrix part, float* panel, float* to, float* tile, Ahead ahead)
            {
                var width = panels.Width;
                Tile(width, depth, part, panel, tile, width, add: false, ahead);
                for (nint r = 0; r < left; r++)
                    Lanes.Add(tile + r * width, to + r * c.Row, columns);
            }

            // A tile that C does not fill.
            void Edge(int left, int columns, Matrix part, float* panel, float* to, float* tile, Ahead ahead)
            {
                var width = panels.Width;
                for (nint r = 0; add && r < left; r++)
                    new Span<float>(to + r * c.Row, columns).CopyTo(new Span<float>(tile + r * width, width));
                Tile(width, depth, part, panel, tile, width, add, ahead);
                for (nint r = 0; r < left; r++)
                    new Span<float>(tile + r * width, columns).CopyTo(new Span<float>(to + r * c.Row, columns));
            }
        }
    }

    private static void Tile(
        int width,
        int depth,
        Matrix a,
        float* panel,
        float* to,
        nint distance,
        bool add,
        Ahead ahead
    )
    {
        if (width == Tiles.WideColumns)
            Tiles.Wide(depth, a, panel, to, distance, add, ahead);
        else
            Tiles.Narrow(depth, a, panel, to, distance, add, ahead);
    }
}

/// <summary>How B [k, n] is cut: panels as wide as a tile, blocks of some depth.</summary>
internal readonly unsafe record struct Panels
{
    /// <summary>Most values of k in a block: what is read of B in one go stays near the processor.</summary>
    public const int Depth = 1024;

    /// <summary>Cuts.</summary>
    public Panels(long k, long n)
    {
        (Inner, Columns) = (k, n);
        Width = MatrixProduct.Wide && n > 32 ? Tiles.WideColumns : Tiles.Columns;
        Count = (int)((n + Width - 1) / Width);
    }

    /// <summary>k.</summary>
    public long Inner { get; }

    /// <summary>n.</summary>
    public long Columns { get; }

    /// <summary>Columns of a panel.</summary>
    public int Width { get; }

    /// <summary>Panels.</summary>
    public int Count { get; }

    /// <summary>Values of so much depth, packed.</summary>
    public long Values(long depth) => (long)Count * Width * depth;

    /// <summary>Depth of the block that begins there.</summary>
    public int DepthAt(long k0) => (int)Math.Min(Depth, Inner - k0);

    /// <summary>Columns of B in a panel.</summary>
    public int ColumnsOf(int panel) => (int)Math.Min(Width, Columns - (long)panel * Width);

    /// <summary>Packs one block.</summary>
    public void Pack(Matrix b, long k0, float* to)
    {
        var depth = DepthAt(k0);
        for (var p = 0; p < Count; p++)
            Packing.Columns(
                b with
                {
                    First = (nint)b.At((nint)k0, (nint)p * Width),
                },
                depth,
                ColumnsOf(p),
                Width,
                to + (long)p * Width * depth
            );
    }
}

/// <summary>
/// A B that many products share, packed once. It lies in memory until all who took it have disposed of it: whoever made
/// it may let go while others, in other threads, still multiply by it.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly Workspace _space = new();
    private readonly float* _start;
    private int _takers = 1; // its maker

    /// <summary>Packs a copy; what B is afterwards does not matter.</summary>
    public PackedMatrix(Matrix b, long k, long n)
    {
        Panels = new Panels(k, n);
        _start = _space.Of(Panels.Values(k));
        for (long k0 = 0; k0 < k; k0 += Panels.Depth)
            Panels.Pack(b, k0, At(k0));
    }

    /// <summary>How it is cut.</summary>
    public Panels Panels { get; }

    /// <summary>The block that begins at some depth.</summary>
    public float* At(long k0) => _start + Panels.Values(k0);

    /// <summary>
    /// The same for one more taker, who disposes of it once. Only somebody who has it can give it on.
    /// </summary>
    public PackedMatrix Shared()
    {
        Interlocked.Increment(ref _takers);
        return this;
    }

    /// <summary>One taker needs it no longer.</summary>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _takers) == 0)
            _space.Dispose();
    }
}
