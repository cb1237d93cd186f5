using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// The two files of a saved patch: tensors, and what kind of patch they are. What is read is checked before it is used.
/// </summary>
internal static class PatchFolder
{
    public const string TensorFile = "patch.safetensors";
    public const string InfoFile = "patch.json";
    private const string Format = "patch/1";
    private const string HealthName = "edits";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static void Write(
        string folder,
        string kind,
        IEnumerable<KeyValuePair<string, Tensor>> tensors,
        JsonObject more,
        JsonArray? health
    )
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(Path.Combine(folder, TensorFile), tensors);
        var info = new JsonObject { ["format"] = Format, ["kind"] = kind };
        foreach (var (key, value) in more)
            info[key] = value?.DeepClone();
        if (health is not null)
            info[HealthName] = health.DeepClone();
        File.WriteAllText(Path.Combine(folder, InfoFile), info.ToJsonString(Indented) + "\n");
    }

    /// <summary>The description of a saved patch.</summary>
    /// <exception cref="InputException">There is no patch in the folder.</exception>
    /// <exception cref="DamagedFileException">It is not a description.</exception>
    public static JsonObject Info(string folder)
    {
        var path = Path.Combine(folder, InfoFile);
        if (!File.Exists(path))
            throw new InputException(folder, $"holds no patch: there is no {InfoFile}");
        return Checked(
            path,
            () =>
                JsonNode.Parse(File.ReadAllBytes(path)) is JsonObject o
                && (string?)o["format"] == Format
                && (string?)o["kind"] is not null
                    ? o
                    : throw new JsonException($"it does not describe a patch in format {Format}")
        );
    }

    /// <summary>Reads values from a description; whatever does not fit its type is damage of the file.</summary>
    public static T Checked<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e)
            when (e
                    is JsonException
                        or InvalidOperationException
                        or FormatException
                        or OverflowException
                        or KeyNotFoundException
                        or ArgumentException
                        or InvalidCastException
            )
        {
            throw new DamagedFileException(path, "is not a patch description: " + e.Message, "make the patch again", e);
        }
    }

    /// <summary>What the method saw, if it was kept.</summary>
    public static JsonArray? Health(JsonObject info) => (JsonArray?)info[HealthName]?.DeepClone();

    /// <summary>A member that must be there.</summary>
    public static T Get<T>(JsonObject json, string name) =>
        json[name] is { } node ? node.GetValue<T>() : throw new JsonException($"there is no '{name}'");

    /// <summary>A list that must be there.</summary>
    public static List<T> GetList<T>(JsonNode? json, string name) =>
        json?[name] is JsonArray list
            ?
            [
                .. list.Select(i =>
                    i is null ? throw new JsonException($"'{name}' has an empty place") : i.GetValue<T>()
                ),
            ]
            : throw new JsonException($"there is no list '{name}'");

    /// <summary>A member that names a value of an enumeration in camelCase.</summary>
    public static T GetEnum<T>(JsonObject json, string name)
        where T : struct, Enum =>
        Enum.TryParse<T>(Get<string>(json, name), ignoreCase: true, out var value) && Enum.IsDefined(value)
            ? value
            : throw new JsonException($"'{name}' is '{json[name]}'");

    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}
