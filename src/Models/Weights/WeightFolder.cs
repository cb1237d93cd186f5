using EditUnlearn.Foundation;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>The weights of a Hugging Face model folder: one safetensors file, or shards with an index.</summary>
public static class WeightFolder
{
    /// <summary>Reads config and weights, one tensor at a time, straight to their device and type.</summary>
    /// <remarks>
    /// Peak memory is the weights that are kept and a buffer of 4 MiB. Weights that need no conversion are laid over
    /// the file: their pages are the file cache's until they are written to, and then private, so no edit ever reaches
    /// the user's files.
    /// </remarks>
    /// <param name="folder">The model folder.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="type">The type they get; null for the one they are stored in.</param>
    /// <param name="options">Mapping, checks, callbacks.</param>
    /// <exception cref="InputException">Missing files; missing, superfluous or misshapen tensors, all
    /// listed.</exception>
    /// <exception cref="DamagedFileException">A file breaks its format.</exception>
    public static CausalLm Load(
        string folder,
        Device device,
        ScalarType? type = ScalarType.Float32,
        LoadOptions? options = null
    )
    {
        ArgumentNullException.ThrowIfNull(device);
        options ??= new LoadOptions();
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder");
        var (config, _) = ConfigFile.Read(Path.Combine(folder, ConfigFile.Name), options.Family);
        var index = WeightIndex.Read(folder);
        Check(config, index, options.MixedTypes ? ScalarType.Float32 : type);
        Doubts(folder, config, index, options);

        var tensors = config.Tensors().ToList();
        long total = tensors.Sum(t => index.Entry(t.Name).Bytes),
            done = 0;
        var weights = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var (name, _) in tensors)
            {
                options.Cancelled.ThrowIfCancellationRequested();
                var (weight, notFinite) = Place(index.Places[name], name, device, type, options);
                weights.Add(name, weight.DetachFromDisposeScope());
                if (notFinite > 0)
                    options.Warn?.Invoke($"{name} holds {notFinite} values that are NaN or infinite");
                options.Progress?.Invoke(new LoadProgress(done += index.Entry(name).Bytes, total, name));
            }
            return CausalLm.Create(config, weights);
        }
        catch
        {
            foreach (var weight in weights.Values)
                weight.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes config and weights as one file, for models made here; <see cref="CheckpointExport"/> writes a changed
    /// copy of a folder that exists.
    /// </summary>
    /// <param name="folder">Made if it is not there.</param>
    /// <param name="model">Config and weights.</param>
    /// <param name="type">The type to store; null for the model's own.</param>
    public static void Save(string folder, CausalLm model, ScalarType? type = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Directory.CreateDirectory(folder);
        var stored = type ?? model.DType;
        ConfigFile.Write(Path.Combine(folder, ConfigFile.Name), model.Config, stored);
        GenerationFile.Write(folder, model.Config);
        SafetensorsWriter.Write(
            Path.Combine(folder, WeightIndex.Single),
            [
                .. model
                    .Config.Tensors()
                    .Select(t => new OutgoingTensor(
                        t.Name,
                        stored,
                        t.Shape,
                        file => SafetensorsWriter.WriteValues(file, model.Weight(t.Name), stored)
                    )),
            ],
            new Dictionary<string, string> { ["format"] = "pt" }
        );
    }

    /// <summary>
    /// Whether a tensor of a checkpoint follows from the rest, so that it is neither needed nor read.
    /// </summary>
    /// <remarks>
    /// Old exports carry the rotary frequencies, and tied ones sometimes the output map a second time.
    /// </remarks>
    internal static bool IsDerived(string name, ModelConfig config) =>
        name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
        || (config.TieWordEmbeddings && name == TensorNames.LmHead);

    /// <summary>Refuses a folder whose tensors are not those of its config.</summary>
    internal static void Check(ModelConfig config, WeightIndex index, ScalarType? type)
    {
        if (OtherNames(config, index) is { } named)
            throw new InputException(index.Folder, named.Message, named.Hint);
        var problems = new List<InputProblem>();
        void Complain(string message, string? hint = null) =>
            problems.Add(new InputProblem(index.Folder, 0, 0, message, hint));
        var expected = new HashSet<string>(StringComparer.Ordinal);
        ScalarType? first = null;
        foreach (var (name, shape) in config.Tensors())
        {
            expected.Add(name);
            if (!index.Places.ContainsKey(name))
            {
                Complain(
                    $"tensor {name} is missing",
                    name == TensorNames.LmHead
                        ? "a checkpoint whose output map is its embedding says \"tie_word_embeddings\": true"
                        : null
                );
                continue;
            }
            var entry = index.Entry(name);
            if (!entry.Shape.SequenceEqual(shape))
                Complain(
                    $"tensor {name} is [{string.Join(", ", entry.Shape)}], but config.json makes it "
                        + $"[{string.Join(", ", shape)}]"
                );
            if (!TensorTypes.IsReal(entry.Type))
                Complain(
                    $"tensor {name} is stored as {TensorTypes.HeaderName(entry.Type)}; weights are real numbers",
                    "a quantised checkpoint cannot be read"
                );
            else if (type is null && entry.Type != (first ??= entry.Type))
                Complain(
                    $"tensor {name} is stored as {TensorTypes.HeaderName(entry.Type)}, others as "
                        + $"{TensorTypes.HeaderName(first.Value)}",
                    "load with a type"
                );
        }
        foreach (var name in index.Places.Keys)
            if (!expected.Contains(name) && !IsDerived(name, config))
                Complain($"tensor {name} is not part of a model with this config.json");
        if (problems.Count > 0)
            throw new InputException(Problems.Capped(problems));
    }

    // Names of another style than this architecture's have one cause, not one for every tensor.
    private static (string Message, string Hint)? OtherNames(ModelConfig config, WeightIndex index)
    {
        const string Own = "model.";
        var expected = config.Tensors().Select(t => t.Name).ToList();
        if (expected.Any(index.Places.ContainsKey) && index.Places.ContainsKey(TensorNames.Embedding))
            return null;
        if (index.Places.Keys.Any(n => n.Contains(".lora_A.", StringComparison.Ordinal)))
            return (
                "holds an adapter (LoRA), not a model's weights",
                "merge it into its base model first: peft's merge_and_unload(), then save_pretrained()"
            );
        // What stands before the name of the embedding stands before all.
        var tail = TensorNames.Embedding[Own.Length..];
        if (
            index.Places.Keys.FirstOrDefault(n => n.EndsWith(tail, StringComparison.Ordinal)) is { } found
            && found != TensorNames.Embedding
        )
        {
            var prefix = found[..^tail.Length];
            return prefix.Length == 0
                ? (
                    $"names its tensors without '{Own}' ({found} for {TensorNames.Embedding}): it was saved from the "
                        + "inner model",
                    "save the model with its head: AutoModelForCausalLM, not AutoModel"
                )
                : (
                    $"names its tensors with '{prefix}' where this architecture has '{Own}' ({found} for "
                        + $"{TensorNames.Embedding})",
                    "save the language model by itself; wrappers of training (DDP, FSDP, PEFT) leave such names"
                );
        }
        return null;
    }

    private static (Tensor Weight, long NotFinite) Place(
        SafetensorsFile file,
        string name,
        Device device,
        ScalarType? type,
        LoadOptions options
    )
    {
        var entry = file.Entries[name];
        long notFinite = 0;
        if (
            options.Mapped
            && device.type == DeviceType.CPU
            && (type ?? entry.Type) == entry.Type
            && file.Map(name) is { } mapped
        )
        {
            // Read rather than touched: a page fault for every few values would cost more than the check.
            if (options.CheckFinite)
                file.Scan(name, piece => notFinite += FiniteCheck.CountNotFinite(piece));
            return (mapped, notFinite);
        }
        var weight = HugePages.Advise(empty(entry.Shape, dtype: type ?? entry.Type, device: device));
        file.ReadInto(
            name,
            weight,
            options.CheckFinite ? piece => notFinite += FiniteCheck.CountNotFinite(piece) : null
        );
        return (weight, notFinite);
    }

    // What the folder says that changes nothing here: worth a word, no reason to refuse.
    private static void Doubts(string folder, ModelConfig config, WeightIndex index, LoadOptions options)
    {
        if (options.Warn is not { } warn)
            return;
        if (config.TieWordEmbeddings && index.Places.ContainsKey(TensorNames.LmHead))
            warn(
                $"{TensorNames.LmHead} is stored although config.json ties it to the embedding; the embedding is used"
            );
        if (ConfigFile.Note(Path.Combine(folder, ConfigFile.Name)) is { } note)
            warn(note);
        if (GenerationFile.Read(folder) is { StopStrings.Count: > 0 } generation)
            warn(
                $"{GenerationFile.Name} names stop strings ({string.Join(", ", generation.StopStrings)}); answers "
                    + "end at stop tokens only"
            );
        if (
            index.Metadata?["total_size"] is System.Text.Json.Nodes.JsonValue v
            && v.TryGetValue<long>(out var said)
            && said != index.Files.Sum(f => f.InOrder.Sum(e => e.Bytes))
        )
            warn(
                $"{WeightIndex.IndexName} says total_size {said}, but the shards hold "
                    + $"{index.Files.Sum(f => f.InOrder.Sum(e => e.Bytes))} bytes"
            );
    }
}
