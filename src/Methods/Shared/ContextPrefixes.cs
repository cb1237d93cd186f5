using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
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

    /// <summary>
    /// One of five new tokens for each of five other stems, then one of ten, as the model's own settings say; no full
    /// stop: 10.
    /// </summary>
    Wise,
}

/// <summary>A text that stands before a question, one space away; empty for none.</summary>
/// <param name="Text">Full stop included where the recipe has one.</param>
/// <param name="Ids">Its tokens, for requests that are token ids themselves.</param>
public sealed record ContextPrefix(string Text, IReadOnlyList<int> Ids)
{
    /// <summary>No prefix: the bare question.</summary>
    public static ContextPrefix None { get; } = new("", []);

    /// <summary>The question behind it.</summary>
    public string Before(string question) => Text.Length == 0 ? question : $"{Text} {question}";

    /// <summary>Where the question begins.</summary>
    public int Length => Text.Length == 0 ? 0 : Text.Length + 1;
}

/// <summary>
/// Short texts of the model's own making that stand before a prompt while its new value is sought, so that the value
/// holds in more than one context.
/// </summary>
/// <remarks>
/// Source: Meng et al. (2022), section 3.1; docs/methods.md, "Context prefixes": the five likeliest tokens,
/// renormalised, temperature 1, no stop at EOS; for WISE what the model's <c>generation_config.json</c> says, and the
/// end of an answer ends a prefix. Seeded, written by the model as it is before any edit and kept with the run; the
/// reference keeps one set per process, whatever the model (defect S7). Prefixes are joined to the question as text and
/// encoded with it, so that the question has the tokens it has behind other words. No format string is made of them
/// (S4, W6); braces go all the same where the reference takes them out.
/// </remarks>
public static class ContextPrefixes
{
    private static readonly SamplingFilter FiveLikeliest = new(1, 5, 1);

    /// <summary>The empty prefix and <paramref name="count"/> generated ones.</summary>
    /// <param name="checkpoint">The untouched model, its tokenizer, and whether a text begins with BOS.</param>
    /// <param name="recipe">Stems, lengths, ending.</param>
    /// <param name="count">At most what the recipe holds.</param>
    /// <param name="seed">Of the draws.</param>
    /// <exception cref="ArgumentOutOfRangeException">The recipe holds fewer.</exception>
    public static IReadOnlyList<ContextPrefix> Generate(
        Checkpoint checkpoint,
        ContextRecipe recipe,
        int count,
        Seed seed
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Available(recipe));
        var (stems, perStem, lengths) = Of(recipe);
        var prefixes = new List<ContextPrefix> { ContextPrefix.None };
        foreach (var newTokens in lengths)
            for (var i = 0; i < perStem * stems.Length && prefixes.Count <= count; i++)
            {
                var stream = seed.Stream(
                    $"context/{(recipe == ContextRecipe.Wise ? "wise/" : "")}{newTokens}/{2 / perStem * i}"
                );
                var text = Cleaned(recipe, Written(checkpoint, recipe, stems[i / perStem], newTokens, stream));
                prefixes.Add(new ContextPrefix(text, checkpoint.Tokenizer.Encode(text)));
            }
        return prefixes;
    }

    /// <summary>How many generated prefixes a recipe holds.</summary>
    public static int Available(ContextRecipe recipe) =>
        Of(recipe) is var (stems, perStem, lengths) ? stems.Length * perStem * lengths.Length : 0;

    private static (string[] Stems, int PerStem, int[] NewTokens) Of(ContextRecipe recipe) =>
        recipe switch
        {
            ContextRecipe.Rome => (["The", "Therefore", "Because", "I", "You"], 2, [3, 8]),
            ContextRecipe.Memit => (["The", "Therefore", "Because", "I", "You"], 1, [8]),
            ContextRecipe.Wise => (["I", "You", "Because", "Yes", "Q: "], 1, [5, 10]),
            _ => throw new ArgumentOutOfRangeException(nameof(recipe), recipe, null),
        };

    private static string Written(
        Checkpoint checkpoint,
        ContextRecipe recipe,
        string stem,
        int newTokens,
        SplitMix64 stream
    )
    {
        var own = recipe == ContextRecipe.Wise;
        var model = checkpoint.Model;
        var ids = checkpoint.Tokenizer.Encode(stem).ToList();
        for (var t = 0; t < newTokens; t++)
        {
            var logits = Next(model, checkpoint.BosId is { } bos ? [bos, .. ids] : ids);
            var next =
                !own ? FiveLikeliest.Pick(logits, stream.NextDouble())
                : model.Config.Sampling is { } sampling ? sampling.Pick(logits, stream.NextDouble())
                : Likeliest(logits);
            if (own && checkpoint.StopIds.Contains(next))
                break;
            ids.Add(next);
        }
        return checkpoint.Tokenizer.Decode(ids);
    }

    // As the reference's code makes templates of generated texts.
    private static string Cleaned(ContextRecipe recipe, string text)
    {
        if (recipe == ContextRecipe.Wise)
            return text.TrimEnd(' ');
        var brace = recipe == ContextRecipe.Rome ? "" : " ";
        return text.Normalize(NormalizationForm.FormKD)
                .Replace("\n\n", " ", StringComparison.Ordinal)
                .Replace("{", brace, StringComparison.Ordinal)
                .Replace("}", brace, StringComparison.Ordinal) + ".";
    }

    private static float[] Next(CausalLm model, IReadOnlyList<int> ids)
    {
        using var quiet = inference_mode();
        using var scope = NewDisposeScope();
        return model
            .Forward(tensor(ids.Select(i => (long)i).ToArray(), device: model.Device).unsqueeze(0))[0, -1]
            .to(ScalarType.Float32)
            .cpu()
            .data<float>()
            .ToArray();
    }

    private static int Likeliest(float[] logits) => Array.IndexOf(logits, logits.Max());
}
