namespace EditUnlearn.Foundation;

/// <summary>How settings name the two ways to compute on a processor, and how a process is told of them.</summary>
public static class NumericsNames
{
    /// <summary>The same bytes on every x86-64 processor.</summary>
    public const string Portable = "portable";

    /// <summary>What is fastest in float32 on this machine.</summary>
    public const string Native = "native";

    /// <summary>Both.</summary>
    public static IReadOnlyList<string> All { get; } = [Portable, Native];

    /// <summary>The environment variable that tells a process; <see cref="Portable"/> without it.</summary>
    public const string Variable = "EU_NUMERICS";

    /// <summary>Under native numerics: whose products are used, <see cref="Own"/> or <see cref="Library"/>.</summary>
    public const string ProductsVariable = "EU_PRODUCTS";

    /// <summary>The kernels of Models.</summary>
    public const string Own = "own";

    /// <summary>libtorch.</summary>
    public const string Library = "library";

    /// <summary>Native numerics with the products that a probe chose, as a key names them.</summary>
    public static string NativeWith(string products) => $"{Native}/{products}";

    /// <summary>Whether a name of a key or setting means native numerics.</summary>
    public static bool IsNative(string numerics)
    {
        ArgumentNullException.ThrowIfNull(numerics);
        return numerics == Native || numerics.StartsWith(Native + "/", StringComparison.Ordinal);
    }
}
