using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>What an export may differ in from its source.</summary>
public sealed record ExportOptions
{
    /// <summary>Type of every weight; null for the one each has in the source.</summary>
    public ScalarType? DType { get; init; }

    /// <summary>Most bytes of values in one shard; null for the shards of the source. A tensor larger than this gets a shard of its own.</summary>
    public long? ShardBytes { get; init; }

    /// <summary>Whether a model folder that is already there is replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Told after each tensor.</summary>
    public Action<LoadProgress>? Progress { get; init; }

    /// <summary>Looked at before each tensor.</summary>
    public CancellationToken Cancelled { get; init; }
}

/// <summary>What an export wrote.</summary>
/// <param name="Folder">Where.</param>
/// <param name="Shards">Weight files.</param>
/// <param name="Bytes">Bytes of values.</param>
/// <param name="Carried">Files copied from the source byte for byte.</param>
/// <param name="LeftOut">Files of the source that were not copied, each with the reason.</param>
public sealed record ExportReport(string Folder, IReadOnlyList<string> Shards, long Bytes, IReadOnlyList<string> Carried, IReadOnlyList<(string File, string Why)> LeftOut);

/// <summary>Writes a changed model as the folder it came from: same shards, order and types, everything else carried along.</summary>
/// <remarks>
/// Streams tensor by tensor. The folder appears as a whole by renaming, or not at all. A weight whose type in memory is narrower than in the source and that
/// nobody changed keeps the source's own bytes. An output map that config.json ties to the embedding is not written.
/// </remarks>
public static class CheckpointExport
{
    private const int Chunk = 1 << 25;

    /// <summary>Writes a checkpoint.</summary>
    /// <param name="sourceFolder">The folder the model was loaded from.</param>
    /// <param name="model">The model as it is now.</param>
    /// <param name="outFolder">Made; must not hold anything unless <see cref="ExportOptions.Overwrite"/> is set.</param>
    /// <param name="options">What shall differ.</param>
    /// <exception cref="InputException">The model is not of this folder, the target is taken, or the disk is too small.</exception>
    /// <exception cref="DamagedFileException">A file of the source breaks its format.</exception>
    public static ExportReport Write(string sourceFolder, CausalLm model, string outFolder, ExportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new ExportOptions();
        if (options.ShardBytes is <= 0) throw new ArgumentOutOfRangeException(nameof(options), options.ShardBytes, "A shard has at least one byte.");
        var index = WeightIndex.Read(sourceFolder);
        var (config, _) = ConfigFile.Read(Path.Combine(sourceFolder, ConfigFile.Name), model.Config.Family);
        WeightFolder.Check(config, index, ScalarType.Float32);
        if (!config.Tensors().Select(t => (t.Name, string.Join(',', t.Shape))).SequenceEqual(model.Config.Tensors().Select(t => (t.Name, string.Join(',', t.Shape)))))
            throw new InputException(sourceFolder, "is not the folder this model was loaded from: its tensors differ", "name the model's own folder as the source");
        var shards = Shards(index, config, options);
        using var target = FolderTarget.Prepare(sourceFolder, outFolder, options.Overwrite, shards.Sum(s => s.Tensors.Sum(t => BytesOf(t, options))));

        WriteShards(shards, index, model, target.Partial, options);
        if (shards.Count > 1 || index.Metadata is not null) WriteIndex(Path.Combine(target.Partial, WeightIndex.IndexName), shards, index.Metadata, options);
        var (carried, leftOut) = CarriedFiles.Copy(sourceFolder, target.Partial);
        if (options.DType is { } type) StoredTypeEdit.Apply(Path.Combine(target.Partial, ConfigFile.Name), type);
        target.Commit();
        return new ExportReport(outFolder, [.. shards.Select(s => s.File)], shards.Sum(s => s.Tensors.Sum(t => BytesOf(t, options))), carried, leftOut);
    }

    private sealed record Shard(string File, IReadOnlyDictionary<string, string>? Metadata, IReadOnlyList<TensorEntry> Tensors);

    private static ScalarType TypeOf(TensorEntry t, ExportOptions options) => TensorTypes.IsReal(t.Type) && options.DType is { } type && !t.Name.EndsWith(".inv_freq", StringComparison.Ordinal) ? type : t.Type;

    private static long BytesOf(TensorEntry t, ExportOptions options) => t.Bytes / TensorTypes.SizeOf(t.Type) * TensorTypes.SizeOf(TypeOf(t, options));

