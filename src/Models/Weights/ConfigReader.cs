using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Families;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>One reading of a config.json: takes every field it knows, then complains about those left.</summary>
/// <remarks>
/// A field may be absent only where the format itself gives its absence a meaning that every reader shares: no scaling,
/// base 10000, no biases, silu, untied, of a Llama as many key-value heads as heads. Where the default of other
/// programs depends on family or version, it must be there.
/// </remarks>
internal sealed class ConfigReader(PlacedJson json, GenerationSettings? generation)
{
    private readonly List<InputProblem> _problems = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    // fields complained about: nothing is concluded from them
    private readonly HashSet<string> _wrong = new(StringComparer.Ordinal);

    // Fields that no rule speaks of.
    private readonly List<string> _unknown = [];

    /// <summary>
    /// Fields that nobody here knows, after <see cref="Read"/>. The published readers of these architectures ignore
    /// what they do not know, so weights and answers of a model do not depend on it; a word is due all the same.
    /// </summary>
    public IReadOnlyList<string> Unknown => _unknown;

    /// <summary>The config and the stored type.</summary>
    public (ModelConfig Config, ScalarType StoredType) Read(string? familyName)
    {
        var type = Text("model_type", null);
        var vocabulary = Number("vocab_size", null, 1, 1 << 24);
        var (theta, scaling) = new RopeFields(json, _seen, _problems).Read();
        var family = FamilyOf(type, vocabulary, scaling, familyName);
        var hidden = Number("hidden_size", null, 1, 1 << 20);
        var heads = Number("num_attention_heads", null, 1, 4096);
        var layers = Number("num_hidden_layers", null, 1, 1024);
        var (window, from) = new WindowFields(json, _seen, _problems).Read(family, layers);
        var biased = Said(family, "attention_bias");
        var eos = Eos();
        var config = new ModelConfig
        {
            Family = family?.Name ?? FamilyCatalog.All[0].Name,
            VocabSize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = Number("intermediate_size", null, 1, 1 << 22),
            Layers = layers,
            Heads = heads,
            KvHeads = KvHeads(family, heads),
            HeadDim = Take("head_dim") is null ? HeadDim(hidden, heads) : Number("head_dim", null, 1, 4096),
            RmsNormEps = Epsilon(),
            RopeTheta = theta,
            RopeScaling = scaling,
            SlidingWindow = window,
            WindowedFrom = from,
            TieWordEmbeddings = Flag("tie_word_embeddings", false),
            AttentionBias = biased || family?.Biases == BiasRule.QueryKeyValue,
            OutputBias = biased,
            MlpBias = Said(family, "mlp_bias"),
            QkNorm = family?.QkNorm == true,
            MaxPositions = Number("max_position_embeddings", null, 1, 1 << 28),
            BosId = Bos(family, eos),
            EosIds = eos,
            GenerationEosIds = generation?.EosIds,
            Sampling = generation?.Sampling,
        };
        if (Text("hidden_act", "silu") is { } act and not "silu")
            Complain("hidden_act", $"is '{act}'; only silu is supported");
        if (Number("pretraining_tp", 1, 1, 1 << 16) is var slices and > 1)
            Complain(
                "pretraining_tp",
                $"is {slices}; sums over slices of the weights are not supported",
                "set it to 1: the result differs by rounding only"
            );
        CheckShape(config, family);
        Architectures(family);
        var stored = StoredType();
        Rest();
        // In the order of the file; what is missing comes last.
        return _problems.Count == 0
            ? (config, stored)
            : throw new InputException([
                .. _problems.OrderBy(p => p.Line == 0).ThenBy(p => p.Line).ThenBy(p => p.Column),
            ]);
    }

    private Family? FamilyOf(string? type, int vocabulary, RopeScaling? scaling, string? name)
    {
        if (type is null)
            return null;
        if (FamilyCatalog.All.All(f => f.ModelType != type))
        {
            Complain(
                "model_type",
                $"is '{type}'; this program reads "
                    + string.Join(", ", FamilyCatalog.All.Select(f => f.ModelType).Distinct())
            );
            return null;
        }
        if (name is null)
            return FamilyCatalog.Recognise(type, new FamilyEvidence(vocabulary, scaling));
        var family = FamilyCatalog.Get(name);
        if (family.ModelType != type)
            Complain("model_type", $"is '{type}', but a model of the family {name} has '{family.ModelType}'");
        return family;
    }

