using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>Short texts of the model's own making that stand before a prompt while its new value is sought, so that the value holds in more than one context.</summary>
/// <remarks>Source: Meng et al. (2022), section 3.1; editing specification, section 1.5: two at three new tokens for each of five stems, then two at eight; top 5, temperature 1, seeded.</remarks>
public static class ContextPrefixes
{
    private static readonly string[] Stems = ["The", "Therefore", "Because", "I", "You"];
    private const int TopK = 5;

    /// <summary>The empty prefix and <paramref name="count"/> generated ones, each ended by a full stop.</summary>
    /// <param name="model">The untouched model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="count">At most 20.</param>
    /// <param name="seed">Of the draws.</param>
    public static IReadOnlyList<IReadOnlyList<int>> Generate(CausalLm model, ITokenizer tokenizer, int count, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 4 * Stems.Length);
        var prefixes = new List<IReadOnlyList<int>> { Array.Empty<int>() };
        var stop = tokenizer.Encode(".");
        foreach (var newTokens in (int[])[3, 8])
            for (var i = 0; i < 2 * Stems.Length && prefixes.Count <= count; i++)
            {
                var stream = seed.Stream($"context/{newTokens}/{i}");
                List<int> ids = [model.Config.BosId, .. tokenizer.Encode(Stems[i / 2])];
                for (var t = 0; t < newTokens; t++) ids.Add(Next(model, ids, stream));
                prefixes.Add([.. ids.Skip(1), .. stop]);
            }
        return prefixes;
    }

    private static int Next(CausalLm model, IReadOnlyList<int> ids, SplitMix64 stream)
    {
        using var quiet = inference_mode();
        using var scope = NewDisposeScope();
        var logits = model.Forward(tensor(ids.Select(i => (long)i).ToArray(), device: model.Device).unsqueeze(0))[0, -1].to(ScalarType.Float32);
        var (values, indices) = logits.topk(TopK);
        var p = nn.functional.softmax(values, 0).cpu().data<float>().ToArray();
        var candidates = indices.cpu().data<long>().ToArray();
        var draw = stream.NextDouble();
        for (var k = 0; k < TopK - 1; k++)
            if ((draw -= p[k]) < 0) return (int)candidates[k];
        return (int)candidates[TopK - 1];
    }
}
