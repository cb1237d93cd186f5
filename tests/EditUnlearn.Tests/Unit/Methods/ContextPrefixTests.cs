using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>Texts that a model writes to stand before questions (docs/methods.md, "Context prefixes").</summary>
public sealed class ContextPrefixTests
{
    private static readonly string[] Texts =
    [
        "The sun is far. I know that you know it.",
        "Because of that, therefore: Yes. Q: what?",
    ];

    private static Checkpoint Lively(SamplingFilter? sampling = null, string template = "plain")
    {
        var tokenizer = BpeTrainer.Train(Texts, 320);
        var drawn = TinyModels.Lively(3, words: tokenizer.VocabSize);
        var model = CausalLm.Random(drawn.Config with { Sampling = sampling }, new Seed(3));
        using var quiet = no_grad();
        foreach (var (name, weight) in drawn.Weights)
            model.Weight(name).copy_(weight);
        drawn.Dispose();
        return new Checkpoint(model, tokenizer, TemplateCatalog.Get(template));
    }

    private static IReadOnlyList<ContextPrefix> Written(Checkpoint checkpoint, ContextRecipe recipe, ulong seed = 1) =>
        ContextPrefixes.Generate(checkpoint, recipe, ContextPrefixes.Available(recipe), new Seed(seed));

    [Fact]
    public void Logits_that_are_no_numbers_still_give_a_token() =>
        Assert.Equal(0, new SamplingFilter(1, 5, 0.9).Pick([float.NaN, float.NaN, float.NaN], 0.5));

    [Fact]
    public void Prefixes_open_with_their_stems_and_end_as_their_recipe_says()
    {
        using var checkpoint = Lively();
        foreach (var recipe in Enum.GetValues<ContextRecipe>())
        {
            var prefixes = Written(checkpoint, recipe);
            Assert.Equal(ContextPrefixes.Available(recipe) + 1, prefixes.Count);
            Assert.Equal("Who?", prefixes[0].Before("Who?"));
            string[] stems =
                recipe == ContextRecipe.Wise
                    ? ["I", "You", "Because", "Yes", "Q:"]
                    : ["The", "Therefore", "Because", "I", "You"];
            Assert.All(
                prefixes.Skip(1),
                p =>
                {
                    Assert.Contains(stems, s => p.Text.StartsWith(s, StringComparison.Ordinal));
                    Assert.Equal(checkpoint.Tokenizer.Encode(p.Text), p.Ids);
                    Assert.Equal(p.Text + " Who?", p.Before("Who?"));
                    Assert.Equal("Who?", p.Before("Who?")[p.Length..]);
                    if (recipe != ContextRecipe.Wise)
                    {
                        Assert.EndsWith(".", p.Text, StringComparison.Ordinal);
                        Assert.DoesNotContain(p.Text, c => c is '{' or '}');
                    }
                }
            );
            Assert.Equal(prefixes.Select(p => p.Text), Written(checkpoint, recipe).Select(p => p.Text));
        }
    }

    [Fact]
    public void Wise_writes_as_the_model_itself_would_and_the_others_from_its_five_likeliest()
    {
        using var greedy = Lively();
        using var drawing = Lively(new SamplingFilter(1.5, 50, 1));
        string[] Of(Checkpoint c, ContextRecipe recipe, ulong seed) =>
            [.. Written(c, recipe, seed).Select(p => p.Text)];
        // Without settings the seed does not matter to WISE, and with them it does.
        Assert.Equal(Of(greedy, ContextRecipe.Wise, 1), Of(greedy, ContextRecipe.Wise, 2));
        Assert.NotEqual(Of(drawing, ContextRecipe.Wise, 1), Of(drawing, ContextRecipe.Wise, 2));
        Assert.NotEqual(Of(greedy, ContextRecipe.Wise, 1), Of(drawing, ContextRecipe.Wise, 1));
        // The settings are nobody else's.
        Assert.NotEqual(Of(greedy, ContextRecipe.Memit, 1), Of(greedy, ContextRecipe.Memit, 2));
        Assert.Equal(Of(greedy, ContextRecipe.Memit, 1), Of(drawing, ContextRecipe.Memit, 1));
    }

    [Fact]
    public void A_template_without_bos_leaves_it_out_before_a_prefix_too()
    {
        using var with = Lively();
        using var without = Lively(template: "qwen2");
        Assert.NotNull(with.BosId);
        Assert.Null(without.BosId);
        Assert.NotEqual(
            Written(with, ContextRecipe.Wise).Select(p => p.Text),
            Written(without, ContextRecipe.Wise).Select(p => p.Text)
        );
        // The first new token is the likeliest after the stem alone.
        using var scope = NewDisposeScope();
        long[] stem = [.. without.Tokenizer.Encode("I").Select(i => (long)i)];
        var next = (int)without.Model.Forward(tensor(stem).unsqueeze(0))[0, -1].argmax().ToInt64();
        Assert.StartsWith(
            without.Tokenizer.Decode([.. without.Tokenizer.Encode("I"), next]).TrimEnd(' '),
            Written(without, ContextRecipe.Wise)[1].Text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_filter_draws_what_it_leaves_in_proportion()
    {
        // exp: 8, 4, 2, 1; the smallest set that holds 0.75 of the three likeliest is {8, 4}
        float[] logits = [MathF.Log(1), MathF.Log(8), MathF.Log(2), MathF.Log(4)];
        var filter = new SamplingFilter(1, 3, 0.75);
        Assert.Equal(1, filter.Pick(logits, 0));
        Assert.Equal(1, filter.Pick(logits, 0.66));
        Assert.Equal(3, filter.Pick(logits, 0.67));
        Assert.Equal(3, filter.Pick(logits, 0.9999999));
        Assert.Equal(1, new SamplingFilter(1, 3, 1e-9).Pick(logits, 0.9999999));
        // At temperature 1/2 weights are squared: 64, 16, 4, 1 of 85.
        var all = new SamplingFilter(0.5, int.MaxValue, 1);
        Assert.Equal(
            [1, 3, 2, 0],
            ((double[])[63.9 / 85, 79.9 / 85, 83.9 / 85, 84.9 / 85]).Select(d => all.Pick(logits, d))
        );
    }
}
