using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Rotary position embedding in the rotate-half layout. Source: Su et al. (2021), equation 34; scaling as published
/// with Llama 3.1.
/// </summary>
internal static class Rope
{
    /// <summary>Angle per position of each pair of dimensions [head/2], after any scaling.</summary>
    public static float[] InverseFrequencies(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var half = config.HeadDim / 2;
        var frequencies = new float[half];
        for (var i = 0; i < half; i++)
        {
            // float32 as the reference computes it, so that angles at far positions agree to the last bits.
            var f = 1f / MathF.Pow((float)config.RopeTheta, 2f * i / config.HeadDim);
            frequencies[i] = config.RopeScaling switch
            {
                Llama3RopeScaling s => (float)Stretched(f, s),
                LinearRopeScaling s => f / (float)s.Factor,
                _ => f,
            };
        }
        return frequencies;
    }

    private static double Stretched(double frequency, Llama3RopeScaling s)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength > s.OriginalMaxPositions / s.LowFrequencyFactor)
            return frequency / s.Factor;
        if (wavelength < s.OriginalMaxPositions / s.HighFrequencyFactor)
            return frequency;
        var smooth =
            (s.OriginalMaxPositions / wavelength - s.LowFrequencyFactor)
            / (s.HighFrequencyFactor - s.LowFrequencyFactor);
        return (1 - smooth) * frequency / s.Factor + smooth * frequency;
    }

    /// <summary>
    /// Cosines and sines of positions first .. first + count - 1, each [count, head] with the two halves repeated,
    /// float32.
    /// </summary>
    public static (Tensor Cos, Tensor Sin) Angles(ModelConfig config, int first, int count, Device device)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var positions = arange(first, first + count, dtype: ScalarType.Float32, device: device);
        var angles = outer(positions, tensor(InverseFrequencies(config), device: device));
        var both = cat([angles, angles], -1);
        return (both.cos().MoveToOuterDisposeScope(), both.sin().MoveToOuterDisposeScope());
    }

    /// <summary>
    /// Sines as <see cref="Rotate"/> takes them: those of the first half negated, as x1 loses what x2 gains.
    /// </summary>
    public static Tensor WithSigns(Tensor sin)
    {
        ArgumentNullException.ThrowIfNull(sin);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var half = sin.shape[^1] / 2;
        return cat([-sin.narrow(-1, 0, half), sin.narrow(-1, half, half)], -1).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Rotates each head of <paramref name="x"/> [B, H, T, head] by its position's angles [T, head]: (x1, x2) cos +
    /// (x2, x1) (-sin, sin).
    /// </summary>
    public static Tensor Rotate(Tensor x, Tensor cos, Tensor signedSin)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x * cos + x.roll(x.shape[^1] / 2, -1) * signedSin;
    }
}
