using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EditUnlearn.Models.Kernels;

/// <summary>What a block does between its products, forwards and backwards, each in one pass over memory.</summary>
internal static unsafe class Elementwise
{
    /// <summary>y = x / sqrt(mean(x^2) + eps) * gain of each row [rows, width]; keeps each row's factor.</summary>
    /// <remarks>Source: Zhang and Sennrich (2019), equation 4.</remarks>
    public static void Norm(float* x, float* gain, float* y, float* factors, long rows, int width, float eps)
    {
        for (long r = 0; r < rows; r++, x += width, y += width)
        {
            var factor = 1f / MathF.Sqrt(Dot(x, x, width) / width + eps);
            factors[r] = factor;
            var f = Vector256.Create(factor);
            for (var i = 0; i < width; i += Lanes.Count)
                Lanes.Store(Lanes.Load(x + i, width - i) * f * Lanes.Load(gain + i, width - i), y + i, width - i);
        }
    }

    /// <summary>Adds to dx what dy says of x, and to the gain's gradient where there is one.</summary>
    /// <param name="x">Input [rows, width].</param>
    /// <param name="gain">[width].</param>
    /// <param name="factors">From <see cref="Norm"/> [rows].</param>
    /// <param name="dy">Gradient of the output [rows, width].</param>
    /// <param name="dx">Gradient of the input, added to [rows, width].</param>
    /// <param name="dGain">Gradient of the gain, added to [width], or null.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Values of a row.</param>
    public static void NormBack(
        float* x,
        float* gain,
        float* factors,
        float* dy,
        float* dx,
        float* dGain,
        long rows,
        int width
    )
    {
        for (long r = 0; r < rows; r++, x += width, dy += width, dx += width)
        {
            var sum = Vector256<float>.Zero;
            for (var i = 0; i < width; i += Lanes.Count)
            {
                var left = width - i;
                sum = Vector256.FusedMultiplyAdd(
                    Lanes.Load(dy + i, left) * Lanes.Load(gain + i, left),
                    Lanes.Load(x + i, left),
                    sum
                );
            }
            var f = Vector256.Create(factors[r]);
            var share = Vector256.Create(Lanes.Sum(sum) * factors[r] * factors[r] / width);
            for (var i = 0; i < width; i += Lanes.Count)
            {
                var left = width - i;
                var (g, from) = (Lanes.Load(dy + i, left), Lanes.Load(x + i, left));
                var d = Vector256.FusedMultiplyAdd(-from, share, g * Lanes.Load(gain + i, left)) * f;
                Lanes.Store(Lanes.Load(dx + i, left) + d, dx + i, left);
                if (dGain is not null)
                    Lanes.Store(
                        Vector256.FusedMultiplyAdd(g * f, from, Lanes.Load(dGain + i, left)),
                        dGain + i,
                        left
                    );
            }
        }
    }

    /// <summary>key = gate * sigmoid(gate) * up. Source: Shazeer (2020), SwiGLU.</summary>
    public static void Gate(float* gate, float* up, float* key, long count)
    {
        for (long i = 0; i < count; i += Lanes.Count)
        {
            var left = (int)Math.Min(Lanes.Count, count - i);
            var g = Lanes.Load(gate + i, left);
            Lanes.Store(g * Lanes.Sigmoid(g) * Lanes.Load(up + i, left), key + i, left);
        }
    }

    /// <summary>Gradients of gate and up from that of the key, whose place either may take.</summary>
    public static void GateBack(float* gate, float* up, float* dKey, float* dGate, float* dUp, long count)
    {
        for (long i = 0; i < count; i += Lanes.Count)
        {
            var left = (int)Math.Min(Lanes.Count, count - i);
            var (g, u, d) = (Lanes.Load(gate + i, left), Lanes.Load(up + i, left), Lanes.Load(dKey + i, left));
            var s = Lanes.Sigmoid(g);
            var swish = g * s;
            // d swish / d gate = s + swish (1 - s)
            var slope = Vector256.FusedMultiplyAdd(swish, Vector256<float>.One - s, s);
            Lanes.Store(d * u * slope, dGate + i, left);
            Lanes.Store(d * swish, dUp + i, left);
        }
    }

