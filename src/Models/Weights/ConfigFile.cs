using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Families;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>Reads and writes <c>config.json</c>. What it says is honoured or refused by name; nothing is guessed.</summary>
public static class ConfigFile
{
    // Said by real checkpoints, without effect on inference or on training here.
    private static readonly string[] WithoutEffect =
        ["_name_or_path", "architectures", "initializer_range", "use_cache", "pretraining_tp", "transformers_version", "pad_token_id", "output_router_logits"];

    /// <summary>The config and the type in which the weights are stored.</summary>
    /// <exception cref="InputException">Everything that is wrong or not supported, at once.</exception>
    public static (ModelConfig Config, ScalarType StoredType) Read(string path)
    {
        if (!File.Exists(path)) throw new InputException(path, "there is no such file", "a model folder holds config.json beside its safetensors");
        JsonObject root;
        try
        {
            var bytes = File.ReadAllBytes(path);
            root = JsonNode.Parse(bytes, documentOptions: new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false }) as JsonObject
                ?? throw new JsonException("it is not an object");
        }
        catch (JsonException e)
        {
            throw new InputException(new InputProblem(path, (int)(e.LineNumber ?? -1) + 1, (int)(e.BytePositionInLine ?? -1) + 1, "not valid JSON: " + e.Message));
        }
        return new Reader(path, root).Read();
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
            ["attention_bias"] = config.AttentionBias,
            ["bos_token_id"] = config.BosId,
            ["eos_token_id"] = config.EosIds.Count == 1 ? config.EosIds[0] : new JsonArray([.. config.EosIds.Select(i => (JsonNode)i)]),
            ["torch_dtype"] = storedType switch { ScalarType.BFloat16 => "bfloat16", ScalarType.Float16 => "float16", _ => "float32" },
        };
        if (config.RopeScaling is { } s)
            json["rope_scaling"] = new JsonObject
            {
                ["rope_type"] = "llama3",
                ["factor"] = s.Factor,
                ["low_freq_factor"] = s.LowFrequencyFactor,
                ["high_freq_factor"] = s.HighFrequencyFactor,
                ["original_max_position_embeddings"] = s.OriginalMaxPositions,
            };
        if (family.SlidingWindow) json["sliding_window"] = config.SlidingWindow;
        File.WriteAllText(path, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
    }

    private sealed class Reader(string path, JsonObject root)
    {
        private readonly List<InputProblem> _problems = [];
        private readonly HashSet<string> _seen = [.. WithoutEffect];

        public (ModelConfig, ScalarType) Read()
        {
            var type = Text("model_type", null);
            var hidden = Number("hidden_size", null, 1, 1 << 20);
            var heads = Number("num_attention_heads", null, 1, 4096);
            var layers = Number("num_hidden_layers", null, 1, 1024);
            var kvHeads = Number("num_key_value_heads", heads, 1, 4096);
            var positions = Number("max_position_embeddings", 2048, 1, 1 << 28);
            var scaling = Scaling();
            var window = Take("sliding_window") is null ? (int?)null : Number("sliding_window", null, 1, int.MaxValue);
            var config = new ModelConfig
            {
                Family = type == "mistral" ? "mistral" : scaling is null ? "llama2" : "llama31",
                VocabSize = Number("vocab_size", null, 1, 1 << 24),
                HiddenSize = hidden,
                IntermediateSize = Number("intermediate_size", null, 1, 1 << 22),
                Layers = layers,
                Heads = heads,
                KvHeads = kvHeads,
                HeadDim = Take("head_dim") is null ? hidden / Math.Max(heads, 1) : Number("head_dim", null, 1, 4096),
                RmsNormEps = Real("rms_norm_eps", 1e-6),
                RopeTheta = Real("rope_theta", 10000),
                RopeScaling = scaling,
                SlidingWindow = window,
                TieWordEmbeddings = Flag("tie_word_embeddings", false),
                AttentionBias = Flag("attention_bias", false),
                MaxPositions = positions,
                BosId = Number("bos_token_id", 1, 0, 1 << 24),
                EosIds = Ids("eos_token_id", 2),
            };
            if (type is not (null or "llama" or "mistral")) Complain("model_type", $"is '{type}'; this program reads llama and mistral");
            if (Text("hidden_act", "silu") is { } act and not "silu") Complain("hidden_act", $"is '{act}'; only silu is supported");
            if (Flag("mlp_bias", false)) Complain("mlp_bias", "is true; biases in the MLP are not supported");
            if (Real("attention_dropout", 0) != 0) Complain("attention_dropout", "is not 0; dropout inside attention is not supported");
            if (type == "llama" && window is not null) Complain("sliding_window", "is set for model_type llama, which has none");
            if (config.Heads % Math.Max(config.KvHeads, 1) != 0) Complain("num_key_value_heads", $"is {config.KvHeads}, which does not divide num_attention_heads {config.Heads}");
            if (config.HeadDim % 2 != 0) Complain("head_dim", $"is {config.HeadDim}; rotary angles need an even width");
            var stored = Text("torch_dtype", "float32") switch
            {
                "float32" => ScalarType.Float32,
                "bfloat16" => ScalarType.BFloat16,
                "float16" => ScalarType.Float16,
                var other => Complain("torch_dtype", $"is '{other}'; known are float32, bfloat16, float16", ScalarType.Float32),
            };
            foreach (var (key, _) in root)
                if (!_seen.Contains(key)) Complain(key, "is not known to this program, and ignoring it could change results", hint: "remove the field if it has no effect on inference");
            return _problems.Count == 0 ? (config, stored) : throw new InputException(_problems);
        }

        private Llama3RopeScaling? Scaling()
        {
            if (Take("rope_scaling") is not { } node) return null;
            if (node is not JsonObject o) return Complain<Llama3RopeScaling?>("rope_scaling", "is not an object", null);
            var kind = (o["rope_type"] ?? o["type"]) is JsonValue v && v.TryGetValue<string>(out var k) ? k : null;
            if (kind != "llama3") return Complain<Llama3RopeScaling?>("rope_scaling", $"is of type '{kind}'; only llama3 is supported", null);
            double Part(string name)
            {
                if (o[name] is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue<double>(out var d) && d > 0) return d;
                return Complain("rope_scaling." + name, "is not a positive number", 1.0);
            }
            return new Llama3RopeScaling(Part("factor"), Part("low_freq_factor"), Part("high_freq_factor"), (int)Math.Min(Part("original_max_position_embeddings"), int.MaxValue));
        }

        private JsonNode? Take(string key)
        {
            _seen.Add(key);
            return root[key];
        }

        private int Number(string key, int? fallback, int least, int most)
        {
            var node = Take(key);
            if (node is null && fallback is { } f) return f;
            if (node is null) return Complain(key, "is missing", least);
            if (node is JsonValue v && v.GetValueKind() == JsonValueKind.Number && v.TryGetValue<int>(out var n) && n >= least && n <= most) return n;
            return Complain(key, string.Create(CultureInfo.InvariantCulture, $"is {node.ToJsonString()}, not a whole number from {least} to {most}"), least);
        }

        private double Real(string key, double fallback)
        {
            var node = Take(key);
            if (node is null) return fallback;
            if (node is JsonValue v && v.GetValueKind() == JsonValueKind.Number && v.TryGetValue<double>(out var d) && double.IsFinite(d) && d >= 0) return d;
            return Complain(key, $"is {node.ToJsonString()}, not a number from 0", fallback);
        }

        private bool Flag(string key, bool fallback) => Take(key) switch
        {
            null => fallback,
            JsonValue v when v.TryGetValue<bool>(out var b) => b,
            var node => Complain(key, $"is {node.ToJsonString()}, not true or false", fallback),
        };

        private string? Text(string key, string? fallback) => Take(key) switch
        {
            null => fallback ?? Complain<string?>(key, "is missing", null),
            JsonValue v when v.TryGetValue<string>(out var s) => s,
            var node => Complain<string?>(key, $"is {node.ToJsonString()}, not text", fallback),
        };

        private IReadOnlyList<int> Ids(string key, int fallback)
        {
            var node = Take(key);
            if (node is null) return [fallback];
            var items = node is JsonArray a ? a.ToList() : [node];
            var ids = new List<int>();
            foreach (var item in items)
                if (item is JsonValue v && v.GetValueKind() == JsonValueKind.Number && v.TryGetValue<int>(out var id) && id >= 0) ids.Add(id);
                else return Complain<IReadOnlyList<int>>(key, $"is {node.ToJsonString()}, not a token id or a list of them", [fallback]);
            return ids.Count > 0 ? ids : Complain<IReadOnlyList<int>>(key, "is an empty list", [fallback]);
        }

        private void Complain(string key, string message, string? hint = null) => _problems.Add(new InputProblem(path, 0, 0, $"{key} {message}", hint));

        private T Complain<T>(string key, string message, T value)
        {
            Complain(key, message);
            return value;
        }
    }
}
