namespace EditUnlearn.Foundation;

/// <summary>
/// How settings and options name devices and element types. What the names mean to libtorch is decided in one place,
/// Models' <c>Compute</c>.
/// </summary>
public static class DeviceNames
{
    /// <summary>The processor.</summary>
    public const string Cpu = "cpu";

    /// <summary>The first GPU.</summary>
    public const string Cuda = "cuda";

    /// <summary>
    /// Whatever the machine offers; for commands only, since the key of a stage needs a definite answer.
    /// </summary>
    public const string Auto = "auto";

    /// <summary>Weights in 32 bits.</summary>
    public const string F32 = "float32";

    /// <summary>Weights in 16 bits with the exponent of float32.</summary>
    public const string BF16 = "bfloat16";

    /// <summary>Weights in 16 bits with five bits of exponent.</summary>
    public const string F16 = "float16";

    /// <summary>Element types of weights.</summary>
    public static IReadOnlyList<string> Types { get; } = [F32, BF16, F16];

    /// <summary>
    /// Number of the GPU a name means, -1 for the processor, null when it is not the name of a device.
    /// </summary>
    public static int? Index(string name) =>
        name switch
        {
            Cpu => -1,
            Cuda => 0,
            _ when name is not null
                    && name.StartsWith(Cuda + ":", StringComparison.Ordinal)
                    && int.TryParse(name.AsSpan(Cuda.Length + 1), out var n)
                    && n is >= 0 and < 64 => n,
            _ => null,
        };
}
