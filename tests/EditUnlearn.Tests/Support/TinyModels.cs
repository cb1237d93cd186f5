using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Tests.Support;

/// <summary>Decoders small enough for properties: random weights, grouped heads, an MLP width unlike the model's.</summary>
public static class TinyModels
{
    public static CausalLm Llama(ulong seed = 1, int layers = 3, int? window = null) => CausalLm.Random(
        new ModelConfig
        {
            Family = window is null ? "llama2" : "mistral",
            VocabSize = 97,
            HiddenSize = 32,
            IntermediateSize = 56,
            Layers = layers,
            Heads = 4,
            KvHeads = 2,
            HeadDim = 8,
            SlidingWindow = window,
            MaxPositions = 128,
        }, new Seed(seed));

    /// <summary>Rows of random tokens: BOS, a prompt, an answer, EOS.</summary>
    public static IReadOnlyList<TokenRow> Rows(int count, ulong seed = 5)
    {
        var draw = new Seed(seed).Stream("rows");
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var prompt = 3 + draw.Below(5);
            var answer = 1 + draw.Below(4);
            return new TokenRow([1, .. Enumerable.Range(0, prompt + answer).Select(_ => 3 + draw.Below(94)), 2], prompt + 1);
        })];
    }
}
