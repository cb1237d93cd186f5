using EditUnlearn.Benchmarks.Plain;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.SideMemories;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>WISE's rules one by one (docs/methods.md, "WISE").</summary>
public sealed class WiseTests
{
    private static readonly Wise.Options Corrected = new()
    {
        Layer = 1,
        Steps = 6,
        LearningRate = 2,
        Alpha = 0.05,
        Beta = 0.5,
        Gamma = 0.2,
        MaskDecay = true,
        Window = LabelWindow.Exact,
        Pooling = DistancePooling.PromptTokens,
        Scope = RouteScope.StickyPerRow,
        MaxBeyond = null,
        MergeRemainder = true,
    };

    private static readonly MethodInputs Inputs = new()
    {
        Edits =
        [
            new EditRequest("a", [1, 10, 20, 30, 40], 3, [50, 60, 2], [], 0),
            new EditRequest("b", [1, 11, 21, 31], 1, [51, 2], [], 0),
            new EditRequest("c", [1, 12, 22, 32], 1, [52, 2], [], 0),
        ],
        Contexts =
        [
            [],
            [70, 71],
        ],
        Locality =
        [
            [1, 80, 81, 82, 83],
            [1, 84, 85, 86],
        ],
    };

    [Fact]
    public void Only_masked_entries_move_within_the_box_and_the_least_distance_never_grows()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        var main = model.Weight(CausalLm.DownProjName(1));
        var least = double.PositiveInfinity;
        var moved = zeros_like(main).to(ScalarType.Bool);
        var method = new Wise(Corrected with { NormConstraint = 0.03 })
        {
            Observer = e =>
            {
                Assert.True(e.State.SideLeast <= least);
                least = e.State.SideLeast;
                using var quiet = no_grad();
                moved.logical_or_(e.State.Side != main);
                Assert.True((e.State.Side - main).abs().max().ToDouble() <= 0.03 + 1e-7);
            },
        };
        using var patch = method.Edit(model, Inputs, new Seed(1));
        var share = moved.to(ScalarType.Float32).mean().ToDouble();
        var sigma = Math.Sqrt(0.2 * 0.8 / main.numel());
        // one mask for all three edits
        Assert.True(share <= 0.2 + 4 * sigma && share >= 0.2 - 4 * sigma, $"{share} of the entries moved");
    }

    [Fact]
    public void The_reference_lets_decay_through_the_mask()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        var main = model.Weight(CausalLm.DownProjName(1));
        var mask = zeros_like(main);
        using (no_grad())
            mask.narrow(0, 0, 6).fill_(1);
        var method = new Wise(Corrected with { MaskDecay = false, WeightDecay = 1e-3 });
        using var patch = (SideMemoryPatch)
            method.Edit(
                model,
                Inputs with
                {
                    Draws = new Dictionary<string, Tensor> { ["mask/0"] = mask },
                },
                new Seed(1)
            );
        using var quiet = no_grad();
        var outside = main.narrow(0, 6, main.shape[0] - 6);
        var expected = outside * Math.Pow(1 - 1e-3 * Corrected.LearningRate, Corrected.Steps * Inputs.Edits.Count);
        Tensors.Near(expected, patch.Memories[0].Weight.narrow(0, 6, main.shape[0] - 6), 1e-6, "shrunk");
    }

    [Fact]
    public void A_new_memory_gets_a_new_mask_and_stored_ones_are_merged_in_their_turn()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        var main = model.Weight(CausalLm.DownProjName(1)).clone();
        var stored = new List<int>();
        var supports = new List<Tensor>();
        var method = new Wise(Corrected with { SaveFrequency = 1, MergeFrequency = 2 })
        {
            Observer = e => stored.Add(e.State.Stored.Count),
            StepObserver = (_, step, _, gradient) =>
            {
                if (step == 0)
                    supports.Add((gradient != 0).DetachFromDisposeScope());
            },
        };
        using var patch = (SideMemoryPatch)method.Edit(model, Inputs, new Seed(1));
        Assert.Equal([1, 1, 2], stored); // saved; saved and merged with the first; saved
        Assert.Equal(3, patch.Memories.Count);
        Assert.Equal(SideMemory.Unedited, patch.Memories[0].LeastDistance);
        Assert.True(Tensors.SameBits(main, patch.Memories[0].Weight));
        Assert.False(Tensors.SameBits(supports[0], supports[1]));
    }

    [Fact]
    public void Without_an_edit_or_below_the_threshold_the_main_memory_answers_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama();
        var main = model.Weight(CausalLm.DownProjName(1));
        var prompt = Tensors.Ids([1, 10, 20, 30]);
        var plain = model.Forward(prompt);
        foreach (var scopeOf in Enum.GetValues<RouteScope>())
        {
            using var fresh = new SideMemoryPatch(
                1,
                [new SideMemory(main + 0.1, SideMemory.Unedited)],
                new Routing { Scope = scopeOf }
            );
            Assert.True(Tensors.SameBits(plain, model.Forward(prompt, new ForwardOptions { Tap = fresh.Tap })));
            var reading = fresh.Routes(
                model,
                [
                    [1, 10, 20, 30],
                ]
            )[0];
            using var below = new SideMemoryPatch(
                1,
                [new SideMemory(main + 0.1, reading.Distance / 0.88 + 1e-3)],
                new Routing { Scope = scopeOf }
            );
            Assert.True(Tensors.SameBits(plain, model.Forward(prompt, new ForwardOptions { Tap = below.Tap })));
            using var above = new SideMemoryPatch(
                1,
                [new SideMemory(main + 0.1, reading.Distance / 0.88 - 1e-3)],
                new Routing { Scope = scopeOf }
            );
            Assert.False(Tensors.SameBits(plain, model.Forward(prompt, new ForwardOptions { Tap = above.Tap })));
        }
    }

    [Fact]
    public void Before_the_first_step_the_routing_loss_is_beta_plus_gamma_without_a_gradient()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var rows = new SideMemoryRows(
            model,
            1,
            Inputs.Edits[0],
            Inputs.Contexts,
            Inputs.Locality[0],
            LabelWindow.FromLongestPrompt,
            DistancePooling.AllPositions
        );
        var output = rows.Output(model.Weight(CausalLm.DownProjName(1))).requires_grad_(true);
        var loss = SideMemoryTraining.Routing(rows.Distances(output), new Margins(5, 20, 10));
        Assert.Equal(30, loss.ToDouble(), 1e-6);
        Assert.Equal(0, autograd.grad([loss], [output])[0].abs().max().ToDouble());
        // all margins hold
        Assert.Equal(0, SideMemoryTraining.Routing(tensor(new[] { 21f, 25f, 4f }), new Margins(5, 20, 10)).ToDouble());
        Assert.Equal(
            1 + 2,
            SideMemoryTraining.Routing(tensor(new[] { 19f, 20f, 7f }), new Margins(5, 20, 10)).ToDouble()
        ); // beta by 1, alpha by 2
    }

    [Fact]
    public void A_mean_of_positive_entries_ignores_the_rest()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(3, SideMemoryTraining.MeanOfPositive(tensor(new[] { 2f, -5f, 4f, 0f })).ToDouble());
        Assert.Equal(0, SideMemoryTraining.MeanOfPositive(tensor(new[] { -2f, 0f })).ToDouble());
    }

    [Fact]
    public void Ties_by_hand()
    {
        using var scope = NewDisposeScope();
        var origin = tensor(
            new float[,]
            {
                { 1, 1, 1 },
                { 1, 1, 1 },
            }
        );
        var a =
            origin
            + tensor(
                new float[,]
                {
                    { 4, -3, 1 },
                    { 0, 2, 5 },
                }
            );
        var b =
            origin
            + tensor(
                new float[,]
                {
                    { 2, 6, 1 },
                    { 0, -8, 7 },
                }
            );
        // The three largest of each: a 4, -3, 5; b 6, -8, 7. Signs +, +, +, +, -, +. First entry a alone, second b
        // alone, fifth b alone, sixth both.
        var expected =
            origin
            + tensor(
                new float[,]
                {
                    { 4, 6, 0 },
                    { 0, -8, 6 },
                }
            );
        Assert.True(
            Tensors.SameBits(expected, MergeOperators.Merge(MergeOperator.Ties, origin, [a, b], [0.5, 0.5], 0.5))
        );
        Assert.True(Tensors.SameBits(a, MergeOperators.Merge(MergeOperator.Linear, origin, [a], [1], 0.5)));
    }

    [Fact]
    public void Without_retrieval_memories_end_in_the_main_weight_and_a_lost_remainder_is_told()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        var name = CausalLm.DownProjName(1);
        var warnings = new List<string>();
        using var lost = (WeightPatch)
            new Wise(Corrected with { Retrieve = false, MergeRemainder = false }).Edit(
                model,
                Inputs with
                {
                    Warn = warnings.Add,
                },
                new Seed(1)
            );
        Assert.True(Tensors.SameBits(model.Weight(name), ((FullChange)lost.Changes[name]).Value));
        Assert.Contains("the last 3 of 3 edits", Assert.Single(warnings), StringComparison.Ordinal);
        using var kept = (WeightPatch)new Wise(Corrected with { Retrieve = false }).Edit(model, Inputs, new Seed(1));
        Assert.False(Tensors.SameBits(model.Weight(name), ((FullChange)kept.Changes[name]).Value));
    }

    [Fact]
    public void In_a_long_sequence_the_greatest_distance_counts()
    {
        using var scope = NewDisposeScope();
        using var patch = new SideMemoryPatch(0, [new SideMemory(zeros(2, 2), 1)], new Routing { MaxBeyond = 3 });
        Assert.Equal(
            2,
            patch.Pooled(
                tensor(
                    new float[,]
                    {
                        { 1, 2, 3 },
                    }
                )
            ),
            1e-6
        );
        Assert.Equal(
            3.5,
            patch.Pooled(
                tensor(
                    new float[,]
                    {
                        { 1, 2, 3, 0 },
                        { 4, 1, 1, 1 },
                    }
                )
            ),
            1e-6
        );
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Cached_states_give_the_memory_of_the_plain_version(int layer)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama(layers: 4);
        var main = model.Weight(CausalLm.DownProjName(layer));
        var options = Corrected with { Layer = layer };
        var mask = (arange(main.numel()).remainder(5) == 0).to(ScalarType.Float32).view(main.shape);
        var (plain, fast) = (main.clone(), main.clone());
        foreach (var edit in Inputs.Edits)
        {
            var expected = PlainWise.Train(model, edit, Inputs.Contexts, Inputs.Locality[0], plain, mask, options);
            using var rows = new SideMemoryRows(
                model,
                layer,
                edit,
                Inputs.Contexts,
                Inputs.Locality[0],
                LabelWindow.Exact,
                DistancePooling.PromptTokens
            );
            var (actual, _) = SideMemoryTraining.Run(
                rows,
                fast,
                main,
                mask,
                new Margins(options.Alpha, options.Beta, options.Gamma),
                new SideMemoryTraining.Settings(
                    options.Steps,
                    options.LearningRate,
                    options.WeightDecay,
                    true,
                    options.NormConstraint
                ),
                null,
                (_, _) => { }
            );
            for (var s = 0; s < expected.Count; s++)
            {
                Assert.Equal(expected[s].Target, actual[s].Target, 1e-5 * Math.Max(1, expected[s].Target));
                Assert.Equal(expected[s].Routing, actual[s].Routing, 1e-5);
            }
        }
        Tensors.Near(plain, fast, 1e-5, "the side memory");
    }
}
