using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// How many prefixes of which length are written for which methods (docs/methods.md, "Context prefixes").
/// </summary>
public enum ContextRecipe
{
    /// <summary>
    /// Two of three new tokens for each of five stems, then two of eight; each ended by a full stop: 20.
    /// </summary>
    Rome,

    /// <summary>One of eight new tokens for each of five stems, ended by a full stop: 5. MEMIT, AlphaEdit.</summary>
    Memit,

    /// <summary>One of five new tokens for each of five other stems, then one of ten; no full stop: 10.</summary>
    Wise,
}

/// <summary>
/// Short texts of the model's own making that stand before a prompt while its new value is sought, so that the value
/// holds in more than one context.
/// </summary>
/// <remarks>
/// Source: Meng et al. (2022), section 3.1; docs/methods.md, "Context prefixes": the five likeliest tokens,
/// renormalised, temperature 1, no stop at EOS. Seeded, written by the model as it is before any edit and kept with the
/// run; the reference keeps one set per process, whatever the model (defect S7). Braces never matter here: prefixes are
/// tokens, no format string is made of them (S4, W6).
/// </remarks>
public static class ContextPrefixes
{
    private const int TopK = 5;

    /// <summary>The empty prefix and <paramref name="count"/> generated ones.</summary>
    /// <param name="model">The untouched model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="recipe">Stems, lengths, ending.</param>
    /// <param name="count">At most what the recipe holds.</param>
    /// <param name="seed">Of the draws.</param>
    /// <exception cref="ArgumentOutOfRangeException">The recipe holds fewer.</exception>
    public static IReadOnlyList<IReadOnlyList<int>> Generate(
        CausalLm model,
        ITokenizer tokenizer,
        ContextRecipe recipe,
        int count,
        Seed seed
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Available(recipe));
        var (stems, perStem, lengths, ending) = Of(recipe);
        var prefixes = new List<IReadOnlyList<int>> { Array.Empty<int>() };
        int[] stop = ending.Length > 0 ? [.. tokenizer.Encode(ending)] : [];
        foreach (var newTokens in lengths)
            for (var i = 0; i < perStem * stems.Length && prefixes.Count <= count; i++)
            {
                var stream = seed.Stream(
                    $"context/{(recipe == ContextRecipe.Wise ? "wise/" : "")}{newTokens}/{2 / perStem * i}"
                );
                List<int> ids = [model.Config.BosId, .. tokenizer.Encode(stems[i / perStem])];
                for (var t = 0; t < newTokens; t++)
                    ids.Add(Next(model, ids, stream));
                prefixes.Add([.. ids.Skip(1), .. stop]);
            }
        return prefixes;
    }

    /// <summary>How many generated prefixes a recipe holds.</summary>
    public static int Available(ContextRecipe recipe) =>
        Of(recipe) is var (stems, perStem, lengths, _) ? stems.Length * perStem * lengths.Length : 0;

    private static (string[] Stems, int PerStem, int[] NewTokens, string Ending) Of(ContextRecipe recipe) =>
        recipe switch
        {
            ContextRecipe.Rome => (["The", "Therefore", "Because", "I", "You"], 2, [3, 8], "."),
            ContextRecipe.Memit => (["The", "Therefore", "Because", "I", "You"], 1, [8], "."),
            ContextRecipe.Wise => (["I", "You", "Because", "Yes", "Q: "], 1, [5, 10], ""),
            _ => throw new ArgumentOutOfRangeException(nameof(recipe), recipe, null),
        };

    private static int Next(CausalLm model, IReadOnlyList<int> ids, SplitMix64 stream)
    {
        using var quiet = inference_mode();
        using var scope = NewDisposeScope();
        var logits = model
            .Forward(tensor(ids.Select(i => (long)i).ToArray(), device: model.Device).unsqueeze(0))[0, -1]
            .to(ScalarType.Float32);
        var (values, indices) = logits.topk(TopK);
        var p = nn.functional.softmax(values, 0).cpu().data<float>().ToArray();
        var candidates = indices.cpu().data<long>().ToArray();
        var draw = stream.NextDouble();
        for (var k = 0; k < TopK - 1; k++)
            if ((draw -= p[k]) < 0)
                return (int)candidates[k];
        return (int)candidates[TopK - 1];
    }
}
