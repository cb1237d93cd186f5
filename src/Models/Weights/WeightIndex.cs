using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Weights;

/// <summary>Which file of a model folder holds which tensor: one safetensors file, or shards with an index.</summary>
/// <remarks>
/// A shard is named by the index, so its name is not trusted; a link inside the folder is the user's own (hub caches
/// are made of them) and is followed.
/// </remarks>
internal sealed class WeightIndex
{
    public const string Single = "model.safetensors";
    public const string IndexName = "model.safetensors.index.json";
    private const long MaxIndexBytes = 1 << 26;

    private WeightIndex(string folder, IReadOnlyList<SafetensorsFile> files, JsonObject? metadata)
    {
        Folder = folder;
        Files = files;
        Metadata = metadata;
        Places = files
            .SelectMany(f => f.Entries.Keys.Select(n => (n, f)))
            .ToDictionary(p => p.n, p => p.f, StringComparer.Ordinal);
    }

    /// <summary>The model folder.</summary>
    public string Folder { get; }

    /// <summary>The files in the order of their names.</summary>
    public IReadOnlyList<SafetensorsFile> Files { get; }

    /// <summary>The file of each tensor.</summary>
    public IReadOnlyDictionary<string, SafetensorsFile> Places { get; }

    /// <summary>What the index says beside the map; null where there is no index.</summary>
    public JsonObject? Metadata { get; }

    /// <summary>How a tensor is described.</summary>
    public TensorEntry Entry(string name) => Places[name].Entries[name];

    /// <summary>Opens every file and checks each against the index.</summary>
    /// <exception cref="InputException">No weights that can be read, or index and files disagree.</exception>
    /// <exception cref="DamagedFileException">A file breaks its format.</exception>
    public static WeightIndex Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder");
        string single = Path.Combine(folder, Single),
            index = Path.Combine(folder, IndexName);
        if (File.Exists(index) && File.Exists(single))
            throw new InputException(
                folder,
                $"holds both {Single} and {IndexName}, which may differ",
                "remove the one that is not meant"
            );
        if (File.Exists(single))
            return new WeightIndex(folder, [SafetensorsFile.Open(single)], null);
        return File.Exists(index) ? Sharded(folder, index) : throw NoWeights(folder);
    }

    private static InputException NoWeights(string folder)
    {
        bool Any(string pattern) => Directory.EnumerateFiles(folder, pattern).Any();
        if (Any("*.bin") || Any("*.pth") || Any("*.pt") || Any("*.ckpt"))
            return new InputException(
                folder,
                "holds weights only as .bin or .pth, which is pickle and can run code",
                "take a revision with safetensors (most repositories have one), or convert in a place you trust: "
                    + "python3 -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('IN', "
                    + "torch_dtype='auto').save_pretrained('OUT', safe_serialization=True)\""
            );
        if (Any("*.gguf"))
            return new InputException(
                folder,
                "holds weights only as .gguf, which are quantised for another program",
                "take the safetensors checkpoint they were made from"
            );
        if (Any("*.safetensors"))
            return new InputException(
                folder,
                $"holds safetensors files, but neither {Single} nor {IndexName}",
                $"rename a single file to {Single}; shards need their index"
            );
        return new InputException(
            folder,
            $"holds neither {Single} nor {IndexName}",
            "a model folder holds config.json and weights as safetensors; was the download completed?"
        );
    }

    private static WeightIndex Sharded(string folder, string index)
    {
        var (map, metadata) = Parse(index);
        var problems = new List<InputProblem>();
        void Complain(string message, string? hint = null) =>
            problems.Add(new InputProblem(index, 0, 0, message, hint));
        var shards = new SortedDictionary<string, SafetensorsFile?>(StringComparer.Ordinal);
        foreach (var (name, node) in map)
        {
            if (node is not JsonValue v || !v.TryGetValue<string>(out var shard) || !IsPlainName(shard))
                Complain(
                    $"'{name}' lies in {GenerationFile.Shown(node)}, "
                        + "which is not the name of a .safetensors file inside the folder"
                );
            else
            {
                if (!shards.TryGetValue(shard, out var file))
                {
                    file = File.Exists(Path.Combine(folder, shard))
                        ? SafetensorsFile.Open(Path.Combine(folder, shard))
                        : null;
                    shards.Add(shard, file);
                    if (file is null)
                        Complain($"{shard} is missing", "complete the download");
                }
                if (file is not null && !file.Entries.ContainsKey(name))
                    Complain($"'{name}' is not in {shard}, where the index puts it");
            }
        }
        foreach (var (shard, file) in shards)
            foreach (var name in file?.Entries.Keys ?? [])
                if ((map[name] as JsonValue)?.GetValue<JsonElement>() is not { ValueKind: JsonValueKind.String } place)
                    Complain($"'{name}' is in {shard}, but not in the index");
                else if (place.GetString() != shard)
                    Complain($"'{name}' is in {shard}, but the index puts it into {GenerationFile.Shown(map[name])}");
        return problems.Count == 0
            ? new WeightIndex(folder, [.. shards.Values.OfType<SafetensorsFile>()], metadata)
            : throw new InputException(Problems.Capped(problems));
    }

    private static (JsonObject Map, JsonObject Metadata) Parse(string index)
    {
        DamagedFileException Damaged(string problem, Exception? inner = null) =>
            new(index, "not a valid index: " + problem, "download it again", inner);
        try
        {
            var root = PlacedJson.Read(index, MaxIndexBytes).Root;
            if (root["weight_map"] is not JsonObject map)
                throw Damaged("there is no object weight_map");
            if (map.Count == 0)
                throw Damaged("weight_map is empty");
            return (map, root["metadata"] as JsonObject ?? []);
        }
        catch (InputException e)
        {
            throw Damaged(e.Problems[0].Message, e);
        }
    }

    private static bool IsPlainName(string shard) =>
        shard.EndsWith(".safetensors", StringComparison.Ordinal)
        && shard.IndexOfAny(['/', '\\', '\0', ':']) < 0
        && !shard.StartsWith('.')
        && shard.Length <= 255;
}

/// <summary>Lists of problems that stay readable.</summary>
internal static class Problems
{
    private const int Most = 400;

    /// <summary>All of them, or the first few hundred and how many more there are.</summary>
    public static IReadOnlyList<InputProblem> Capped(List<InputProblem> problems) =>
        problems.Count <= Most
            ? problems
            :
            [
                .. problems.Take(Most),
                problems[Most] with
                {
                    Line = 0,
                    Column = 0,
                    Message = $"and {problems.Count - Most} more of the kind",
                    Hint = null,
                },
            ];
}
