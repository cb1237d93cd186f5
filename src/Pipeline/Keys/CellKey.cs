using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>What a cell's result depends on, as one hash.</summary>
internal static class CellKey
{
    /// <summary>
    /// Hashes a list that begins with its kind; every part carries its length, so that none can run into the next.
    /// </summary>
    /// <param name="cell">Kind, version, parameters.</param>
    /// <param name="code">Code identity.</param>
    /// <param name="inputs">Direct inputs with their content hashes.</param>
    /// <param name="device">Counts for accelerator stages only.</param>
    /// <param name="dtype">Counts for accelerator stages only.</param>
    /// <param name="numerics">Counts for accelerator stages only.</param>
    /// <param name="surroundings">What the stage declares of its machine; null for nothing.</param>
    public static string Of(
        Cell cell,
        string code,
        IReadOnlyList<KeyedInput> inputs,
        string device,
        string dtype,
        string numerics = NumericsNames.Portable,
        IReadOnlyDictionary<string, string>? surroundings = null
    )
    {
        ArgumentNullException.ThrowIfNull(cell);
        ArgumentNullException.ThrowIfNull(inputs);
        var info = cell.Stage.Info;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Part(string name, string value) =>
            hash.AppendData(
                Encoding.UTF8.GetBytes(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{name} {Encoding.UTF8.GetByteCount(value)}\n{value}\n"
                    )
                )
            );
        Part("kind", "cell/1");
        Part("stage", info.Name);
        Part("version", info.Version.ToString(CultureInfo.InvariantCulture));
        Part("code", code);
        Part("parameters", Canonical(cell.ParametersJson));
        foreach (var input in inputs)
            Part("input", $"{input.Name}\n{input.Axes}\n{input.Hash}");
        if (info.Resource == Resource.Accelerator)
        {
            Part("device", device);
            Part("dtype", dtype);
            Part("numerics", numerics);
        }
        foreach (var (name, value) in surroundings ?? new Dictionary<string, string>())
            Part("surrounding", $"{name}\n{value}");
        return CodeIdentity.Hex(hash.GetHashAndReset());
    }

    /// <summary>
    /// JSON with the keys of every object in ordinal order, so that the order in a file does not count.
    /// </summary>
    public static string Canonical(JsonNode? node) =>
        Sorted(node)?.ToJsonString(JsonSerializerOptions.Default) ?? "null";

    private static JsonNode? Sorted(JsonNode? node) =>
        node switch
        {
            JsonObject o => new JsonObject(
                o.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))
            ),
            JsonArray a => new JsonArray([.. a.Select(Sorted)]),
            null => null,
            _ => node.DeepClone(),
        };
}
