using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// Low-rank adapters as the library peft keeps them: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.
/// An adapter is a change of weights, W + s B A.
/// </summary>
/// <remarks>
/// Source: Hu et al. (2021); the format as peft 0.13 writes it. What would change the computation and is not supported
/// is refused by name.
/// </remarks>
internal static partial class PeftAdapter
{
    /// <summary>Its description.</summary>
    public const string ConfigFile = "adapter_config.json";

    private const string TensorFile = "adapter_model.safetensors";
    private const string Prefix = "base_model.model.";
    private const string ASuffix = ".lora_A.weight",
        BSuffix = ".lora_B.weight",
        WeightSuffix = ".weight";

    // Fields that must say "no", with what they would ask for.
    private static readonly (string Key, string Why)[] MustBeNeutral =
    [
        ("use_dora", "adapters with magnitudes (DoRA) are not supported"),
        ("fan_in_fan_out", "transposed weights are not supported"),
        ("modules_to_save", "modules that were trained whole are not supported"),
        ("layer_replication", "repeated blocks are not supported"),
        ("lora_bias", "biases of an adapter are not supported"),
        ("trainable_token_indices", "trained token embeddings are not supported"),
        ("use_qalora", "adapters of quantised models are not supported"),
    ];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Whether a folder holds an adapter of peft.</summary>
    public static bool IsOne(string folder) => File.Exists(Path.Combine(folder, ConfigFile));

    /// <summary>Reads an adapter.</summary>
    /// <param name="folder">Of the adapter.</param>
    /// <returns>The change of each adapted weight, by its name in a checkpoint.</returns>
    /// <exception cref="InputException">It is of another kind, or its tensors do not fit its config; all at
    /// once.</exception>
    /// <exception cref="DamagedFileException">The tensors break their format.</exception>
    public static WeightPatch Read(string folder)
    {
        var config = PlacedJson.Read(Path.Combine(folder, ConfigFile));
        var problems = new List<InputProblem>();
        var (rank, alpha, rslora) = Settings(config, problems);
        if (!File.Exists(Path.Combine(folder, TensorFile)))
            problems.Add(
                new InputProblem(
                    folder,
                    0,
                    0,
                    $"holds no {TensorFile}",
                    File.Exists(Path.Combine(folder, "adapter_model.bin"))
                        ? "save it again with safe_serialization=True: .bin is pickle, which can run code"
                        : "complete the download"
                )
            );
        if (problems.Count > 0)
            throw new InputException(problems);
        var file = SafetensorsFile.Open(Path.Combine(folder, TensorFile));
        var changes = new Dictionary<string, WeightChange>(StringComparer.Ordinal);
        var (ranks, alphas) = (Pattern(config, "rank_pattern"), Pattern(config, "alpha_pattern"));
        foreach (var name in file.Entries.Keys.Order(StringComparer.Ordinal))
        {
            var (map, isA) = MapOf(name);
            if (map is null)
                problems.Add(Wrong(file, $"'{name}' is no factor of an adapter"));
            else if (isA)
            {
                var r = (int)(Own(ranks, map) ?? rank);
                var scale = (Own(alphas, map) ?? alpha) / (rslora ? Math.Sqrt(r) : r);
                if (Change(file, name, name[..^ASuffix.Length] + BSuffix, r, scale, problems) is { } change)
                    changes.Add(map + WeightSuffix, change);
            }
            else if (!file.Entries.ContainsKey(name[..^BSuffix.Length] + ASuffix))
                problems.Add(Wrong(file, $"'{name}' has no other factor"));
        }
        if (changes.Count == 0 && problems.Count == 0)
            problems.Add(Wrong(file, "holds no factor"));
        if (problems.Count > 0)
        {
            foreach (var change in changes.Values)
                change.Dispose();
            throw new InputException(problems);
        }
        return new WeightPatch(changes);
    }

    /// <summary>
    /// Writes a change as an adapter that peft reads: with alpha = r, so that factors stand as they are.
    /// </summary>
    /// <param name="folder">Made if it is not there.</param>
    /// <param name="patch">Low-rank changes of one rank, of maps of blocks.</param>
    /// <param name="baseModel">Name or folder of the model, as peft asks for it.</param>
    /// <exception cref="ArgumentException">The change is not of that kind.</exception>
    public static void Write(string folder, WeightPatch patch, string baseModel)
    {
        ArgumentNullException.ThrowIfNull(patch);
        if (!CanWrite(patch))
            throw new ArgumentException("Only low-rank changes of one rank are adapters.", nameof(patch));
        Directory.CreateDirectory(folder);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var tensors = new List<KeyValuePair<string, Tensor>>();
        foreach (var (name, change) in patch.Changes.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            var low = (LowRankChange)change;
            var map = Prefix + name[..^WeightSuffix.Length];
            tensors.Add(new(map + ASuffix, low.Right.t().contiguous()));
            tensors.Add(new(map + BSuffix, low.Left));
        }
        SafetensorsWriter.Write(Path.Combine(folder, TensorFile), tensors);
        var rank = ((LowRankChange)patch.Changes.Values.First()).Left.shape[1];
        var config = new JsonObject
        {
            ["peft_type"] = "LORA",
            ["task_type"] = "CAUSAL_LM",
            ["base_model_name_or_path"] = baseModel,
            ["r"] = rank,
            ["lora_alpha"] = rank,
            ["lora_dropout"] = 0.0,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["use_rslora"] = false,
            ["use_dora"] = false,
            ["inference_mode"] = true,
            ["target_modules"] = new JsonArray([
                .. patch
                    .Changes.Keys.Select(n => n.Split('.')[^2])
                    .Distinct()
                    .Order(StringComparer.Ordinal)
                    .Select(n => (JsonNode)n),
            ]),
        };
        File.WriteAllText(Path.Combine(folder, ConfigFile), config.ToJsonString(Indented) + "\n");
    }

