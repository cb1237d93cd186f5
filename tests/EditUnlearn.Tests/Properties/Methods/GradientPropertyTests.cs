using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>
/// Identities between losses, between adapters and merged weights, between a run with and without recomputation.
/// See docs/methods.md, "Gradient methods".
/// </summary>
public sealed class GradientPropertyTests
{
    private const double Close = 1e-6;

    private static MethodInputs Inputs() =>
        new()
        {
            Forget = TinyModels.Rows(6),
            Retain = TinyModels.Rows(9, 8),
            Refusals = [.. TinyModels.Rows(6, 9).Select(r => new[] { r })],
        };

    private static T Short<T>(T options, Trainable trainable = Trainable.Full, int steps = 3, double rate = 1e-3)
        where T : TrainingOptions =>
        options with
        {
            Trainable = trainable,
            Steps = steps,
            LearningRate = rate,
            WarmupShare = 0,
        };

    private static (List<CurvePoint> Curve, WeightPatch Patch) Run(
        Func<Action<CurvePoint>, GradientMethod> make,
        CausalLm model,
        MethodInputs? inputs = null
    )
    {
        var curve = new List<CurvePoint>();
        return (curve, (WeightPatch)make(curve.Add).Edit(model, inputs ?? Inputs(), new Seed(11)));
    }

    private static void Same(WeightPatch a, WeightPatch b, double bound)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(a.Changes.Keys.Order(), b.Changes.Keys.Order());
        foreach (var (name, change) in a.Changes)
            foreach (var (x, y) in Parts(change).Zip(Parts(b.Changes[name])))
                if (bound == 0)
                    Assert.True(Tensors.SameBits(x, y), name);
                else
                    Tensors.Near(x, y, bound, name);

