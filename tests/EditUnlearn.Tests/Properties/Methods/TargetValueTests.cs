using EditUnlearn.Benchmarks;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>
/// The value optimisation: equal to the plain one, edits independent of each other, bounds kept, gradients right.
/// </summary>
public sealed class TargetValueTests
{
    private static readonly IReadOnlyList<IReadOnlyList<int>> Contexts =
    [
        [],
        [70, 71],
        [72, 73, 74, 75],
        [76],
    ];

    private static readonly EditRequest[] Edits =
    [
        new("a", [1, 10, 20, 30, 40, 41], 3, [50, 60, 2], [1, 20, 30, 7, 8], 2),
        new("b", [1, 11, 21, 31], 1, [51], [1, 11, 7, 8], 1),
        new("c", [1, 12, 13, 22, 32, 33], 5, [52, 53, 54, 55, 56], [1, 12, 13, 22, 32, 33, 7, 8], 5),
        new("d", [1, 5, 14, 23, 34, 35, 36, 37], 4, [57, 58], [1, 23, 34, 7, 8], 2) { PrefixAt = 2 },
    ];

    public static TheoryData<int, string, int?> Places() =>
        new()
        {
            { 0, "MlpOut", null },
            { 1, "MlpOut", null },
            { 1, "ResidPost", null },
            { 2, "ResidPost", null },
            { 0, "ResidPost", 5 },
            { 1, "MlpOut", 5 },
        };