    /// <summary>Whether a change can be written as an adapter.</summary>
    public static bool CanWrite(WeightPatch patch)
    {
        ArgumentNullException.ThrowIfNull(patch);
        return patch.Changes.Count > 0
            && patch.Changes.All(c => c.Value is LowRankChange && BlockMap().IsMatch(c.Key))
            && patch.Changes.Values.Cast<LowRankChange>().Select(c => c.Left.shape[1]).Distinct().Count() == 1;
    }

    private static (int Rank, double Alpha, bool Rslora) Settings(PlacedJson config, List<InputProblem> problems)
    {
        void Complain(string key, string message, string? hint = null) =>
            problems.Add(config.Problem(key, $"{key} {message}", hint));
        var kind = config.Root["peft_type"] as JsonValue;
        if (kind is null || !kind.TryGetValue<string>(out var type) || type != "LORA")
            Complain("peft_type", $"is {GenerationFile.Shown(config.Root["peft_type"])}; only LORA is supported");
        foreach (var (key, why) in MustBeNeutral)
            if (
                config.Root[key]
                is not (null or JsonArray { Count: 0 } or JsonObject { Count: 0 })
                && !(config.Root[key] is JsonValue v && v.GetValueKind() == JsonValueKind.False)
            )
                Complain(
                    key,
                    $"is {GenerationFile.Shown(config.Root[key])}; {why}",
                    "merge it with peft: merge_and_unload()"
                );
        if (config.Root["bias"] is JsonValue bias && bias.TryGetValue<string>(out var biases) && biases != "none")
            Complain("bias", $"is '{biases}'; trained biases are not supported", "merge it with peft");
        double Number(string key)
        {
            if (
                config.Root[key] is JsonValue v
                && v.GetValueKind() == JsonValueKind.Number
                && v.TryGetValue<double>(out var n)
                && double.IsFinite(n)
                && n > 0
            )
                return n;
            Complain(key, $"is {GenerationFile.Shown(config.Root[key])}, not a positive number");
            return 1;
        }
        var rank = Number("r");
        if (rank % 1 != 0 || rank > 1 << 16)
            Complain("r", $"is {rank.ToString(CultureInfo.InvariantCulture)}, not a rank");
        var rslora = config.Root["use_rslora"] is JsonValue flag && flag.TryGetValue<bool>(out var on) && on;
        return ((int)Math.Clamp(rank, 1, 1 << 16), Number("lora_alpha"), rslora);
    }

    // The name of the adapted map in the checkpoint, and which factor it is.
    private static (string? Map, bool IsA) MapOf(string name)
    {
        var own = name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;
        return own.EndsWith(ASuffix, StringComparison.Ordinal) ? (own[..^ASuffix.Length], true)
            : own.EndsWith(BSuffix, StringComparison.Ordinal) ? (own[..^BSuffix.Length], false)
            : (null, false);
    }

    private static LowRankChange? Change(
        SafetensorsFile file,
        string a,
        string b,
        int rank,
        double scale,
        List<InputProblem> problems
    )
    {
        if (!file.Entries.TryGetValue(b, out var second))
        {
            problems.Add(Wrong(file, $"'{a}' has no other factor"));
            return null;
        }
        var (left, right) = (second.Shape, file.Entries[a].Shape);
        if (left.Length != 2 || right.Length != 2 || left[1] != rank || right[0] != rank)
        {
            problems.Add(
                Wrong(
                    file,
                    $"'{a}' is [{string.Join(", ", right)}] and its other factor [{string.Join(", ", left)}], but the "
                        + $"rank is {rank}"
                )
            );
            return null;
        }
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        return new LowRankChange(
            (file.Read(b).to(ScalarType.Float32) * scale).MoveToOuterDisposeScope(),
            file.Read(a).to(ScalarType.Float32).t().contiguous().MoveToOuterDisposeScope()
        );
    }

    private static InputProblem Wrong(SafetensorsFile file, string message) => new(file.Path, 0, 0, message);

    // Values for single maps: by the end of their name, as peft matches them.
    private static Dictionary<string, double> Pattern(PlacedJson config, string key) =>
        config.Root[key] is JsonObject o
            ? o.Where(p => p.Value is JsonValue v && v.TryGetValue<double>(out _))
                .ToDictionary(p => p.Key, p => p.Value!.GetValue<double>(), StringComparer.Ordinal)
            : [];

    private static double? Own(Dictionary<string, double> pattern, string map)
    {
        foreach (var (key, value) in pattern)
            if (map == key || map.EndsWith("." + key, StringComparison.Ordinal))
                return value;
        return null;
    }

    [GeneratedRegex(@"^model\.layers\.\d+\.(self_attn|mlp)\.\w+\.weight$")]
    private static partial Regex BlockMap();
}
