using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>
/// What every method of the catalogue promises: the model comes back bit for bit, the same seed gives the same patch,
/// nothing leaks, and it needs what it says.
/// </summary>
public sealed class MethodContractTests
{
    public static TheoryData<string> Methods => [.. MethodCatalog.All.Select(m => m.Name), .. Variants.Keys];

    // Paths that the small options of a method do not take.
    private static readonly Dictionary<string, string> Variants = new()
    {
        ["ga: layers"] = """{"trainable":"layers"}""",
        ["ga: lora"] = """{"trainable":"lora"}""",
        ["gd: mean per row"] = """{"normalisation":"sampleMean"}""",
        ["kl: lora, blocks recomputed"] =
            """{"trainable":"lora","gradientCheckpointing":true,"kl":{"positions":"paddedCompat"}}""",
        ["kl: another model"] = """{"kl":{"reference":"pretrained"}}""",
        ["dpo: lora"] = """{"trainable":"lora"}""",
        ["dpo: another model, retain rows"] = """{"reference":"folder","retainWeight":1}""",
        ["rome: second moments, two layers"] =
            """{"layers":[0,1],"secondMoments":true,"ridge":1e-4,"key":"averaged","value":{"klFactor":0}}""",
        ["memit: two layers"] = """{"layers":[0,2]}""",
        ["memit: all edits at once"] = """{"batchSize":40,"value":{"klFactor":0}}""",
        ["alphaedit: two layers"] = """{"layers":[0,1]}""",
        ["alphaedit: without key cache, in batches"] = """{"batchSize":2,"keyCache":false}""",
        ["wise: retain rows"] = """{"locality":"retain"}""",
        ["wise: merged"] = """{"saveFrequency":1,"mergeFrequency":2,"retrieve":false,"learningRate":1}""",
    };

    private static (MethodEntry Entry, IMethod Method) Case(string name)
    {
        var entry = MethodCatalog.Find(name.Split(':')[0])!;
        var options = Variants.TryGetValue(name, out var text) ? JsonNode.Parse(text)!.AsObject() : null;
        return (entry, MethodContract.Make(entry, options));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void The_model_comes_back_bit_for_bit_and_the_patch_depends_on_the_seed_alone(string name)
    {
        var (entry, method) = Case(name);
        MethodContract.RestoresAndRepeats(method, changes: entry.Kind != MethodKind.Untouched);
    }

    [Theory]
    [MemberData(nameof(Resumed))]
    public void Stopped_anywhere_it_goes_on_and_ends_with_the_same_bytes(string name) =>
        // GRACE trains 32 edits at once.
        MethodContract.GoesOn(Case(name).Method, edits: name == "grace" ? 40 : 5);

    // One of each kind that keeps a state of its own.
    public static TheoryData<string> Resumed =>
        [
            "ga",
            "ga: lora",
            "rome",
            "rome: second moments, two layers",
            "memit: two layers",
            "alphaedit: two layers",
            "alphaedit: without key cache, in batches",
            "wise",
            "wise: merged",
            "grace",
        ];

    [Theory]
    [MemberData(nameof(Methods))]
    public void No_tensor_outlives_the_edit_but_those_of_the_patch(string name) =>
        MethodContract.LeavesNoTensor(Case(name).Method);

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_saved_patch_gives_the_same_logits_bit_for_bit(string name) =>
        MethodContract.SavesAndLoads(Case(name).Method);

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_method_cannot_do_without_what_it_says_it_needs(string name) =>
        MethodContract.NeedsWhatItSays(Case(name).Method);

    [Fact]
    public void What_the_untouched_model_needs_is_nothing_and_its_patch_holds_nothing()
    {
        using var model = TinyModels.Llama();
        using var patch = new Untouched().Edit(model, new MethodInputs(), new Seed(1));
        Assert.Empty(((WeightPatch)patch).Changes);
        Assert.Equal(MethodCatalog.All[0], Untouched.Declaration.Entry);
        Assert.Equal(Needs.None, new Untouched().Needs);
    }

    [Fact]
    public void Gradient_ascent_raises_the_loss_on_what_it_forgets()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        var rows = TinyModels.Rows(4);
        double Loss() => -Scorer.Score(model, rows).SelectMany(s => s.LogProbabilities).Average();
        var before = Loss();
        using var patch = new GradientAscent(
            new GradientAscent.Options
            {
                Trainable = Trainable.Full,
                Epochs = 20,
                LearningRate = 5e-3,
            }
        ).Edit(model, new MethodInputs { Forget = rows }, new Seed(1));
        using var applied = patch.ApplyTo(model);
        Assert.True(Loss() > before + 1);
    }

    [Fact]
    public void A_patch_that_does_not_fit_is_refused_and_changes_nothing()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var patch = new WeightPatch([new("model.layers.9.mlp.down_proj.weight", new FullChange(zeros(3, 3)))]);
        Assert.Contains(
            "does not have",
            Assert.Throws<ArgumentException>(() => patch.ApplyTo(model)).Message,
            StringComparison.Ordinal
        );
    }
}