    /// <summary>
    /// One step of Adam: moments take in the gradient, weights move by <paramref name="scale"/> m / (sqrt(v) /
    /// <paramref name="root"/> + eps).
    /// </summary>
    /// <param name="weights">[count], changed.</param>
    /// <param name="gradient">[count].</param>
    /// <param name="first">m [count], changed.</param>
    /// <param name="second">v [count], changed.</param>
    /// <param name="count">Of all four.</param>
    /// <param name="betas">Shares that the moments keep.</param>
    /// <param name="root">sqrt(1 - beta2^step).</param>
    /// <param name="scale">-rate / (1 - beta1^step).</param>
    /// <param name="epsilon">eps.</param>
    public static void Adam(
        float* weights,
        float* gradient,
        float* first,
        float* second,
        long count,
        (double First, double Second) betas,
        double root,
        double scale,
        double epsilon
    )
    {
        var (keepFirst, takeFirst) = (Vector256.Create((float)betas.First), Vector256.Create((float)(1 - betas.First)));
        var (keepSecond, takeSecond) = (
            Vector256.Create((float)betas.Second),
            Vector256.Create((float)(1 - betas.Second))
        );
        var (divisor, eps, step) = (
            Vector256.Create((float)root),
            Vector256.Create((float)epsilon),
            Vector256.Create((float)scale)
        );
        for (long i = 0; i < count; i += Lanes.Count)
        {
            var left = (int)Math.Min(Lanes.Count, count - i);
            var g = Lanes.Load(gradient + i, left);
            var m = Vector256.FusedMultiplyAdd(g, takeFirst, Lanes.Load(first + i, left) * keepFirst);
            var v = Vector256.FusedMultiplyAdd(g * g, takeSecond, Lanes.Load(second + i, left) * keepSecond);
            Lanes.Store(m, first + i, left);
            Lanes.Store(v, second + i, left);
            var move = m / (Vector256.Sqrt(v) / divisor + eps);
            Lanes.Store(Vector256.FusedMultiplyAdd(move, step, Lanes.Load(weights + i, left)), weights + i, left);
        }
    }

    /// <summary>to += from.</summary>
    public static void Add(float* to, float* from, long count)
    {
        for (long i = 0; i < count; i += Lanes.Count)
        {
            var left = (int)Math.Min(Lanes.Count, count - i);
            Lanes.Store(Lanes.Load(to + i, left) + Lanes.Load(from + i, left), to + i, left);
        }
    }

    /// <summary>Adds a row to every row.</summary>
    public static void AddToRows(float* to, float* row, long rows, int width)
    {
        for (long r = 0; r < rows; r++)
            Add(to + r * width, row, width);
    }

    /// <summary>Adds every row to one.</summary>
    public static void AddRows(float* to, float* from, long rows, int width)
    {
        for (long r = 0; r < rows; r++)
            Add(to, from + r * width, width);
    }

    /// <summary>
    /// Turns each head of a row by its position's angles, in place, or back again: (x1, x2) to (x1 cos - x2 sin, x2 cos
    /// + x1 sin). Source: Su et al. (2021), equation 34.
    /// </summary>
    /// <param name="x">[positions, heads, head].</param>
    /// <param name="cos">[positions, head], its halves alike.</param>
    /// <param name="sin">The same; the second half holds the plain sines.</param>
    /// <param name="positions">Rows of all three.</param>
    /// <param name="heads">Heads of a row.</param>
    /// <param name="head">Values of a head; even.</param>
    /// <param name="back">Whether to turn back.</param>
    public static void Rotate(float* x, float* cos, float* sin, long positions, int heads, int head, bool back)
    {
        var half = head / 2;
        for (long t = 0; t < positions; t++, cos += head, sin += head)
            for (var h = 0; h < heads; h++, x += head)
                for (var i = 0; i < half; i += Lanes.Count)
                {
                    var left = half - i;
                    var (c, s) = (Lanes.Load(cos + i, left), Lanes.Load(sin + half + i, left));
                    if (back)
                        s = -s;
                    var (first, second) = (Lanes.Load(x + i, left), Lanes.Load(x + half + i, left));
                    Lanes.Store(Vector256.FusedMultiplyAdd(-second, s, first * c), x + i, left);
                    Lanes.Store(Vector256.FusedMultiplyAdd(first, s, second * c), x + half + i, left);
                }
    }

    /// <summary>The sum of products; eight sums side by side, joined at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(float* x, float* y, int width)
    {
        var sum = Vector256<float>.Zero;
        for (var i = 0; i < width; i += Lanes.Count)
            sum = Vector256.FusedMultiplyAdd(Lanes.Load(x + i, width - i), Lanes.Load(y + i, width - i), sum);
        return Lanes.Sum(sum);
    }
}
