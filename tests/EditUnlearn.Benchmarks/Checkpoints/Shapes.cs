using EditUnlearn.Models;

namespace EditUnlearn.Benchmarks.Checkpoints;

/// <summary>The published shapes of real models.</summary>
internal static class Shapes
{
    private static readonly Dictionary<string, ModelConfig> All = new(StringComparer.Ordinal)
    {
        ["llama2-7b"] = new()
        {
            Family = "llama2",
            VocabSize = 32000,
            HiddenSize = 4096,
            IntermediateSize = 11008,
            Layers = 32,
            Heads = 32,
            KvHeads = 32,
            HeadDim = 128,
            MaxPositions = 4096,
        },
        ["mistral-7b"] = new()
        {
            Family = "mistral",
            VocabSize = 32000,
            HiddenSize = 4096,
            IntermediateSize = 14336,
            Layers = 32,
            Heads = 32,
            KvHeads = 8,
            HeadDim = 128,
            SlidingWindow = 4096,
            MaxPositions = 32768,
        },
        ["llama31-8b"] = new()
        {
            Family = "llama31",
            VocabSize = 128256,
            HiddenSize = 4096,
            IntermediateSize = 14336,
            Layers = 32,
            Heads = 32,
            KvHeads = 8,
            HeadDim = 128,
            MaxPositions = 131072,
            RopeTheta = 500000,
            RopeScaling = new Llama3RopeScaling(8, 1, 4, 8192),
            BosId = 128000,
            EosIds = [128001, 128008, 128009],
        },
        ["llama32-1b"] = new()
        {
            Family = "llama31",
            VocabSize = 128256,
            HiddenSize = 2048,
            IntermediateSize = 8192,
            Layers = 16,
            Heads = 32,
            KvHeads = 8,
            HeadDim = 64,
            MaxPositions = 131072,
            TieWordEmbeddings = true,
            RopeTheta = 500000,
            RopeScaling = new Llama3RopeScaling(32, 1, 4, 8192),
            BosId = 128000,
            EosIds = [128001, 128008, 128009],
        },
    };

    // The families' wiring, depth and vocabulary on a width that costs nothing: for rehearsals.
    private const string StandIn = "-stand-in";

    public static ModelConfig Get(string name) =>
        All.GetValueOrDefault(name)
        ?? (
            name.EndsWith(StandIn, StringComparison.Ordinal)
            && All.GetValueOrDefault(name[..^StandIn.Length]) is { } real
                ? Narrow(real)
                : null
        )
        ?? throw new ArgumentException(
            $"There is no shape '{name}'; known are {string.Join(", ", All.Keys)}, and each of them with {StandIn} "
                + "at its end."
        );

    private static ModelConfig Narrow(ModelConfig real) =>
        real with
        {
            HiddenSize = 32,
            IntermediateSize = 64,
            Heads = 4,
            KvHeads = real.KvHeads == real.Heads ? 4 : 2,
            HeadDim = 8,
        };
}