    // The number that other readers take in its absence is theirs, unless it is the format's own meaning.
    private int KvHeads(Family? family, int heads)
    {
        const string key = "num_key_value_heads";
        var mustBeThere = family is { UngroupedByDefault: false } && !json.Root.ContainsKey(key);
        return Number(key, mustBeThere ? null : heads, 1, 4096);
    }

    // Whether maps have biases because the config says so.
    private bool Said(Family? family, string key)
    {
        if (!Flag(key, false))
            return false;
        if (family is null or { Biases: BiasRule.Said })
            return true;
        Complain(
            key,
            $"is true, but models of type {family.ModelType} have "
                + (family.Biases == BiasRule.None ? "no biases" : "biases on queries, keys and values alone")
        );
        return false;
    }

    private int HeadDim(int hidden, int heads)
    {
        if (hidden % heads != 0)
            Complain(
                "hidden_size",
                $"is {hidden}, which num_attention_heads {heads} does not divide, and there is no head_dim"
            );
        return Math.Max(hidden / heads, 1);
    }

    private double Epsilon()
    {
        if (Take("rms_norm_eps") is { } node)
            return Real(node, "rms_norm_eps", 1e-5);
        Complain("rms_norm_eps", "is missing", "Llama and Mistral have 1e-05, Qwen has 1e-06");
        return 1e-5;
    }

    // A family whose prompts begin with none may leave it out: nobody writes it then.
    private int Bos(Family? family, IReadOnlyList<int> eos)
    {
        _seen.Add("bos_token_id");
        var ids = GenerationFile.Ids(json, "bos_token_id", _problems);
        if (ids is { Count: > 1 })
            Complain("bos_token_id", "is a list; a prompt begins with one token");
        if ((ids?[0] ?? generation?.BosId) is { } id)
            return id;
        if (family is { BeginsWithToken: false })
            return eos[0];
        if (json.Root["bos_token_id"] is null)
            Complain(
                "bos_token_id",
                $"is {(json.Root.ContainsKey("bos_token_id") ? "null" : "missing")}, and {GenerationFile.Name} "
                    + "names none; every prompt of these families begins with one"
            );
        return 1;
    }

    private IReadOnlyList<int> Eos()
    {
        _seen.Add("eos_token_id");
        var ids = GenerationFile.Ids(json, "eos_token_id", _problems);
        if ((ids ?? generation?.EosIds) is { } all)
            return all;
        if (json.Root["eos_token_id"] is null)
            Complain(
                "eos_token_id",
                $"is {(json.Root.ContainsKey("eos_token_id") ? "null" : "missing")}, and {GenerationFile.Name} "
                    + "names none; nothing would end an answer"
            );
        return [2];
    }

    private void CheckShape(ModelConfig config, Family? family)
    {
        if (!_wrong.Overlaps(["num_attention_heads", "num_key_value_heads"]) && config.Heads % config.KvHeads != 0)
            Complain(
                "num_key_value_heads",
                $"is {config.KvHeads}, which does not divide num_attention_heads {config.Heads}"
            );
        if (!_wrong.Overlaps(["hidden_size", "num_attention_heads"]) && config.HeadDim % 2 != 0)
            Complain("head_dim", $"is {config.HeadDim}; rotary angles need an even width");
        if (config.RopeScaling is not null && family is { ModelType: "mistral" })
            Complain("rope_scaling", "is set, but models of type mistral have none here");
        CheckIds(config);
    }

    private void CheckIds(ModelConfig config)
    {
        var said = new[]
        {
            ("eos_token_id", config.EosIds),
            ("bos_token_id", [config.BosId]),
            (GenerationFile.Name + ": eos_token_id", config.GenerationEosIds ?? []),
        };
        foreach (var (key, ids) in said)
            if (
                !_wrong.Overlaps([key, "vocab_size"])
                && ids.FirstOrDefault(i => i >= config.VocabSize) is var id and > 0
            )
                Complain(key, $"is {id}, but there are only {config.VocabSize} words");
    }

