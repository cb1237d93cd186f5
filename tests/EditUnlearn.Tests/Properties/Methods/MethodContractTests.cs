using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>
/// What every method promises: the model comes back bit for bit, the same seed gives the same patch, nothing leaks.
/// </summary>
public sealed class MethodContractTests
{
    public static TheoryData<string> Methods => [.. Examples.Keys];

    private static readonly Dictionary<string, Func<IMethod>> Examples = new()
    {
        ["ga full"] = () =>
            new GradientAscent(
                new GradientAscent.Options
                {
                    Trainable = Trainable.Full,
                    Epochs = 2,
                    LearningRate = 1e-3,
                }
            ),
        ["ga layers"] = () =>
            new GradientAscent(
                new GradientAscent.Options
                {
                    Trainable = Trainable.Layers,
                    Layers = [1],
                    Epochs = 2,
                    LearningRate = 1e-3,
                }
            ),
        ["ga lora"] = () =>
            new GradientAscent(
                new GradientAscent.Options
                {
                    Trainable = Trainable.Lora,
                    Epochs = 2,
                    LearningRate = 1e-2,
                }
            ),
        ["gd"] = () =>
            new GradientDifference(
                new GradientDifference.Options
                {
                    Trainable = Trainable.Full,
                    Epochs = 2,
                    LearningRate = 1e-3,
                }
            ),
        ["kl"] = () =>
            new KlMinimisation(
                new KlMinimisation.Options
                {
                    Trainable = Trainable.Full,
                    Epochs = 2,
                    LearningRate = 1e-3,
                }
            ),
        ["kl lora, blocks recomputed"] = () =>
            new KlMinimisation(
                new KlMinimisation.Options
                {
                    Epochs = 2,
                    LearningRate = 1e-2,
                    GradientCheckpointing = true,
                    Kl = new KlMinimisation.KlTerm { Positions = KlPositions.PaddedCompat },
                }
            ),
        ["dpo lora"] = () =>
            new PreferenceOptimisation(new PreferenceOptimisation.Options { Epochs = 2, LearningRate = 1e-2 }),
        ["idk"] = () =>
            new RefusalTraining(
                new RefusalTraining.Options
                {
                    Trainable = Trainable.Full,
                    Epochs = 2,
                    LearningRate = 1e-3,
                }
            ),
        ["rome"] = () =>
            new Rome(
                new Rome.Options
                {
                    Layers = [1],
                    Value = new ValueOptions { Steps = 4 },
                }
            ),
        ["rome with second moments, two layers"] = () =>
            new Rome(
                new Rome.Options
                {
                    Layers = [0, 1],
                    SecondMoments = true,
                    Ridge = 1e-4,
                    Key = RomeKey.Averaged,
                    Value = new ValueOptions { Steps = 3, KlFactor = 0 },
                }
            ),
        ["memit"] = () =>
            new Memit(
                new Memit.Options
                {
                    Layers = [0, 2],
                    Lambda = 1,
                    Value = new ValueOptions { Steps = 4 },
                }
            ),
        ["memit, all edits at once"] = () =>
            new Memit(
                new Memit.Options
                {
                    Layers = [1],
                    Lambda = 1,
                    BatchSize = 40,
                    Value = new ValueOptions { Steps = 3, KlFactor = 0 },
                }
            ),
        ["alphaedit"] = () =>
            new AlphaEdit(
                new AlphaEdit.Options
                {
                    Layers = [0, 1],
                    Ridge = 0.1,
                    NullSpaceThreshold = 1,
                    NullSpaceUnit = EigenvalueUnit.Mean,
                    Value = new ValueOptions { Steps = 4 },
                }
            ),
        ["alphaedit without key cache, in batches"] = () =>
            new AlphaEdit(
                new AlphaEdit.Options
                {
                    Layers = [1],
                    Ridge = 0.1,
                    NullSpaceThreshold = 1,
                    NullSpaceUnit = EigenvalueUnit.Mean,
                    BatchSize = 2,
                    KeyCache = false,
                    Value = new ValueOptions { Steps = 3 },
                }
            ),
    };

