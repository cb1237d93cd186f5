using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>
/// What the locate-and-edit methods promise of their updates, on random decoders and, where they are at hand, on the
/// tiny checkpoints of other families.
/// </summary>
public sealed class EditingTests
{
    private static readonly EditRequest[] Edits =
    [
        new("a", [1, 10, 20, 30, 40], 3, [50, 60, 2], [1, 20, 30, 7, 8], 2),
        new("b", [1, 11, 21, 31], 1, [51, 2], [1, 11, 7, 8], 1),
        new("c", [1, 12, 22, 32, 42, 52], 4, [53, 54], [1, 22, 32, 7, 8], 2),
    ];

    private static readonly IReadOnlyList<IReadOnlyList<int>> Contexts =
    [
        [],
        [70, 71],
        [72],
    ];

    /// <summary>Random decoders, and the tiny checkpoints of the fixtures.</summary>
    public static TheoryData<string> Models => ["random", "random with window", .. TinyModels.CheckpointNames];

    private static CausalLm Open(string name) =>
        name switch
        {
            "random" => TinyModels.Lively(),
            "random with window" => TinyModels.Lively(window: 4),
            _ => TinyModels.Checkpoint(name),
        };

    [Theory]
    [MemberData(nameof(Models))]
    public void Rome_maps_the_key_to_the_value_by_a_rank_one_change_that_leaves_its_keys_alone(string name)
    {
        using var model = Open(name);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        foreach (var key in Enum.GetValues<RomeKey>())
        {
            var options = new Rome.Options
            {
                Layers = [1],
                Key = key,
                Value = new ValueOptions
                {
                    Steps = 6,
                    LearningRate = 0.1,
                    StopLoss = 0,
                },
            };
            var inputs = new MethodInputs { Edits = [Edits[0]], Contexts = Contexts };
            using var states = new LookupStates(model, inputs.Edits, Contexts, 1);
            var keys = states.KeysAt(1);
            var k = (key == RomeKey.Averaged ? states.MeanOverContexts(keys) : states.Bare(keys)).squeeze(1);
            var value = TargetValues
                .Optimise(model, inputs.Edits, Contexts, 1, ValueSite.MlpOut, options.Value)[0]
                .Value;
            using var patch = (WeightPatch)new Rome(options).Edit(model, inputs, new Seed(1));
            var change = (LowRankChange)patch.Changes.Single().Value;
            Assert.Equal(1, change.Left.shape[1]);
            using (patch.ApplyTo(model))
            {
                Tensors.Near(
                    value,
                    matmul(model.Weight(CausalLm.DownProjName(1)).to(ScalarType.Float32), k),
                    1e-4,
                    $"{key}: W'k"
                );
                using var after = new LookupStates(model, inputs.Edits, Contexts, 1);
                Assert.True(Tensors.SameBits(keys, after.KeysAt(1)), "keys moved");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void AlphaEdit_spares_what_its_projector_discards(string name)
    {
        using var model = Open(name);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var (moments, _) = SecondMoments.Collect(model, Rows(60, model.Config.VocabSize), [0, 1]);
        var inputs = new MethodInputs
        {
            Edits = Edits,
            Contexts = Contexts,
            NullSpaces = moments.ToDictionary(m => m.Key, m => NullSpace.Of(m.Value, 0.3, EigenvalueUnit.Mean)),
        };
        using var patch = (WeightPatch)new AlphaEdit(Alpha).Edit(model, inputs, new Seed(1));
        Assert.Equal(2, patch.Changes.Count);
        foreach (var layer in (int[])[0, 1])
        {
            var space = inputs.NullSpaces[layer];
            Assert.InRange(space.Kept, 1, space.Size - 1);
            var right = ((LowRankChange)patch.Changes[CausalLm.DownProjName(layer)]).Right.to(ScalarType.Float64);
            Assert.True((right - space.Project(right)).norm().ToDouble() < 1e-6 * right.norm().ToDouble());
            Assert.True(right.norm().ToDouble() > 0);
        }
        foreach (var space in inputs.NullSpaces.Values)
            space.Dispose();
    }

    private static AlphaEdit.Options Alpha =>
        new()
        {
            Layers = [0, 1],
            Ridge = 0.1,
            NullSpaceThreshold = 0.3,
            NullSpaceUnit = EigenvalueUnit.Mean,
            Value = new ValueOptions
            {
                Steps = 5,
                LearningRate = 0.1,
                StopLoss = 0,
            },
        };

    [Theory]
    [MemberData(nameof(Models))]
    public void Memit_with_a_light_second_moment_brings_the_last_block_to_the_value(string name)
    {
        using var model = Open(name);
        using var scope = NewDisposeScope();
        // One layer, one fact, no weight on other keys: the residual is written in full, as ROME with the prompt's key
        // would.
        var value = new ValueOptions
        {
            Steps = 5,
            LearningRate = 0.1,
            StopLoss = 0,
            KlFactor = 0,
            WeightDecay = 0,
        };
        var identity = eye(model.Config.IntermediateSize);
        var inputs = new MethodInputs
        {
            Edits = [Edits[0]],
            SecondMoments = new Dictionary<int, Tensor> { [1] = identity },
        };
        using var memit = (WeightPatch)
            new Memit(
                new Memit.Options
                {
                    Layers = [1],
                    Lambda = 1e-9,
                    Contexts = 0,
                    Value = value,
                }
            ).Edit(model, inputs, new Seed(1));
        using var rome = (WeightPatch)
            new Rome(
                new Rome.Options
                {
                    Layers = [1],
                    Key = RomeKey.PromptOnly,
                    Contexts = 0,
                    Value = value with { ClampNormFactor = 1000 },
                }
            ).Edit(model, inputs, new Seed(1));
        using var quiet = no_grad();
        Tensor Update(WeightPatch patch) =>
            patch.Changes.Values.Cast<LowRankChange>().Select(c => matmul(c.Left, c.Right.t())).Single();
        var health = memit.Health!.Single()!["layers"]![0]!;
        Assert.Equal(1, (double)health["written"]!, 1e-3);
        IReadOnlyList<IReadOnlyList<int>> bare =
        [
            [],
        ];
        var z = TargetValues.Optimise(model, [Edits[0]], bare, 1, ValueSite.ResidPost, value)[0].Value;
        using (memit.ApplyTo(model))
        {
            using var states = new LookupStates(model, [Edits[0]], bare, 1);
            Tensors.Near(z, states.OutputAt(1)[0].to(ScalarType.Float32), 1e-4, "output of the block");
        }
        Tensors.Near(Update(rome), Update(memit), 1e-3, "MEMIT and ROME");
    }

    [Fact]
    public void The_order_of_a_batch_changes_nothing_but_rounding_and_sequence_does()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        Tensor Update(int batchSize, params EditRequest[] edits)
        {
            using var patch = (WeightPatch)
                new Memit(
                    new Memit.Options
                    {
                        Layers = [0, 1],
                        Lambda = 2,
                        BatchSize = batchSize,
                        Value = new ValueOptions
                        {
                            Steps = 5,
                            LearningRate = 0.05,
                            StopLoss = 0,
                        },
                    }
                ).Edit(model, Inputs(model, edits), new Seed(1));
            using var quiet = no_grad();
            var change = (LowRankChange)patch.Changes[CausalLm.DownProjName(1)];
            return matmul(change.Left, change.Right.t());
        }
        var together = Update(3, Edits);
        Tensors.Near(together, Update(3, Edits[2], Edits[0], Edits[1]), 1e-4, "another order");
        Assert.True((together - Update(1, Edits)).norm().ToDouble() > 1e-3 * together.norm().ToDouble());
    }

    [Fact]
    public void More_edits_than_rows_are_compressed_into_one_pair_of_factors_no_wider_than_the_weight()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        var many = Enumerable.Range(0, 40).Select(i => Edits[i % 3] with { Id = $"{i}" }).ToArray();
        var options = new Rome.Options
        {
            Layers = [1],
            Contexts = 0,
            Value = new ValueOptions
            {
                Steps = 2,
                LearningRate = 0.01,
                KlFactor = 0,
            },
        };
        using var patch = (WeightPatch)new Rome(options).Edit(model, Inputs(model, many), new Seed(1));
        var change = (LowRankChange)patch.Changes.Single().Value;
        Assert.Equal(32, change.Left.shape[1]);
        Assert.Equal(40, patch.Health!.Count);

        using var session = new EditSession(model, Inputs(model, many), [1]);
        var draw = new Seed(4).Stream("updates");
        using var quiet = no_grad();
        var before = model.Weight(CausalLm.DownProjName(1)).clone();
        for (var i = 0; i < 40; i++)
            session.Write(
                1,
                tensor(Enumerable.Range(0, 32).Select(_ => (float)draw.NextGaussian()).ToArray()).view(32, 1),
                tensor(Enumerable.Range(0, 56).Select(_ => (float)draw.NextGaussian()).ToArray()).view(56, 1)
            );
        using var squeezed = session.ToPatch();
        var low = (LowRankChange)squeezed.Changes.Single().Value;
        Tensors.Near(
            session.Model.Weight(CausalLm.DownProjName(1)) - before,
            matmul(low.Left, low.Right.t()),
            1e-5,
            "sum of all updates"
        );
    }

    [Fact]
    public void The_key_cache_ends_with_its_session()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        using var other = TinyModels.Lively(seed: 2);
        var inputs = Inputs(model, [Edits[0]]);
        byte[] Right(CausalLm m, MethodInputs i)
        {
            using var patch = (WeightPatch)new AlphaEdit(Alpha with { NullSpaceThreshold = 1 }).Edit(m, i, new Seed(1));
            return ((LowRankChange)patch.Changes[CausalLm.DownProjName(1)]).Right.bytes.ToArray();
        }
        var fresh = Right(model, inputs);
        Right(other, Inputs(other, Edits));
        Assert.Equal(fresh, Right(model, inputs));
    }

