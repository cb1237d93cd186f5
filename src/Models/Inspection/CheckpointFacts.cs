using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Inspection;

/// <summary>
/// What a model folder holds, read from its headers: shape, sizes, and what a user asks first. No weight is loaded.
/// </summary>
/// <param name="Config">Shape and constants.</param>
/// <param name="Family">The family it was recognised as.</param>
/// <param name="Stored">Parameters and bytes by element type.</param>
/// <param name="Files">Weight files with their sizes [bytes].</param>
/// <param name="Tokenizers">Tokenizer files that are there.</param>
/// <param name="TokenizerProblem">Why the tokenizer cannot be used; null where it can, or where there is none.</param>
/// <param name="Note">What is worth a word about its config, or null.</param>
public sealed record CheckpointFacts(
    ModelConfig Config,
    Family Family,
    IReadOnlyList<(string Type, long Parameters, long Bytes)> Stored,
    IReadOnlyList<(string Name, long Bytes)> Files,
    IReadOnlyList<string> Tokenizers,
    InputException? TokenizerProblem,
    string? Note
)
{
    /// <summary>Parts of the tokenizer's file that are not followed, with the reason.</summary>
    public IReadOnlyList<string> TokenizerNotes { get; private init; } = [];

    private static readonly string[] FilesOfTokenizers =
    [
        "tokenizer.model",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ];

    /// <summary>Reads the headers of a folder.</summary>
    /// <exception cref="InputException">The folder is no model folder, or its config is wrong.</exception>
    /// <exception cref="DamagedFileException">A weight file breaks its format.</exception>
    public static CheckpointFacts Of(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder");
        var config = ConfigFile.Read(Path.Combine(folder, ConfigFile.Name)).Config;
        var index = WeightIndex.Read(folder);
        WeightFolder.Check(config, index, ScalarType.Float32);
        var entries = index.Places.Keys.Select(index.Entry).ToList();
        var (problem, notes) = Tokenizer(folder, config);
        return new CheckpointFacts(
            config,
            FamilyCatalog.Get(config.Family),
            [
                .. entries
                    .GroupBy(e => e.Type)
                    .OrderBy(g => g.Key)
                    .Select(g =>
                        (Compute.NameOf(g.Key), g.Sum(e => e.Shape.Aggregate(1L, (a, n) => a * n)), g.Sum(e => e.Bytes))
                    ),
            ],
            [.. index.Files.Select(f => (Path.GetFileName(f.Path), new FileInfo(f.Path).Length))],
            [.. FilesOfTokenizers.Where(f => File.Exists(Path.Combine(folder, f)))],
            problem,
            ConfigFile.Note(Path.Combine(folder, ConfigFile.Name))
        )
        {
            TokenizerNotes = notes,
            Chat = ChatFacts.Of(folder, config),
        };
    }

    /// <summary>How it is asked; null where there is no tokenizer that can be read.</summary>
    public ChatFacts? Chat { get; init; }

    /// <summary>Parameters in all.</summary>
    public long Parameters => Stored.Sum(s => s.Parameters);

    /// <summary>Bytes the weights take in memory in the given type.</summary>
    public long BytesAs(ScalarType type) =>
        Config.Tensors().Sum(t => t.Shape.Aggregate(1L, (a, n) => a * n)) * (type == ScalarType.Float32 ? 4 : 2);

    /// <summary>For people: a label and a value a line.</summary>
    /// <param name="bytes">How sizes are written.</param>
    public IEnumerable<(string What, string Value)> Lines(Func<long, string> bytes)
    {
        string N(long n) => n.ToString("N0", CultureInfo.InvariantCulture);
        yield return ("family", $"{Family.Label} ({Config.Family})");
        yield return ("parameters", N(Parameters));
        yield return (
            "stored",
            string.Join(", ", Stored.Select(s => $"{s.Type} {bytes(s.Bytes)}"))
                + $" in {Files.Count} file{(Files.Count == 1 ? "" : "s")}"
        );
        yield return (
            "in memory",
            $"float32 {bytes(BytesAs(ScalarType.Float32))}, bfloat16 {bytes(BytesAs(ScalarType.BFloat16))}"
        );
        yield return ("blocks", N(Config.Layers));
        yield return ("width, MLP width", $"{N(Config.HiddenSize)}, {N(Config.IntermediateSize)}");
        yield return ("heads", $"{Config.Heads} query, {Config.KvHeads} key-value, {Config.HeadDim} wide");
        yield return (
            "vocabulary",
            N(Config.VocabSize) + (Config.TieWordEmbeddings ? ", embedding tied to the output" : "")
        );
        yield return (
            "positions",
            N(Config.MaxPositions) + (Config.SlidingWindow is { } w ? $", sliding window {N(w)}" + Above : "")
        );
        yield return (
            "rotary base",
            Config.RopeTheta.ToString("R", CultureInfo.InvariantCulture)
                + Config.RopeScaling switch
                {
                    Llama3RopeScaling s => string.Create(
                        CultureInfo.InvariantCulture,
                        $", llama3 scaling by {s.Factor} from {s.OriginalMaxPositions} positions"
                    ),
                    LinearRopeScaling s => string.Create(
                        CultureInfo.InvariantCulture,
                        $", linear scaling by {s.Factor}"
                    ),
                    _ => "",
                }
        );
        yield return (
            "BOS, EOS, stop",
            $"{Config.BosId}, {string.Join(" ", Config.EosIds)}, {string.Join(" ", Config.StopIds)}"
        );
        yield return (
            "tokenizer",
            Tokenizers.Count == 0 ? "none: only exact ids can be used"
                : string.Join(", ", Tokenizers)
                    + (TokenizerProblem is { } problem ? $", cannot be used: {problem.Problems[0].Message}" : "")
        );
        foreach (var note in TokenizerNotes)
            yield return ("tokenizer's note", note);
        if (Note is not null)
            yield return ("note", Note);
        foreach (var line in Chat?.Lines() ?? [])
            yield return line;
    }

    // Why the tokenizer cannot be used, or what of it is not followed. Damage of a file goes its own way.
    private static (InputException? Problem, IReadOnlyList<string> Notes) Tokenizer(string folder, ModelConfig config)
    {
        try
        {
            return (null, TokenizerFolder.Load(folder, config) is JsonTokenizer tokenizer ? tokenizer.Notes : []);
        }
        catch (InputException e)
        {
            return (e, []);
        }
    }

    private string Above => Config.WindowedFrom > 0 ? $" from block {Config.WindowedFrom} on" : "";

    /// <summary>For programs.</summary>
    public JsonObject ToJson() =>
        new()
        {
            ["family"] = Config.Family,
            ["parameters"] = Parameters,
            ["stored"] = new JsonArray([
                .. Stored.Select(s => new JsonObject
                {
                    ["type"] = s.Type,
                    ["parameters"] = s.Parameters,
                    ["bytes"] = s.Bytes,
                }),
            ]),
            ["files"] = new JsonArray([
                .. Files.Select(f => new JsonObject { ["name"] = f.Name, ["bytes"] = f.Bytes }),
            ]),
            ["bytesFloat32"] = BytesAs(ScalarType.Float32),
            ["bytesBFloat16"] = BytesAs(ScalarType.BFloat16),
            ["layers"] = Config.Layers,
            ["hiddenSize"] = Config.HiddenSize,
            ["intermediateSize"] = Config.IntermediateSize,
            ["heads"] = Config.Heads,
            ["kvHeads"] = Config.KvHeads,
            ["headDim"] = Config.HeadDim,
            ["vocabSize"] = Config.VocabSize,
            ["maxPositions"] = Config.MaxPositions,
            ["slidingWindow"] = Config.SlidingWindow,
            ["ropeTheta"] = Config.RopeTheta,
            ["windowedFrom"] = Config.SlidingWindow is null ? null : Config.WindowedFrom,
            ["ropeScaling"] = Config.RopeScaling switch
            {
                Llama3RopeScaling s => new JsonObject
                {
                    ["type"] = "llama3",
                    ["factor"] = s.Factor,
                    ["originalMaxPositions"] = s.OriginalMaxPositions,
                },
                LinearRopeScaling s => new JsonObject { ["type"] = "linear", ["factor"] = s.Factor },
                _ => null,
            },
            ["tieWordEmbeddings"] = Config.TieWordEmbeddings,
            ["attentionBias"] = Config.AttentionBias,
            ["outputBias"] = Config.OutputBias,
            ["mlpBias"] = Config.MlpBias,
            ["qkNorm"] = Config.QkNorm,
            ["bosId"] = Config.BosId,
            ["eosIds"] = new JsonArray([.. Config.EosIds.Select(i => (JsonNode)i)]),
            ["stopIds"] = new JsonArray([.. Config.StopIds.Select(i => (JsonNode)i)]),
            ["tokenizerFiles"] = new JsonArray([.. Tokenizers.Select(t => (JsonNode)t)]),
            ["tokenizerNotes"] = new JsonArray([.. TokenizerNotes.Select(n => (JsonNode)n)]),
            ["chat"] = Chat?.ToJson(),
        };
}