    [Theory]
    [MemberData(nameof(Methods))]
    public void The_model_comes_back_bit_for_bit_and_the_patch_depends_on_the_seed_alone(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        var before = model.Weights.ToDictionary(w => w.Key, w => w.Value.clone());
        using var first = (WeightPatch)Examples[name]().Edit(model, Inputs(model), new Seed(11));
        foreach (var (weight, value) in before)
            Assert.True(Tensors.SameBits(value, model.Weight(weight)), weight);
        using var second = (WeightPatch)Examples[name]().Edit(model, Inputs(model), new Seed(11));
        Assert.Equal(first.Changes.Keys.Order(), second.Changes.Keys.Order());

        var probe = Tensors.Ids([1, 5, 9, 14]);
        using var quiet = no_grad();
        var plain = model.Forward(probe);
        Tensor one,
            two;
        using (first.ApplyTo(model))
            one = model.Forward(probe);
        using (second.ApplyTo(model))
            two = model.Forward(probe);
        Assert.True(Tensors.SameBits(one, two));
        Assert.False(Tensors.SameBits(plain, one));
        foreach (var (weight, value) in before)
            Assert.True(Tensors.SameBits(value, model.Weight(weight)), $"{weight} after the patch was taken off");
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void No_tensor_outlives_the_edit_but_those_of_the_patch(string name)
    {
        using var model = TinyModels.Llama();
        using var outer = NewDisposeScope();
        var inputs = Inputs(model);
        using (Examples[name]().Edit(model, inputs, new Seed(11))) { } // first use fills caches
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (Examples[name]().Edit(model, inputs, new Seed(11))) { }
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_saved_patch_gives_the_same_logits_bit_for_bit(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var folder = new TemporaryFolder();
        using var patch = Examples[name]().Edit(model, Inputs(model), new Seed(11));
        patch.Save(folder.Path);
        using var loaded = WeightPatch.Load(folder.Path);
        var probe = Tensors.Ids([1, 5, 9, 14]);
        using var quiet = no_grad();
        Tensor expected,
            actual;
        using (patch.ApplyTo(model))
            expected = model.Forward(probe);
        using (loaded.ApplyTo(model))
            actual = model.Forward(probe);
        Assert.True(Tensors.SameBits(expected, actual));
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

    private static MethodInputs Inputs(CausalLm model)
    {
        var moments = new Dictionary<int, Tensor>();
        for (var layer = 0; layer < model.Config.Layers; layer++)
        {
            using var scope = NewDisposeScope();
            var draw = new Seed(3).Stream($"keys/{layer}");
            var x = tensor(
                    Enumerable
                        .Range(0, 200 * model.Config.IntermediateSize)
                        .Select(_ => (float)draw.NextGaussian())
                        .ToArray()
                )
                .view(200, -1);
            moments[layer] = (matmul(x.t(), x) / 200).MoveToOuterDisposeScope();
        }
        return new MethodInputs
        {
            Forget = TinyModels.Rows(6),
            Retain = TinyModels.Rows(9, 8),
            Refusals = [.. TinyModels.Rows(6, 9).Select(r => new[] { r })],
            Edits =
            [
                new EditRequest("a", [1, 10, 20, 30, 40], 3, [50, 60, 2], [1, 20, 30, 7, 8], 2),
                new EditRequest("b", [1, 11, 21, 31], 1, [51], [1, 11, 7, 8], 1),
            ],
            Contexts =
            [
                [],
                [70, 71],
                [72],
            ],
            SecondMoments = moments,
            NullSpaces = moments.ToDictionary(m => m.Key, m => NullSpace.Of(m.Value, 1, EigenvalueUnit.Mean)),
        };
    }
}
