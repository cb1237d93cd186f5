using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Families;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// Reads and writes <c>config.json</c>. What it says is honoured or refused by name; nothing is guessed.
/// </summary>
public static class ConfigFile
{
    /// <summary>Its name in a model folder.</summary>
    public const string Name = "config.json";

    /// <summary>
    /// The config and the type in which the weights are stored; <c>generation_config.json</c> beside it is read too.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="family">The family's name where the caller knows it; null to recognise it.</param>
    /// <exception cref="InputException">Everything that is wrong or not supported, at once.</exception>
    public static (ModelConfig Config, ScalarType StoredType) Read(string path, string? family = null)
    {
        if (!File.Exists(path))
            throw FolderKind.NotAModel(path);
        var generation = GenerationFile.Read(Path.GetDirectoryName(path)!);
        return new ConfigReader(PlacedJson.Read(path), generation).Read(family);
    }

    /// <summary>What a config says that is known to nobody here, and has no effect: a line, or null.</summary>
    /// <param name="path">The file, which can be read.</param>
    public static string? Note(string path)
    {
        var reader = new ConfigReader(PlacedJson.Read(path), GenerationFile.Read(Path.GetDirectoryName(path)!));
        _ = reader.Read(null);
        return reader.Unknown.Count == 0
            ? null
            : $"{Name} has fields that are not known here and are ignored: {string.Join(", ", reader.Unknown)}";
    }

    /// <summary>The config of a checkpoint as this library's readers, and Hugging Face's, expect it.</summary>
    public static void Write(string path, ModelConfig config, ScalarType storedType)
    {
        ArgumentNullException.ThrowIfNull(config);
        var family = FamilyCatalog.Get(config.Family);
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray(family.Architecture),
            ["model_type"] = family.ModelType,
            ["vocab_size"] = config.VocabSize,
            ["hidden_size"] = config.HiddenSize,
            ["intermediate_size"] = config.IntermediateSize,
            ["num_hidden_layers"] = config.Layers,
            ["num_attention_heads"] = config.Heads,
            ["num_key_value_heads"] = config.KvHeads,
            ["head_dim"] = config.HeadDim,
            ["hidden_act"] = "silu",
            ["rms_norm_eps"] = config.RmsNormEps,
            ["rope_theta"] = config.RopeTheta,
            ["max_position_embeddings"] = config.MaxPositions,
            ["tie_word_embeddings"] = config.TieWordEmbeddings,
            ["bos_token_id"] = config.BosId,
            ["eos_token_id"] =
                config.EosIds.Count == 1
                    ? config.EosIds[0]
                    : new JsonArray([.. config.EosIds.Select(i => (JsonNode)i)]),
            ["torch_dtype"] = TensorTypes.ConfigName(storedType) ?? "float32",
        };
        if (family.Biases == BiasRule.Said)
            json["attention_bias"] = config.AttentionBias;
        if (config.MlpBias)
            json["mlp_bias"] = true;
        if (config.RopeScaling is LinearRopeScaling linear)
            json["rope_scaling"] = new JsonObject { ["rope_type"] = "linear", ["factor"] = linear.Factor };
        if (config.RopeScaling is Llama3RopeScaling s)
            json["rope_scaling"] = new JsonObject
            {
                ["rope_type"] = "llama3",
                ["factor"] = s.Factor,
                ["low_freq_factor"] = s.LowFrequencyFactor,
                ["high_freq_factor"] = s.HighFrequencyFactor,
                ["original_max_position_embeddings"] = s.OriginalMaxPositions,
            };
        if (family.Window != WindowRule.None)
            json["sliding_window"] = config.SlidingWindow;
        if (family.Window == WindowRule.Above)
        {
            json["use_sliding_window"] = config.SlidingWindow is not null;
            json["max_window_layers"] = config.SlidingWindow is null ? config.Layers : config.WindowedFrom;
        }
        File.WriteAllText(path, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
    }
}
