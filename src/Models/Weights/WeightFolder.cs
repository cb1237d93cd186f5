using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>The weights of a Hugging Face model folder: one safetensors file, or shards with an index.</summary>
public static class WeightFolder
{
    private const string Single = "model.safetensors";
    private const string IndexName = "model.safetensors.index.json";

    /// <summary>Reads config and weights, one tensor at a time.</summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="type">The type they get; null for the one they are stored in.</param>
    /// <exception cref="InputException">Missing files; missing, superfluous or misshapen tensors, all listed.</exception>
    /// <exception cref="DamagedFileException">A file breaks its format.</exception>
    public static CausalLm Load(string folder, Device device, ScalarType? type = ScalarType.Float32)
    {
        if (!Directory.Exists(folder)) throw new InputException(folder, "there is no such folder");
        var (config, _) = ConfigFile.Read(Path.Combine(folder, "config.json"));
        var places = Places(folder);
        Check(folder, config, places);

        var weights = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, _) in config.Tensors())
        {
            var stored = places[name].Read(name);
            var placed = stored.to(type ?? stored.dtype).to(device);
            if (placed.Handle != stored.Handle) stored.Dispose();
            weights.Add(name, placed);
        }
        return CausalLm.Create(config, weights);
    }

    /// <summary>Writes config and weights as one file.</summary>
    /// <param name="folder">Made if it is not there.</param>
    /// <param name="model">Config and weights.</param>
    /// <param name="type">The type to store; null for the model's own.</param>
    public static void Save(string folder, CausalLm model, ScalarType? type = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Directory.CreateDirectory(folder);
        var stored = type ?? model.DType;
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        ConfigFile.Write(Path.Combine(folder, "config.json"), model.Config, stored);
        SafetensorsWriter.Write(
            Path.Combine(folder, Single),
            model.Config.Tensors().Select(t => KeyValuePair.Create(t.Name, model.Weight(t.Name).to(stored))),
            new Dictionary<string, string> { ["format"] = "pt" });
    }

    private static Dictionary<string, SafetensorsFile> Places(string folder)
    {
        var index = Path.Combine(folder, IndexName);
        if (File.Exists(index)) return Sharded(folder, index);
        var single = Path.Combine(folder, Single);
        if (File.Exists(single))
        {
            var file = SafetensorsFile.Open(single);
            return file.Entries.Keys.ToDictionary(n => n, _ => file, StringComparer.Ordinal);
        }
        throw Directory.EnumerateFiles(folder, "*.bin").Any()
            ? new InputException(folder, "holds weights only as .bin, which is pickle and can run code", "convert them once with the model's own tools to safetensors")
            : new InputException(folder, $"holds neither {Single} nor {IndexName}");
    }

    private static Dictionary<string, SafetensorsFile> Sharded(string folder, string index)
    {
        JsonObject map;
        try
        {
            map = JsonNode.Parse(File.ReadAllBytes(index), documentOptions: new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false })?["weight_map"] as JsonObject
                ?? throw new JsonException("there is no object weight_map");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DamagedFileException(index, "not a valid index: " + e.Message, "download it again", e);
        }
        var problems = new List<InputProblem>();
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        var places = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (var (name, node) in map)
        {
            if (node is not JsonValue v || !v.TryGetValue<string>(out var shard) || shard.Length == 0 || Path.GetFileName(shard) != shard || shard is "." or "..")
            {
                problems.Add(new InputProblem(index, 0, 0, $"'{name}' lies in {node?.ToJsonString() ?? "null"}, which is not a file name inside the folder"));
                continue;
            }
            if (!shards.TryGetValue(shard, out var file)) shards.Add(shard, file = SafetensorsFile.Open(Path.Combine(folder, shard)));
            if (file.Entries.ContainsKey(name)) places.Add(name, file);
            else problems.Add(new InputProblem(index, 0, 0, $"'{name}' is not in {shard}, where the index puts it"));
        }
        return problems.Count == 0 ? places : throw new InputException(problems);
    }

    private static void Check(string folder, ModelConfig config, Dictionary<string, SafetensorsFile> places)
    {
        var problems = new List<InputProblem>();
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, shape) in config.Tensors())
        {
            expected.Add(name);
            if (!places.TryGetValue(name, out var file)) problems.Add(new InputProblem(folder, 0, 0, $"tensor {name} is missing"));
            else if (!file.Entries[name].Shape.SequenceEqual(shape))
                problems.Add(new InputProblem(folder, 0, 0, $"tensor {name} is [{string.Join(", ", file.Entries[name].Shape)}], but config.json makes it [{string.Join(", ", shape)}]"));
        }
        foreach (var name in places.Keys)
            // Old exports carry the rotary frequencies, and tied ones sometimes the output map a second time; both follow from the rest.
            if (!expected.Contains(name) && !name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) && !(config.TieWordEmbeddings && name == TensorNames.LmHead))
                problems.Add(new InputProblem(folder, 0, 0, $"tensor {name} is not part of a model with this config.json"));
        if (problems.Count > 0) throw new InputException(problems);
    }
}