    [Theory]
    [MemberData(nameof(Places))]
    public void The_fast_optimisation_equals_the_plain_one_for_every_edit_of_a_batch(
        int layer,
        string site,
        int? window
    )
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively(layers: 4, window: window);
        // Gentle steps: Adam divides by the gradient's size, so a coordinate whose gradient is rounding noise may go
        // either way.
        var options = new ValueOptions
        {
            Steps = 12,
            LearningRate = 0.02,
            KlFactor = 0.5,
            WeightDecay = 0.01,
            ClampNormFactor = 2,
            StopLoss = 0,
        };
        var fast = TargetValues.Optimise(model, Edits, Contexts, layer, Enum.Parse<ValueSite>(site), options);
        for (var e = 0; e < Edits.Length; e++)
        {
            var (initial, value, losses) = PlainTargetValue.Optimise(
                model,
                Edits[e],
                Contexts,
                layer,
                Enum.Parse<ValueSite>(site),
                options
            );
            Tensors.Near(initial, fast[e].Initial, 1e-5, $"{Edits[e].Id} v0");
            Tensors.Near(value, fast[e].Value, 1e-5, $"{Edits[e].Id} value");
            Assert.Equal(losses.Count, fast[e].Losses.Count);
            for (var i = 0; i < losses.Count; i++)
            {
                Assert.Equal(losses[i].Total, fast[e].Losses[i].Total, 1e-5);
                Assert.Equal(losses[i].Nll, fast[e].Losses[i].Nll, 1e-5);
                Assert.Equal(losses[i].Kl, fast[e].Losses[i].Kl, 1e-5);
                Assert.Equal(losses[i].Decay, fast[e].Losses[i].Decay, 1e-6);
            }
        }
    }

    [Fact]
    public void An_edit_that_is_done_early_leaves_the_batch_and_changes_no_other()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        var options = new ValueOptions
        {
            Steps = 30,
            LearningRate = 0.1,
            KlFactor = 0,
            WeightDecay = 0,
            ClampNormFactor = 1000,
            StopLoss = 0,
        };
        // A bound that two of the four have passed by step 10.
        var midway = TargetValues
            .Optimise(model, Edits, Contexts, 1, ValueSite.ResidPost, options)
            .Select(v => v.Losses[10].Total)
            .Order()
            .ToArray();
        options = options with { StopLoss = (midway[1] + midway[2]) / 2 };
        var together = TargetValues.Optimise(model, Edits, Contexts, 1, ValueSite.ResidPost, options);
        Assert.True(
            together.Select(v => v.Losses.Count).Distinct().Count() > 1,
            "all edits stopped at the same step: the test shows nothing"
        );
        for (var e = 0; e < Edits.Length; e++)
        {
            var alone = TargetValues.Optimise(model, [Edits[e]], Contexts, 1, ValueSite.ResidPost, options)[0];
            Assert.Equal(alone.Losses.Count, together[e].Losses.Count);
            Tensors.Near(alone.Value, together[e].Value, 1e-5, Edits[e].Id);
        }
        var backwards = TargetValues.Optimise(model, [.. Edits.Reverse()], Contexts, 1, ValueSite.ResidPost, options);
        for (var e = 0; e < Edits.Length; e++)
            Tensors.Near(
                together[e].Value,
                backwards[Edits.Length - 1 - e].Value,
                1e-5,
                $"{Edits[e].Id} in another order"
            );
    }

    [Fact]
    public void The_bound_holds_after_every_update_and_the_first_moves_each_coordinate_by_the_rate()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        var options = new ValueOptions
        {
            Steps = 9,
            LearningRate = 0.3,
            ClampNormFactor = 0.3,
            StopLoss = 0,
        };
        var norms = new double[Edits.Length];
        var updates = new int[Edits.Length];
        var deltas = new List<(int Edit, double Norm)>();
        var values = TargetValues.Optimise(
            model,
            Edits,
            Contexts,
            1,
            ValueSite.ResidPost,
            options,
            observe: (e, delta, _) =>
            {
                updates[e]++;
                deltas.Add((e, delta.norm().ToDouble()));
            }
        );
        for (var e = 0; e < Edits.Length; e++)
        {
            norms[e] = values[e].Initial.norm().ToDouble();
            Assert.Equal(options.Steps - 1, updates[e]);
            Assert.All(deltas.Where(d => d.Edit == e), d => Assert.True(d.Norm <= 0.3 * norms[e] * (1 + 1e-6)));
            Assert.True((values[e].Value - values[e].Initial).norm().ToDouble() <= 0.3 * norms[e] * (1 + 1e-5));
        }
        Assert.Contains(values, v => v.Clamped);

        var free = TargetValues.Optimise(
            model,
            Edits,
            Contexts,
            1,
            ValueSite.ResidPost,
            options with
            {
                Steps = 2,
                ClampNormFactor = 1000,
            }
        );
        foreach (var value in free)
        {
            Assert.False(value.Clamped);
            Assert.All((value.Value - value.Initial).abs().data<float>().ToArray(), x => Assert.Equal(0.3, x, 1e-4));
        }
    }

    [Fact]
    public void At_delta_zero_only_the_target_counts_and_gradients_equal_finite_differences()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        var options = new ValueOptions
        {
            Steps = 5,
            LearningRate = 0.1,
            KlFactor = 0.5,
            WeightDecay = 3,
            StopLoss = 0,
        };
        var seen = new List<(Tensor Delta, Tensor Gradient)>();
        var value = TargetValues.Optimise(
            model,
            [Edits[0]],
            Contexts,
            1,
            ValueSite.ResidPost,
            options,
            observe: (_, d, g) => seen.Add((d.clone().DetachFromDisposeScope(), g.clone().DetachFromDisposeScope()))
        )[0];
        Assert.Equal(0, value.Losses[0].Kl, 1e-6);
        Assert.Equal(0, value.Losses[0].Decay);
        Assert.Equal(value.Losses[0].Nll, value.Losses[0].Total, 1e-6);

        // Along the gradient, where float32 can resolve the difference.
        foreach (var step in (int[])[0, 2])
        {
            var (delta, gradient) = seen[step];
            var size = gradient.norm().ToDouble();
            double At(double h) => LossAt(model, Edits[0], delta + h * gradient / size, 1, options, value.Initial);
            // At 0 the decay term has a kink; its two sides cancel here, as its gradient there is taken as 0.
            var numeric = (At(1e-2) - At(-1e-2)) / 2e-2;
            Assert.Equal(size, numeric, 0.01 * size);
        }
    }

    [Fact]
    public void Nothing_before_the_lookup_position_or_below_the_block_feels_the_offset()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        using var quiet = no_grad();
        var ids = Tensors.Ids([.. Edits[0].PromptIds]);
        var offset = new Offset(1, 3, arange(32).to(ScalarType.Float32));
        var (plain, moved) = (model.Forward(ids), model.Forward(ids, new ForwardOptions { Tap = offset }));
        Assert.True(Tensors.SameBits(plain[0].narrow(0, 0, 3), moved[0].narrow(0, 0, 3)));
        Assert.False(Tensors.SameBits(plain[0, 3], moved[0, 3]));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(4)]
    public void Tails_after_cached_beginnings_give_the_states_of_whole_rows(int? window)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively(window: window, layers: 4);
        using var quiet = no_grad();
        int[] lengths = [9, 12, 7],
            starts = [4, 8, 0];
        var ids = tensor(Enumerable.Range(0, 36).Select(i => (long)(3 + i * 7 % 90)).ToArray()).view(3, 12);
        var below = model.Blocks(model.Embed(ids), 0, 2);
        var whole = model.Blocks(below, 2, 4);
        using var tails = Continuations.Of(model, below, 2, starts, lengths);
        void Check(int[] rows)
        {
            var ends = model.Blocks(tails.Stream, 2, 4, new ForwardOptions { Past = tails }).view(-1, 32);
            foreach (var (i, row) in rows.Index())
            {
                Tensors.Near(
                    whole[row].narrow(0, starts[row], lengths[row] - starts[row]),
                    ends.narrow(0, tails.Starts[i], lengths[row] - starts[row]),
                    1e-5,
                    $"row {row}"
                );
                if (starts[row] > 0)
                    Tensors.Near(
                        whole[row].narrow(0, 0, starts[row]),
                        tails.Begun[i].narrow(0, 0, starts[row]),
                        1e-5,
                        $"beginning of row {row}"
                    );
            }
        }
        Check([0, 1, 2]);
        tails.Keep([2, 1]);
        Check([2, 1]);
    }

    [Fact]
    public void A_target_scored_before_the_lookup_position_is_a_constant_of_the_loss()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        // The reference's reading of " I ..." under a tokenizer with a metaspace: the first id is scored at the last
        // prompt token but one.
        var junk = Edits[2] with
        {
            Continuation = [53, 54, 55],
        };
        var options = new ValueOptions
        {
            Steps = 6,
            LearningRate = 0.05,
            KlFactor = 0,
            WeightDecay = 0,
            StopLoss = 0,
        };
        var fast = TargetValues.Optimise(model, [junk], Contexts, 1, ValueSite.ResidPost, options)[0];
        var (_, value, losses) = PlainTargetValue.Optimise(model, junk, Contexts, 1, ValueSite.ResidPost, options);
        Tensors.Near(value, fast.Value, 1e-5, "value");
        for (var i = 0; i < losses.Count; i++)
            Assert.Equal(losses[i].Total, fast.Losses[i].Total, 1e-5);
    }

    [Theory]
    [MemberData(nameof(TinyModels.Checkpoints), MemberType = typeof(TinyModels))]
    public void Other_families_give_the_plain_values_too(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Checkpoint(name);
        // Longer than the window of 16.
        var edit = new EditRequest(
            "long",
            [1, .. Enumerable.Range(0, 20).Select(i => 30 + i * 17 % 400)],
            14,
            [50, 60, 70, 2],
            [1, 40, 41, 3, 4],
            2
        );
        var options = new ValueOptions
        {
            Steps = 8,
            LearningRate = 0.01,
            KlFactor = 0.0625,
            StopLoss = 0,
        };
        foreach (var (layer, site) in new[] { (1, ValueSite.MlpOut), (2, ValueSite.ResidPost) })
        {
            var fast = TargetValues.Optimise(model, [Edits[0], edit], Contexts, layer, site, options)[1];
            var (_, value, losses) = PlainTargetValue.Optimise(model, edit, Contexts, layer, site, options);
            Tensors.Near(value, fast.Value, 2e-5, name);
            for (var i = 0; i < losses.Count; i++)
                Assert.Equal(losses[i].Total, fast.Losses[i].Total, 1e-4);
        }
    }

    [Fact]
    public void A_loss_that_is_not_finite_is_an_error_that_names_the_edit_and_the_step()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        using (no_grad())
            model.Weight(TensorNames.FinalNorm).fill_(float.NaN);
        var error = Assert.Throws<MethodFailedException>(() =>
            TargetValues.Optimise(model, Edits, Contexts, 1, ValueSite.ResidPost, new ValueOptions())
        );
        Assert.Contains("a, layer 1, step 0: the loss is NaN", error.Message, StringComparison.Ordinal);
    }

    private static double LossAt(
        CausalLm model,
        EditRequest edit,
        Tensor delta,
        int layer,
        ValueOptions options,
        Tensor initial
    )
    {
        using var quiet = no_grad();
        double total = 0;
        foreach (var context in Contexts)
        {
            var lookup = edit.SubjectLast + context.Count;
            int[] row = [.. Prompts.WithPrefix(edit, context), .. edit.TargetIds.SkipLast(1)];
            var log = nn.functional.log_softmax(
                model
                    .Forward(Tensors.Ids(row), new ForwardOptions { Tap = new Offset(layer, lookup, delta) })[0]
                    .to(ScalarType.Float64),
                -1
            );
            for (var t = 0; t < edit.TargetIds.Count; t++)
                total -=
                    log[row.Length - edit.TargetIds.Count + t, edit.TargetIds[t]].ToDouble()
                    / edit.TargetIds.Count
                    / Contexts.Count;
        }
        Tensor Essence(Tensor d) =>
            nn.functional.log_softmax(
                model
                    .Forward(
                        Tensors.Ids(edit.EssenceIds),
                        new ForwardOptions { Tap = new Offset(layer, edit.EssenceLast, d) }
                    )[0, edit.EssenceLast]
                    .to(ScalarType.Float64),
                -1
            );
        var (now, then) = (Essence(delta), Essence(zeros_like(delta)));
        return total
            + options.KlFactor * (now.exp() * (now - then)).sum().ToDouble()
            + options.WeightDecay * delta.norm().ToDouble() / Math.Pow(initial.norm().ToDouble(), 2);
    }

    private sealed class Offset(int layer, int position, Tensor delta) : ForwardTap
    {
        public override Tensor ResidPost(int at, Tensor h) =>
            at == layer
                ? h + nn.functional.one_hot(tensor((long)position), h.shape[1]).to(h.dtype).view(1, -1, 1) * delta
                : h;
    }
}
