using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>Element types as safetensors headers and config.json call them.</summary>
internal static class TensorTypes
{
    private static readonly (string Name, ScalarType Type, int Size)[] All =
    [
        ("F64", ScalarType.Float64, 8),
        ("F32", ScalarType.Float32, 4),
        ("F16", ScalarType.Float16, 2),
        ("BF16", ScalarType.BFloat16, 2),
        ("I64", ScalarType.Int64, 8),
        ("I32", ScalarType.Int32, 4),
        ("I16", ScalarType.Int16, 2),
        ("I8", ScalarType.Int8, 1),
        ("U8", ScalarType.Byte, 1),
        ("BOOL", ScalarType.Bool, 1),
    ];

    private static readonly (string Name, ScalarType Type)[] Config =
    [
        ("float32", ScalarType.Float32),
        ("bfloat16", ScalarType.BFloat16),
        ("float16", ScalarType.Float16),
        ("float64", ScalarType.Float64),
    ];

    /// <summary>The names of safetensors headers.</summary>
    public static IEnumerable<string> Names => All.Select(t => t.Name);

    /// <summary>The names of config.json.</summary>
    public static IEnumerable<string> ConfigNames => Config.Select(t => t.Name);

    /// <summary>The type of a header's name, or null.</summary>
    public static ScalarType? FromHeader(string name) =>
        Array.Find(All, t => t.Name == name) is { Name: not null } found ? found.Type : null;

    /// <summary>The type of a config's name, or null.</summary>
    public static ScalarType? FromConfig(string name) =>
        Array.Find(Config, t => t.Name == name) is { Name: not null } found ? found.Type : null;

    /// <summary>What config.json calls a type, or null.</summary>
    public static string? ConfigName(ScalarType type) => Array.Find(Config, t => t.Type == type).Name;

    /// <summary>What a header calls a type.</summary>
    /// <exception cref="NotSupportedException">It has no name there.</exception>
    public static string HeaderName(ScalarType type) =>
        Array.Find(All, t => t.Type == type).Name
        ?? throw new NotSupportedException($"safetensors has no name for {type}.");

    /// <summary>Bytes of one element.</summary>
    /// <exception cref="NotSupportedException">The type has no name in safetensors.</exception>
    public static int SizeOf(ScalarType type) =>
        Array.Find(All, t => t.Type == type) is { Size: > 0 } found
            ? found.Size
            : throw new NotSupportedException($"safetensors has no name for {type}.");

    /// <summary>Whether elements are real numbers.</summary>
    public static bool IsReal(ScalarType type) =>
        type is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;
}