    [Fact]
    public void A_strong_sequence_warns_that_the_model_left_its_working_range_and_a_gentle_edit_does_not()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        List<string> Warnings(double clamp, double rate, EditRequest[] edits)
        {
            var warnings = new List<string>();
            var metrics = new Dictionary<string, double>();
            using var patch = new Rome(
                new Rome.Options
                {
                    Layers = [1],
                    Value = new ValueOptions
                    {
                        LearningRate = rate,
                        ClampNormFactor = clamp,
                        StopLoss = 0,
                    },
                }
            ).Edit(model, Inputs(model, edits) with { Warn = warnings.Add, Metric = metrics.Add }, new Seed(1));
            Assert.InRange(metrics["target-probability.after"], metrics["target-probability.before"], 1);
            Assert.InRange(metrics["layer1.drift"], 1e-6, 100);
            return warnings;
        }
        var many = Enumerable
            .Range(0, 12)
            .Select(i => Edits[i % 3] with { Id = $"{i}", TargetIds = [60 + i, 80 - i] })
            .ToArray();
        Assert.Contains(Warnings(4, 0.5, many), w => w.Contains("out of its working range", StringComparison.Ordinal));
        Assert.Empty(Warnings(0.2, 0.02, [Edits[0]]));
    }

    [Fact]
    public void Health_stands_in_the_patch_and_survives_saving()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        using var folder = new TemporaryFolder();
        using var patch = (WeightPatch)
            new Memit(
                new Memit.Options
                {
                    Layers = [0, 1],
                    Lambda = 2,
                    Value = new ValueOptions
                    {
                        Steps = 5,
                        LearningRate = 0.1,
                        StopLoss = 0,
                    },
                }
            ).Edit(model, Inputs(model, Edits), new Seed(1));
        patch.Save(folder.Path);
        using var loaded = WeightPatch.Load(folder.Path);
        Assert.True(JsonNode.DeepEquals(patch.Health, loaded.Health));
        Assert.Equal(["a", "b", "c"], loaded.Health!.Select(e => (string)e!["id"]!));
        foreach (var edit in loaded.Health!)
        {
            Assert.Equal(4, edit!["loss"]!.AsArray().Count);
            Assert.True((double)edit["probabilityAfter"]! > (double)edit["probabilityBefore"]!);
            Assert.All(edit["layers"]!.AsArray(), l => Assert.InRange((double)l!["written"]!, 0, 1.0001));
        }
    }

    [Fact]
    public void Impossible_edits_are_refused_all_at_once_before_anything_changes()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        var before = model.Weights.ToDictionary(w => w.Key, w => w.Value.clone());
        EditRequest[] bad =
        [
            Edits[0] with
            {
                Id = "no target",
                TargetIds = [],
            },
            Edits[0] with
            {
                Id = "no subject",
                SubjectLast = 7,
            },
            Edits[0] with
            {
                Id = "too long",
                PromptIds = [1, .. Enumerable.Repeat(9, 130)],
            },
            Edits[0] with
            {
                Id = "foreign",
                TargetIds = [5, 900],
            },
        ];
        var error = Assert.Throws<InputException>(() =>
            new Memit(new Memit.Options { Layers = [1, 9] }).Edit(model, Inputs(model, bad), new Seed(1))
        );
        Assert.Equal(5, error.Problems.Count);
        foreach (
            var words in (string[])
                [
                    "blocks [1, 9], but the model has blocks 0 to 2",
                    "empty target",
                    "looks up position 7",
                    "but the model has 128 positions",
                    "tokens the model does not have: 900",
                ]
        )
            Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.All(before, w => Assert.True(Tensors.SameBits(w.Value, model.Weight(w.Key)), w.Key));
    }

    [Fact]
    public void A_projector_of_another_bound_is_refused_and_the_weights_come_back()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        var before = model.Weight(CausalLm.DownProjName(0)).clone();
        var error = Assert.Throws<MethodFailedException>(() =>
            new AlphaEdit(Alpha).Edit(model, Inputs(model, Edits), new Seed(1))
        );
        Assert.Contains("made with the bound 1 (Mean), not 0.3 (Mean)", error.Message, StringComparison.Ordinal);
        Assert.True(Tensors.SameBits(before, model.Weight(CausalLm.DownProjName(0))));
    }

    [Fact]
    public void Tensors_do_not_pile_up_over_a_sequence() => NothingPilesUp(20);

    [SlowFact("200 edits one after another")]
    [Trait("Category", "Slow")]
    public void Tensors_do_not_pile_up_over_a_long_sequence() => NothingPilesUp(200);

    private static void NothingPilesUp(int edits)
    {
        using var model = TinyModels.Llama(layers: 2);
        using var outer = NewDisposeScope();
        var requests = Enumerable.Range(0, edits).Select(i => Edits[i % 3] with { Id = $"{i}" }).ToArray();
        var inputs = Inputs(model, requests);
        using var session = new AlphaEdit.Session(
            model,
            inputs,
            Alpha with
            {
                NullSpaceThreshold = 1,
                Value = new ValueOptions { Steps = 2 },
            }
        );
        long Live() => DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        session.Edit([requests[0]]);
        session.Edit([requests[1]]);
        var start = Live();
        for (var i = 2; i < edits; i++)
            session.Edit([requests[i]]);
        // Two factors per layer and edit are what the patch will be made of.
        Assert.Equal(start + 2 * 2 * (edits - 2), Live());
    }

    private static MethodInputs Inputs(CausalLm model, EditRequest[] edits)
    {
        var (moments, _) = SecondMoments.Collect(
            model,
            Rows(60, model.Config.VocabSize),
            [.. Enumerable.Range(0, model.Config.Layers)]
        );
        return new MethodInputs
        {
            Edits = edits,
            Contexts = Contexts,
            SecondMoments = moments,
            NullSpaces = moments.ToDictionary(m => m.Key, m => NullSpace.Of(m.Value, 1, EigenvalueUnit.Mean)),
        };
    }

    private static IReadOnlyList<TokenRow> Rows(int count, int vocabulary)
    {
        var draw = new Seed(12).Stream("text");
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ => new TokenRow(
                    [1, .. Enumerable.Range(0, 10).Select(_ => 3 + draw.Below(vocabulary - 3))],
                    1
                )),
        ];
    }
}