    // The source's own files, or its tensors in the same order cut anew.
    private static List<Shard> Shards(WeightIndex index, ModelConfig config, ExportOptions options)
    {
        bool Written(TensorEntry t) => !(config.TieWordEmbeddings && t.Name == TensorNames.LmHead);
        if (options.ShardBytes is not { } most)
            return [.. index.Files.Select(f => new Shard(Path.GetFileName(f.Path), f.Metadata, [.. f.InOrder.Where(Written)])).Where(s => s.Tensors.Count > 0)];
        var groups = new List<List<TensorEntry>> { new() };
        long held = 0;
        foreach (var tensor in index.Files.SelectMany(f => f.InOrder).Where(Written))
        {
            var bytes = BytesOf(tensor, options);
            if (held > 0 && held + bytes > most)
            {
                groups.Add([]);
                held = 0;
            }
            groups[^1].Add(tensor);
            held += bytes;
        }
        var metadata = index.Files[0].Metadata;
        string Name(int i) => groups.Count == 1 ? WeightIndex.Single : string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:00000}-of-{groups.Count:00000}.safetensors");
        return [.. groups.Select((g, i) => new Shard(Name(i), metadata, g))];
    }

    private static void WriteShards(List<Shard> shards, WeightIndex index, CausalLm model, string folder, ExportOptions options)
    {
        long total = shards.Sum(s => s.Tensors.Sum(t => BytesOf(t, options))), done = 0;
        foreach (var shard in shards)
        {
            var outgoing = shard.Tensors.Select(t => new OutgoingTensor(t.Name, TypeOf(t, options), t.Shape, file =>
            {
                options.Cancelled.ThrowIfCancellationRequested();
                WriteTensor(file, index.Places[t.Name], t, model, TypeOf(t, options));
                options.Progress?.Invoke(new LoadProgress(done += BytesOf(t, options), total, t.Name));
            })).ToList();
            SafetensorsWriter.Write(Path.Combine(folder, shard.File), outgoing, shard.Metadata is { Count: > 0 } ? shard.Metadata : null);
        }
    }

    private static void WriteTensor(Stream file, SafetensorsFile source, TensorEntry entry, CausalLm model, ScalarType type)
    {
        if (!model.Weights.TryGetValue(entry.Name, out var weight)) CopyBytes(file, source, entry);   // rotary frequencies of old exports
        else if (weight.dtype != entry.Type && !Changed(source, entry, weight)) WriteConverted(file, source, entry, type);
        else SafetensorsWriter.WriteValues(file, weight, type);
    }

    // Whether a weight is still what loading made of the source: compared in the type it has in memory.
    private static bool Changed(SafetensorsFile source, TensorEntry entry, Tensor weight)
    {
        using var quiet = no_grad();
        var flat = weight.view(-1);
        foreach (var (at, piece) in Pieces(source, entry))
        {
            using var scope = NewDisposeScope();
            var here = flat.narrow(0, at, piece.shape[0]).cpu().contiguous();
            if (!piece.to(weight.dtype).bytes.SequenceEqual(here.bytes)) return true;
        }
        return false;
    }

    private static void WriteConverted(Stream file, SafetensorsFile source, TensorEntry entry, ScalarType type)
    {
        foreach (var (_, piece) in Pieces(source, entry)) SafetensorsWriter.WriteValues(file, piece, type);
    }

    private static void CopyBytes(Stream file, SafetensorsFile source, TensorEntry entry) => WriteConverted(file, source, entry, entry.Type);

    // The source's values piece by piece; each piece is gone when the next is asked for.
    private static IEnumerable<(long At, Tensor Piece)> Pieces(SafetensorsFile source, TensorEntry entry)
    {
        var size = TensorTypes.SizeOf(entry.Type);
        long count = entry.Bytes / size, step = Chunk / size;
        for (long at = 0; at < count; at += step)
        {
            using var piece = empty([Math.Min(step, count - at)], dtype: entry.Type);
            source.ReadBytes(entry.Name, at * size, piece.bytes);
            yield return (at, piece);
        }
    }

    private static void WriteIndex(string path, List<Shard> shards, JsonObject? metadata, ExportOptions options)
    {
        var said = metadata is null ? new JsonObject() : (JsonObject)metadata.DeepClone();
        said["total_size"] = shards.Sum(s => s.Tensors.Sum(t => BytesOf(t, options)));
        if (said.ContainsKey("total_parameters")) said["total_parameters"] = shards.Sum(s => s.Tensors.Sum(t => t.Shape.Aggregate(1L, (p, n) => p * n)));
        var map = new JsonObject();
        foreach (var (name, file) in shards.SelectMany(s => s.Tensors.Select(t => (t.Name, s.File))).OrderBy(p => p.Name, StringComparer.Ordinal)) map[name] = file;
        File.WriteAllText(path, new JsonObject { ["metadata"] = said, ["weight_map"] = map }.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
    }
}
