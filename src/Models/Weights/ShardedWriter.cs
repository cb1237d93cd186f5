using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EditUnlearn.Models.Weights;

/// <summary>One weight file of a folder that is being written.</summary>
/// <param name="File">Its name.</param>
/// <param name="Tensors">In the order in which they lie in it.</param>
/// <param name="Metadata">Free text for its header, or null.</param>
internal sealed record OutgoingShard(
    string File,
    IReadOnlyList<OutgoingTensor> Tensors,
    IReadOnlyDictionary<string, string>? Metadata
);

/// <summary>Writes weights as one safetensors file, or as shards with an index.</summary>
internal static class ShardedWriter
{
    /// <summary>Cuts tensors into shards, keeping their order.</summary>
    /// <param name="tensors">All of them.</param>
    /// <param name="most">Most bytes of values in one shard; a larger tensor gets a shard of its own.</param>
    /// <param name="metadata">Free text for every header.</param>
    public static IReadOnlyList<OutgoingShard> Cut(
        IEnumerable<OutgoingTensor> tensors,
        long most,
        IReadOnlyDictionary<string, string>? metadata
    )
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(most);
        var groups = new List<List<OutgoingTensor>> { new() };
        long held = 0;
        foreach (var tensor in tensors)
        {
            if (groups[^1].Count > 0 && tensor.Bytes > most - held)
            {
                groups.Add([]);
                held = 0;
            }
            groups[^1].Add(tensor);
            held += tensor.Bytes;
        }
        string Name(int i) =>
            groups.Count == 1
                ? WeightIndex.Single
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"model-{i + 1:00000}-of-{groups.Count:00000}.safetensors"
                );
        return [.. groups.Select((g, i) => new OutgoingShard(Name(i), g, metadata))];
    }

    /// <summary>
    /// Writes the shards, and their index where there is more than one or <paramref name="indexMetadata"/> is given.
    /// </summary>
    /// <param name="folder">Exists.</param>
    /// <param name="shards">What to write.</param>
    /// <param name="indexMetadata">What an index shall say beside the map; sizes in it are brought up to date.</param>
    public static void Write(string folder, IReadOnlyList<OutgoingShard> shards, JsonObject? indexMetadata = null)
    {
        ArgumentNullException.ThrowIfNull(shards);
        foreach (var shard in shards)
            SafetensorsWriter.Write(
                Path.Combine(folder, shard.File),
                shard.Tensors,
                shard.Metadata is { Count: > 0 } ? shard.Metadata : null
            );
        if (shards.Count == 1 && indexMetadata is null)
            return;
        var metadata = indexMetadata is null ? [] : (JsonObject)indexMetadata.DeepClone();
        var all = shards.SelectMany(s => s.Tensors).ToList();
        metadata["total_size"] = all.Sum(t => t.Bytes);
        if (metadata.ContainsKey("total_parameters"))
            metadata["total_parameters"] = all.Sum(t => t.Shape.Aggregate(1L, (p, n) => p * n));
        var map = new JsonObject();
        foreach (
            var (name, file) in shards
                .SelectMany(s => s.Tensors.Select(t => (t.Name, s.File)))
                .OrderBy(p => p.Name, StringComparer.Ordinal)
        )
            map[name] = file;
        var index = new JsonObject { ["metadata"] = metadata, ["weight_map"] = map };
        File.WriteAllText(
            Path.Combine(folder, WeightIndex.IndexName),
            index.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n"
        );
    }
}