    private void Architectures(Family? family)
    {
        if (Take("architectures") is not { } node || family is null)
            return;
        if (
            node is not JsonArray a
            || !a.Any(t => t is JsonValue v && v.TryGetValue<string>(out var s) && s == family.Architecture)
        )
            Complain(
                "architectures",
                $"is {GenerationFile.Shown(node)}; "
                    + $"a language model of type {family.ModelType} is a {family.Architecture}"
            );
    }

    // transformers 5 calls it dtype, 4 torch_dtype; a file may say both.
    private ScalarType StoredType()
    {
        var types = new[] { "torch_dtype", "dtype" }
            .Select(key => (Key: key, Type: StoredType(key)))
            .Where(t => t.Type is not null)
            .ToList();
        if (types.Count == 2 && types[0].Type != types[1].Type)
            Complain("dtype", "and torch_dtype disagree");
        return types.Count > 0 ? types[0].Type!.Value : ScalarType.Float32;
    }

    private ScalarType? StoredType(string key)
    {
        if (Take(key) is null)
            return null;
        var name = Text(key, "float32");
        if (name is not null && TensorTypes.FromConfig(name) is { } type)
            return type;
        if (name is not null)
            Complain(key, $"is '{name}'; known are {string.Join(", ", TensorTypes.ConfigNames)}");
        return null;
    }

    private void Rest()
    {
        foreach (var (key, node) in json.Root)
        {
            if (_seen.Contains(key) || ConfigFields.WithoutEffect.Contains(key))
                continue;
            if (ConfigFields.Refused.TryGetValue(key, out var refused))
            {
                if (node is not null)
                    Complain(key, refused.Why, refused.Hint);
            }
            else if (ConfigFields.MustBeNeutral.TryGetValue(key, out var why))
            {
                if (!IsNeutral(key, node))
                    Complain(key, $"is {GenerationFile.Shown(node)}; {why}");
            }
            else
                _unknown.Add(key);
        }
    }

    private static bool IsNeutral(string key, JsonNode? node) =>
        node switch
        {
            null => true,
            JsonArray a => a.Count == 0,
            JsonObject o => o.Count == 0,
            JsonValue v => v.GetValueKind() switch
            {
                JsonValueKind.False => true,
                JsonValueKind.Number => v.TryGetValue<double>(out var d)
                    && d == ConfigFields.NeutralNumbers.GetValueOrDefault(key),
                JsonValueKind.String => v.TryGetValue<string>(out var s) && s.Length == 0,
                _ => false,
            },
            _ => false,
        };

    private JsonNode? Take(string key)
    {
        _seen.Add(key);
        return json.Root[key];
    }

    private int Number(string key, int? fallback, int least, int most)
    {
        var node = Take(key);
        if (node is null && fallback is { } f)
            return f;
        if (node is null)
            Complain(key, json.Root.ContainsKey(key) ? "is null" : "is missing");
        else if (
            node is JsonValue v
            && v.GetValueKind() == JsonValueKind.Number
            && v.TryGetValue<int>(out var n)
            && n >= least
            && n <= most
        )
            return n;
        else
            Complain(
                key,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"is {GenerationFile.Shown(node)}, not a whole number from {least} to {most}"
                )
            );
        return least;
    }

    private double Real(JsonNode node, string key, double fallback)
    {
        if (
            node is JsonValue v
            && v.GetValueKind() == JsonValueKind.Number
            && v.TryGetValue<double>(out var d)
            && double.IsFinite(d)
            && d > 0
            && d < 1
        )
            return d;
        Complain(key, $"is {GenerationFile.Shown(node)}, not a number between 0 and 1");
        return fallback;
    }

    private bool Flag(string key, bool fallback)
    {
        var node = Take(key);
        if (node is null)
            return fallback;
        if (node is JsonValue v && v.TryGetValue<bool>(out var b))
            return b;
        Complain(key, $"is {GenerationFile.Shown(node)}, not true or false");
        return fallback;
    }

    private string? Text(string key, string? fallback)
    {
        var node = Take(key);
        if (node is null && fallback is not null)
            return fallback;
        if (node is null)
            Complain(key, "is missing");
        else if (node is JsonValue v && v.TryGetValue<string>(out var s))
            return s;
        else
            Complain(key, $"is {GenerationFile.Shown(node)}, not text");
        return null;
    }

    private void Complain(string key, string message, string? hint = null)
    {
        _wrong.Add(key);
        _problems.Add(json.Problem(key, $"{key} {message}", hint));
    }
}