        static Tensor[] Parts(WeightChange change) =>
            change is LowRankChange low ? [low.Left, low.Right] : [((FullChange)change).Value];
    }

    [Fact]
    public void Dpo_begins_at_log_2_and_kl_at_the_forget_term_alone()
    {
        using var model = TinyModels.Llama();
        foreach (var trainable in (Trainable[])[Trainable.Full, Trainable.Lora])
        {
            var (dpo, p1) = Run(
                o => new PreferenceOptimisation(
                    Short(new PreferenceOptimisation.Options { Lora = NoDropout }, trainable)
                )
                {
                    Observer = o,
                },
                model
            );
            Assert.Equal(Math.Log(2), dpo[0].Loss, Close);
            foreach (var positions in Enum.GetValues<KlPositions>())
            {
                var (kl, p2) = Run(
                    o => new KlMinimisation(
                        Short(
                            new KlMinimisation.Options
                            {
                                Lora = NoDropout,
                                Kl = new KlMinimisation.KlTerm { Positions = positions, PaddedLength = 20 },
                            },
                            trainable
                        )
                    )
                    {
                        Observer = o,
                    },
                    model
                );
                Assert.Equal(0, kl[0].RetainLoss, Close);
                Assert.Equal(-kl[0].ForgetLoss, kl[0].Loss, Close);
                Assert.All(kl, p => Assert.True(p.RetainLoss > -Close));
                Assert.True(kl[^1].RetainLoss > 1e-5, "the model moves away from its reference");
                p2.Dispose();
            }
            p1.Dispose();
        }
    }

    [Fact]
    public void Kl_at_its_reference_has_the_gradient_of_ascent_alone()
    {
        using var model = TinyModels.Llama();
        var (ga, p1) = Run(
            o => new GradientAscent(Short(new GradientAscent.Options(), steps: 1)) { Observer = o },
            model
        );
        var (kl, p2) = Run(
            o => new KlMinimisation(Short(new KlMinimisation.Options(), steps: 1)) { Observer = o },
            model
        );
        Assert.Equal(ga[0].GradientNorm, kl[0].GradientNorm, 1e-5 * ga[0].GradientNorm);
        p1.Dispose();
        p2.Dispose();
    }

    [Fact]
    public void Gradient_difference_without_its_retain_term_is_ascent_and_with_equal_rows_is_nothing()
    {
        using var model = TinyModels.Llama();
        var (ga, ascent) = Run(o => new GradientAscent(Short(new GradientAscent.Options())) { Observer = o }, model);
        var (gd, without) = Run(
            o => new GradientDifference(Short(new GradientDifference.Options { RetainWeight = 0 })) { Observer = o },
            model
        );
        Assert.Equal(ga.Select(p => p.Loss), gd.Select(p => p.Loss));
        Same(ascent, without, Close);
        PairedRow[] equal = [.. Enumerable.Range(0, 12).Select(i => new PairedRow(i % 6, i % 6, -1))];
        var (zero, nothing) = Run(
            o => new GradientDifference(Short(new GradientDifference.Options())) { Observer = o, Places = equal },
            model,
            Inputs() with
            {
                Retain = TinyModels.Rows(6),
            }
        );
        Assert.Equal(0, zero[0].Loss, Close);
        Assert.Equal(0, zero[0].GradientNorm, 1e-5);
        foreach (var p in (WeightPatch[])[ascent, without, nothing])
            p.Dispose();
    }

    [Fact]
    public void Dpo_with_the_factor_and_retain_term_of_OpenUnlearning_is_20_times_its_loss_plus_the_retain_loss()
    {
        using var model = TinyModels.Llama();
        PairedRow[] places = [.. Enumerable.Range(0, 12).Select(i => new PairedRow(i % 6, i % 9, 0))];
        var (plain, p1) = Run(
            o => new PreferenceOptimisation(Short(new PreferenceOptimisation.Options(), steps: 1))
            {
                Observer = o,
                Places = places,
            },
            model
        );
        var (open, p2) = Run(
            o => new PreferenceOptimisation(
                Short(new PreferenceOptimisation.Options { Scale = 20, RetainWeight = 1 }, steps: 1)
            )
            {
                Observer = o,
                Places = places,
            },
            model
        );
        Assert.Equal(20 * plain[0].Loss + open[0].RetainLoss, open[0].Loss, 1e-5);
        p1.Dispose();
        p2.Dispose();
    }

    [Fact]
    public void A_union_of_refusals_and_retain_rows_is_half_the_sum_when_both_have_as_many_labels()
    {
        using var model = TinyModels.Llama();
        var rows = TinyModels.Rows(6);
        var inputs = new MethodInputs
        {
            Forget = rows,
            Retain = rows,
            Refusals = [.. rows.Select(r => new[] { r })],
        };
        PairedRow[] places = [.. Enumerable.Range(0, 12).Select(i => new PairedRow(i % 6, i % 6, 0))];
        double Loss(bool union)
        {
            var (curve, patch) = Run(
                o => new RefusalTraining(Short(new RefusalTraining.Options { Union = union }, steps: 1))
                {
                    Observer = o,
                    Places = places,
                },
                model,
                inputs
            );
            patch.Dispose();
            return curve[0].Loss;
        }
        Assert.Equal(Loss(union: false) / 2, Loss(union: true), Close);
    }

    public static TheoryData<string, string> GradientMethods
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (var entry in MethodCatalog.All.Where(m => m.Options.IsSubclassOf(typeof(TrainingOptions))))
                cases.Add(entry.Name, "{}");
            cases.Add("dpo", """{"retainWeight":1}""");
            cases.Add("idk", """{"union":true}""");
            return cases;
        }
    }

    // A short run of a method of the catalogue; options that it does not have are left out.
    private static (IReadOnlyList<CurvePoint> Curve, WeightPatch Patch) Run(
        CausalLm model,
        string name,
        string own,
        JsonObject options
    )
    {
        var entry = MethodCatalog.Find(name)!;
        var all = OptionStack.Overlay(
            MethodContract.Known(
                entry,
                OptionStack.Overlay(
                    new JsonObject
                    {
                        ["steps"] = 3,
                        ["warmupShare"] = 0,
                        ["learningRate"] = 1e-3,
                    },
                    options
                )
            ),
            JsonNode.Parse(own)!.AsObject()
        );
        IReadOnlyList<CurvePoint> curve = [];
        var patch = MethodContract
            .Make(entry, all)
            .Edit(model, Inputs() with { Trained = r => curve = r.Curve }, new Seed(11));
        return (curve, (WeightPatch)patch);
    }

    [Theory]
    [MemberData(nameof(GradientMethods))]
    public void Exact_accumulation_is_one_large_pass_for_every_loss(string method, string own)
    {
        using var model = TinyModels.Llama();
        foreach (var normalisation in (string[])["tokenMean", "sampleMean"])
        {
            JsonObject Passes(int rows, int passes) =>
                new()
                {
                    ["normalisation"] = normalisation,
                    ["batchSize"] = rows,
                    ["accumulation"] = passes,
                    ["accumulationMode"] = "exact",
                };
            var (one, p1) = Run(model, method, own, Passes(4, 1));
            var (two, p2) = Run(model, method, own, Passes(2, 2));
            Assert.Equal(3, one.Count);
            foreach (var (a, b) in one.Zip(two))
                Assert.Equal(a.Loss, b.Loss, 1e-4 * Math.Max(1, Math.Abs(a.Loss)));
            Assert.Equal(one[0].GradientNorm, two[0].GradientNorm, 1e-4 * one[0].GradientNorm);
            p1.Dispose();
            p2.Dispose();
        }
    }

    [Theory]
    [MemberData(nameof(GradientMethods))]
    public void Recomputing_blocks_changes_neither_losses_nor_weights(string method, string own)
    {
        using var model = TinyModels.Llama();
        foreach (
            var (trainable, dropout) in (ReadOnlySpan<(string, double)>)
                [("full", 0), ("lora", 0), ("lora", 0.3), ("layers", 0), ("memories", 0)]
        )
        {
            JsonObject Moving(bool recompute) =>
                new()
                {
                    ["trainable"] = trainable,
                    ["lora"] = new JsonObject { ["dropout"] = dropout },
                    ["gradientCheckpointing"] = recompute,
                };
            var (plain, kept) = Run(model, method, own, Moving(false));
            var (again, recomputed) = Run(model, method, own, Moving(true));
            foreach (var (a, b) in plain.Zip(again))
            {
                Assert.Equal(a.Loss, b.Loss, 1e-5 * Math.Max(1, Math.Abs(a.Loss)));
                Assert.Equal(a.GradientNorm, b.GradientNorm, 1e-5 * a.GradientNorm);
            }
            // Gradients are summed in another order where rows are packed, and Adam makes the most of the smallest.
            Same(kept, recomputed, 5e-4);
            kept.Dispose();
            recomputed.Dispose();
        }
    }

    [Fact]
    public void Memories_alone_move_where_they_are_chosen()
    {
        using var model = TinyModels.Llama();
        var (_, patch) = Run(
            model,
            "ga",
            "{}",
            new JsonObject { ["trainable"] = "memories", ["layers"] = new JsonArray(0, 2) }
        );
        Assert.Equal([CausalLm.DownProjName(0), CausalLm.DownProjName(2)], patch.Changes.Keys.Order());
        patch.Dispose();
    }

    [Fact]
    public void A_divergence_in_pieces_is_the_divergence_at_once()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var other = TinyModels.Llama(seed: 2);
        using var reference = new ReferenceModel(other, owns: false, 1 << 20);
        var rows = TinyModels.Rows(5);
        var rule = new KlRule(KlPositions.PaddedCompat, 18, 2);
        (double Value, byte[] Gradient) Kl(long? piece, bool recompute)
        {
            using var trained = TrainedModel.Of(
                model,
                new KlMinimisation.Options { Trainable = Trainable.Full, GradientCheckpointing = recompute },
                new Seed(1),
                reference
            );
            trained.PiecePositions = piece;
            using var batch = new UnlearnBatch(RowBatch.Of(rows), RowBatch.Of(rows), null);
            var kl = trained.RetainKl(batch, rule) * 3;
            trained.Backward(kl);
            return (kl.ToDouble(), trained.Parameters.Gradient.bytes.ToArray());
        }
        var whole = Kl(null, recompute: false);
        foreach (var recompute in (bool[])[false, true])
        {
            var pieces = Kl(7, recompute);
            Assert.Equal(whole.Value, pieces.Value, 1e-5);
            var (a, b) = (tensor(Floats(whole.Gradient)), tensor(Floats(pieces.Gradient)));
            Tensors.Near(a, b, 1e-5, "gradient");
        }

        static float[] Floats(byte[] bytes) =>
            System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }

    [Fact]
    public void What_a_reference_said_once_is_what_it_says_live()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var cached = new ReferenceModel(model, owns: false, 1 << 20);
        using var live = new ReferenceModel(model, owns: false, 0);
        var rows = TinyModels.Rows(20);
        using var batch = RowBatch.Of([.. rows.Take(4)]);
        cached.PrepareSums(rows);
        Tensors.Near(live.RowNll(batch), cached.RowNll(batch), Close, "sums");
        foreach (var positions in Enum.GetValues<KlPositions>())
        {
            using var again = new ReferenceModel(model, owns: false, 1 << 20);
            var rule = new KlRule(positions, null, 2);
            again.PrepareStates(rows, rule);
            live.PrepareStates(rows, rule); // over its budget: keeps nothing
            Tensors.Near(live.States(batch.Rows, rule), again.States(batch.Rows, rule), 1e-5, positions.ToString());
        }
    }

    [Fact]
    public void A_reference_that_was_opened_for_a_run_is_closed_before_it_and_is_the_one_that_counts()
    {
        using var model = TinyModels.Llama();
        CausalLm? opened = null;
        var inputs = Inputs() with { OpenReference = () => opened = TinyModels.Llama(seed: 5) };
        var (curve, patch) = Run(
            o => new KlMinimisation(
                Short(
                    new KlMinimisation.Options
                    {
                        Kl = new KlMinimisation.KlTerm { Reference = ReferenceSource.Pretrained },
                    }
                )
            )
            {
                Observer = o,
            },
            model,
            inputs
        );
        Assert.True(curve[0].RetainLoss > 0.01);
        Assert.True(opened!.Weights.Values.First().IsInvalid);
        patch.Dispose();
        Assert.Throws<ArgumentException>(() =>
            Run(
                o => new KlMinimisation(
                    Short(
                        new KlMinimisation.Options
                        {
                            Kl = new KlMinimisation.KlTerm { Reference = ReferenceSource.Folder },
                        }
                    )
                )
                {
                    Observer = o,
                },
                model
            )
        );
    }

    [Fact]
    public void An_adapter_adds_nothing_at_first_and_as_much_as_its_merged_weights_later()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var trained = TrainableModel.Of(model, new TrainableModel.Options(), new Seed(3));
        var ids = Tensors.Ids([1, 5, 9, 14, 30]);
        using (no_grad())
        {
            var plain = model.Hidden(ids);
            Assert.True(Tensors.SameBits(plain, trained.Hidden(ids)));
            trained.Parameters.Weights.add_(
                tensor(
                    Enumerable
                        .Range(0, (int)trained.Parameters.Weights.numel())
                        .Select(i => (float)Math.Sin(i) * 0.02f)
                        .ToArray()
                )
            );
            var applied = trained.Logits(trained.Hidden(ids));
            var merged = trained.WithMerged(m => m.Forward(ids));
            Assert.True(
                (applied - merged).abs().max().ToDouble() < Close * Math.Max(1, applied.abs().max().ToDouble())
            );
            Assert.True(Tensors.SameBits(plain, model.Hidden(ids)), "the adapter was taken off again");
            Assert.False(Tensors.SameBits(plain, trained.Hidden(ids)));
            trained.Reset();
            Assert.True(Tensors.SameBits(plain, trained.Hidden(ids)));
        }
    }

    [Fact]
    public void A_run_that_explodes_returns_its_last_finite_weights_and_says_so()
    {
        using var model = TinyModels.Llama();
        TrainingRecord? record = null;
        // A step of 1e30 carries every weight beyond what a product of two can hold.
        var exploding = Short(new GradientAscent.Options { ClipNorm = null }, steps: 10, rate: 1e30);
        using var patch = (WeightPatch)
            new GradientAscent(exploding).Edit(model, Inputs() with { Trained = r => record = r }, new Seed(11));
        Assert.NotNull(record!.Diverged);
        Assert.Equal(record.Diverged.Step - 2, record.Curve.Count);
        Assert.All(patch.Changes.Values, c => Assert.True(((FullChange)c).Value.isfinite().all().ToBoolean()));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(9)]
    public void An_unlearning_run_killed_in_the_middle_ends_with_the_same_patch(int killedAt)
    {
        using var model = TinyModels.Llama();
        using var folder = new TemporaryFolder();
        foreach (var trainable in (Trainable[])[Trainable.Full, Trainable.Lora])
        {
            KlMinimisation Method(Action<CurvePoint>? o = null) =>
                new(Short(new KlMinimisation.Options(), trainable, steps: 10)) { Observer = o };
            TrainingStore Store() => new(folder[trainable.ToString()], "run", new TrainingStore.Interval(1, 0));
            using var whole = (WeightPatch)Method().Edit(model, Inputs(), new Seed(11));
            Assert.Throws<OperationCanceledException>(() =>
                Method(p => _ = p.Step == killedAt ? throw new OperationCanceledException() : p)
                    .Edit(model, Inputs() with { Store = Store() }, new Seed(11))
            );
            TrainingRecord? record = null;
            using var resumed = (WeightPatch)
                Method().Edit(model, Inputs() with { Store = Store(), Trained = r => record = r }, new Seed(11));
            Assert.Equal(killedAt - 1, record!.ResumedAt);
            Assert.Equal(10, record.Curve.Count);
            Same(whole, resumed, 0);
        }
    }

    private static LoraAdapter.Options NoDropout => new() { Dropout = 0 };
}
