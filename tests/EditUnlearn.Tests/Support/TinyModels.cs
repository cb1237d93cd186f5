using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// Decoders small enough for properties: random weights, grouped heads, an MLP width unlike the model's.
/// </summary>
public static class TinyModels
{
    public static CausalLm Llama(ulong seed = 1, int layers = 3, int? window = null, int words = 97) =>
        CausalLm.Random(
            new ModelConfig
            {
                Family = window is null ? "llama2" : "mistral",
                VocabSize = words,
                HiddenSize = 32,
                IntermediateSize = 56,
                Layers = layers,
                Heads = 4,
                KvHeads = 2,
                HeadDim = 8,
                SlidingWindow = window,
                MaxPositions = 128,
            },
            new Seed(seed)
        );

    /// <summary>
    /// The same with weights wide enough that every block matters and logits are not flat, as after training.
    /// </summary>
    public static CausalLm Lively(ulong seed = 1, int layers = 3, int? window = null, int words = 97)
    {
        return Enlivened(Llama(seed, layers, window, words));
    }

    /// <summary>The same of any shape, with gains and biases that matter.</summary>
    public static CausalLm Lively(ModelConfig config)
    {
        var model = Enlivened(CausalLm.Random(config, new Seed(1)));
        using var quiet = TorchSharp.torch.no_grad();
        using var scope = TorchSharp.torch.NewDisposeScope();
        var draw = new Seed(2).Stream("gains and biases");
        foreach (var (_, weight) in model.Weights.Where(w => w.Value.shape.Length == 1))
            for (long i = 0; i < weight.shape[0]; i++)
                weight[i] += (float)(0.3 * draw.NextGaussian());
        return model;
    }

    private static CausalLm Enlivened(CausalLm model)
    {
        using var quiet = TorchSharp.torch.no_grad();
        using var scope = TorchSharp.torch.NewDisposeScope();
        foreach (var (name, weight) in model.Weights.Where(w => w.Value.shape.Length == 2))
        {
            var width = name.Contains("embed", StringComparison.Ordinal)
                ? 0.5
                : (name.Contains("lm_head", StringComparison.Ordinal) ? 2 : 1.2) / Math.Sqrt(weight.shape[1]);
            weight.mul_(width / weight.std());
        }
        return model;
    }

    /// <summary>Names of the tiny checkpoints of the fixtures, whatever golden folder is in use.</summary>
    public static IReadOnlyList<string> CheckpointNames { get; } =
    [
        .. Directory
            .EnumerateDirectories(Path.Combine(Checkout.Fixtures, "models"))
            .Select(f => Path.GetFileName(f)!)
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The same as data of a theory.</summary>
    public static TheoryData<string> Checkpoints => [.. CheckpointNames];

    /// <summary>A tiny checkpoint of the fixtures.</summary>
    public static CausalLm Checkpoint(string name) =>
        WeightFolder.Load(Path.Combine(Checkout.Fixtures, "models", name), TorchSharp.torch.CPU);

    /// <summary>
    /// A model whose blocks write nothing: the stream is 1 everywhere, and every position has these logits, whatever
    /// comes before. For examples computed by hand.
    /// </summary>
    public static CausalLm Constant(params double[] logits)
    {
        var model = Llama(words: logits.Length);
        using var quiet = TorchSharp.torch.no_grad();
        foreach (var (name, weight) in model.Weights)
            if (name.EndsWith("o_proj.weight", StringComparison.Ordinal) || name.Contains("down_proj"))
                weight.zero_();
        model.Weight("model.embed_tokens.weight").fill_(1);
        var head = model.Weight("lm_head.weight");
        for (var word = 0; word < logits.Length; word++)
            head[word].fill_(logits[word] / model.Config.HiddenSize);
        return model;
    }

    /// <summary>Rows of random tokens: BOS, a prompt, an answer, EOS.</summary>
    public static IReadOnlyList<TokenRow> Rows(int count, ulong seed = 5)
    {
        var draw = new Seed(seed).Stream("rows");
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                {
                    var prompt = 3 + draw.Below(5);
                    var answer = 1 + draw.Below(4);
                    return new TokenRow(
                        [1, .. Enumerable.Range(0, prompt + answer).Select(_ => 3 + draw.Below(94)), 2],
                        prompt + 1
                    );
                }),
        ];
    }
}
