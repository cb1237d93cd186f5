using EditUnlearn.Foundation;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>What an export may differ in from its source.</summary>
public sealed record ExportOptions
{
    /// <summary>Type of every weight; null for the one each has in the source.</summary>
    public ScalarType? DType { get; init; }

    /// <summary>
    /// Most bytes of values in one shard; null for the shards of the source. A tensor larger than this gets a shard of
    /// its own.
    /// </summary>
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
public sealed record ExportReport(
    string Folder,
    IReadOnlyList<string> Shards,
    long Bytes,
    IReadOnlyList<string> Carried,
    IReadOnlyList<(string File, string Why)> LeftOut
);

/// <summary>
/// Writes a changed model as the folder it came from: same shards, order and types, everything else carried along.
/// </summary>
/// <remarks>
/// Streams tensor by tensor. The folder appears as a whole by renaming, or not at all. A weight whose type in memory is
/// narrower than in the source and that nobody changed keeps the source's own bytes. An output map that config.json
/// ties to the embedding is not written.
/// </remarks>
public static class CheckpointExport
{
    private const int Chunk = 1 << 22;

    /// <summary>Writes a checkpoint.</summary>
    /// <param name="sourceFolder">The folder the model was loaded from.</param>
    /// <param name="model">The model as it is now.</param>
    /// <param name="outFolder">Made; must not hold anything unless <see cref="ExportOptions.Overwrite"/> is
    /// set.</param>
    /// <param name="options">What shall differ.</param>
    /// <exception cref="InputException">The model is not of this folder, the target is taken, or the disk is too
    /// small.</exception>
    /// <exception cref="DamagedFileException">A file of the source breaks its format.</exception>
    public static ExportReport Write(
        string sourceFolder,
        CausalLm model,
        string outFolder,
        ExportOptions? options = null
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new ExportOptions();
        if (options.ShardBytes is <= 0)
            throw new ArgumentOutOfRangeException(
                nameof(options),
                options.ShardBytes,
                "A shard has at least one byte."
            );
        var index = WeightIndex.Read(sourceFolder);
        var (config, _) = ConfigFile.Read(Path.Combine(sourceFolder, ConfigFile.Name), model.Config.Family);
        WeightFolder.Check(config, index, ScalarType.Float32);
        if (
            model.Config with
            {
                EosIds = config.EosIds,
                GenerationEosIds = config.GenerationEosIds,
                Sampling = config.Sampling,
            } != config
        )
            throw new InputException(
                sourceFolder,
                "is not the folder this model was loaded from: its config.json describes another model",
                "name the model's own folder as the source"
            );
        var shards = Shards(index, config, model, options);
        var bytes = shards.Sum(s => s.Tensors.Sum(t => t.Bytes));
        using var target = FolderTarget.Prepare(sourceFolder, outFolder, options.Overwrite, bytes);

        ShardedWriter.Write(target.Partial, shards, options.ShardBytes is null ? index.Metadata : null);
        var (carried, leftOut) = CarriedFiles.Copy(sourceFolder, target.Partial);
        if (options.DType is { } type)
            StoredTypeEdit.Apply(Path.Combine(target.Partial, ConfigFile.Name), type);
        target.Commit();
        return new ExportReport(outFolder, [.. shards.Select(s => s.File)], bytes, carried, leftOut);
    }

    // The source's own files, or its tensors in the same order cut anew.
    private static IReadOnlyList<OutgoingShard> Shards(
        WeightIndex index,
        ModelConfig config,
        CausalLm model,
        ExportOptions options
    )
    {
        long total = 0,
            done = 0;
        OutgoingTensor Outgoing(SafetensorsFile source, TensorEntry entry)
        {
            var type = TypeOf(entry, options);
            var bytes = entry.Bytes / TensorTypes.SizeOf(entry.Type) * TensorTypes.SizeOf(type);
            total += bytes;
            return new OutgoingTensor(
                entry.Name,
                type,
                entry.Shape,
                file =>
                {
                    options.Cancelled.ThrowIfCancellationRequested();
                    WriteTensor(file, source, entry, model, type);
                    options.Progress?.Invoke(new LoadProgress(done += bytes, total, entry.Name));
                }
            );
        }
        var shards = index
            .Files.Select(f => new OutgoingShard(
                Path.GetFileName(f.Path),
                [
                    .. f
                        .InOrder.Where(e => !(config.TieWordEmbeddings && e.Name == TensorNames.LmHead))
                        .Select(e => Outgoing(f, e)),
                ],
                f.Metadata
            ))
            .Where(s => s.Tensors.Count > 0)
            .ToList();
        return options.ShardBytes is { } most
            ? ShardedWriter.Cut(shards.SelectMany(s => s.Tensors), most, shards[0].Metadata)
            : shards;
    }

    private static ScalarType TypeOf(TensorEntry t, ExportOptions options) =>
        TensorTypes.IsReal(t.Type)
        && options.DType is { } type
        && !t.Name.EndsWith(".inv_freq", StringComparison.Ordinal)
            ? type
            : t.Type;

    private static void WriteTensor(
        Stream file,
        SafetensorsFile source,
        TensorEntry entry,
        CausalLm model,
        ScalarType type
    )
    {
        if (!model.Weights.TryGetValue(entry.Name, out var weight))
            CopyBytes(file, source, entry); // rotary frequencies of old exports
        else if (weight.dtype != entry.Type && !Changed(source, entry, weight))
            WriteConverted(file, source, entry, type);
        else
            SafetensorsWriter.WriteValues(file, weight, type);
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
            if (!piece.to(weight.dtype).bytes.SequenceEqual(here.bytes))
                return true;
        }
        return false;
    }

    private static void WriteConverted(Stream file, SafetensorsFile source, TensorEntry entry, ScalarType type)
    {
        foreach (var (_, piece) in Pieces(source, entry))
            SafetensorsWriter.WriteValues(file, piece, type);
    }

    private static void CopyBytes(Stream file, SafetensorsFile source, TensorEntry entry) =>
        WriteConverted(file, source, entry, entry.Type);

    // The source's values piece by piece; each piece is gone when the next is asked for.
    private static IEnumerable<(long At, Tensor Piece)> Pieces(SafetensorsFile source, TensorEntry entry)
    {
        var size = TensorTypes.SizeOf(entry.Type);
        long count = entry.Bytes / size,
            step = Chunk / size;
        for (long at = 0; at < count; at += step)
        {
            using var piece = empty([Math.Min(step, count - at)], dtype: entry.Type);
            source.ReadBytes(entry.Name, at * size, piece.bytes);
            yield return (at, piece);
        }
    }
}
