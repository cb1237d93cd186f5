using System.Text.Json;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// Losses of the gradient methods on a real model against the public trainers: values, the gradient of every
/// parameter, three steps.
/// </summary>
/// <remarks>
/// Ten times the sensitivity, and no less than 1e-4. A case that has none stored takes the worst of the others.
/// </remarks>
[Trait("Category", "RealModel")]
public sealed class RealGradientGoldenTests : IClassFixture<RealGradientGoldenTests.Shared>
{
    private const string Part = "real/unlearn";
    private const double Least = 1e-4;

    private readonly RealUnlearnGolden _golden;

    public RealGradientGoldenTests(Shared shared)
    {
        ArgumentNullException.ThrowIfNull(shared);
        _golden = shared.Golden;
    }

    public static TheoryData<string> Cases() => [.. RealUnlearnGolden.Cases];

    public static TheoryData<string> Runs() =>
        Goldens.Missing(Part + "/manifest.json") is null
            ? [.. RealUnlearnGolden.Manifest.GetProperty("steps").EnumerateObject().Select(s => s.Name)]
            : [];

    [RealModelTheory(Part + "/manifest.json")]
    [MemberData(nameof(Cases))]
    public void The_loss_and_the_gradient_of_every_parameter_agree(string name)
    {
        using var scope = NewDisposeScope();
        var cases = RealUnlearnGolden.Manifest.GetProperty("cases");
        var entry = cases.GetProperty(name);
        var trained = _golden.UntiedAgainst(entry.GetProperty("reference").GetString()!);
        trained.Parameters.ZeroGradient();
        var loss = _golden.Loss(name, trained);
        var expected = entry.GetProperty("loss").GetDouble();
        RealGoldens.Near(
            expected,
            loss.detach().ToDouble(),
            Math.Max(Least * Math.Abs(expected), 10 * Sensitivity(entry, "loss")),
            $"{name} loss"
        );
        trained.Backward(loss);
        _ = trained.TakeNoted();
        // The trainer's softmax is too coarse for gradients where the goldens have an exact one beside it.
        var exact = cases
            .EnumerateObject()
            .Any(c => c.Name != name && c.Name.Replace("_exact", "", StringComparison.Ordinal) == name);
        var norm = GradientsAgree(
            name,
            trained.Parameters,
            exact ? null : Bound(cases, entry, "parameter_grad_rel_l2_worst")
        );
        var expectedNorm = entry.GetProperty("grad_norm").GetDouble();
        RealGoldens.Near(expectedNorm, norm, Least * expectedNorm, $"{name} gradient norm");
        var whole = trained.Parameters.Gradient.to(ScalarType.Float64).norm().ToDouble();
        RealGoldens.Near(whole, trained.Parameters.GradientNorm(), 1e-5 * whole, $"{name} norm of the vector");
    }

    // Compares where there is a bound; returns the norm over all parameters.
    private static double GradientsAgree(string name, FlatParameters parameters, double? bound)
    {
        var stored = Goldens.Json(Part, name + ".grad.json");
        var whole = Goldens.Values(Part, "gradients.safetensors");
        var squares = 0.0;
        Assert.Equal(
            stored.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal),
            RealUnlearnGolden.Start.Weights.Keys.Order(StringComparer.Ordinal)
        );
        foreach (var slot in parameters.Slots.Where(s => stored.TryGetProperty(s.Name, out _)))
        {
            using var scope = NewDisposeScope();
            var gradient = Gradient(parameters, slot);
            var actual = gradient.to(ScalarType.Float64).norm().ToDouble();
            squares += actual * actual;
            if (bound is not { } allowed)
                continue;
            var (l2, sum, first) = Split(stored.GetProperty(slot.Name));
            var what = $"{name} gradient of {slot.Name}";
            RealGoldens.Near(l2, actual, allowed * l2, what);
            // Entries cancel in a sum; their errors do not.
            RealGoldens.Near(sum, Sum(gradient), 3 * allowed * l2, what + ", sum");
            foreach (var (e, a) in first.Zip(gradient.reshape(-1).narrow(0, 0, first.Length).data<float>().ToArray()))
                RealGoldens.Near(e, a, allowed * l2, what + ", first entries");
            var key = $"{name}.grad.{slot.Name}";
            if (whole.Entries.ContainsKey(key))
                Tensors.Near(whole.Read(key), gradient, allowed, key);
        }
        return Math.Sqrt(squares);
    }

    // Of a tied embedding the sum of both parts. The reference's embedding is told which token fills rows, and keeps no
    // gradient of that token as an input, wherever it stands.
    private static Tensor Gradient(FlatParameters parameters, FlatParameters.Slot slot)
    {
        Tensor Of(FlatParameters.Slot s) => parameters.Gradient.narrow(0, s.Offset, s.Count).view(s.Shape);
        if (
            slot.Name != TensorNames.Embedding
            || parameters.Slots.Count == RealUnlearnGolden.Start.Weights.Count
            || parameters.Slots.FirstOrDefault(s => s.Name == TensorNames.LmHead) is not { } output
        )
            return Of(slot);
        var sum = Of(slot).clone();
        if (RealUnlearnGolden.PadId is { } pad)
            sum[pad].zero_();
        return sum.add_(Of(output));
    }

    [RealModelFact(Part + "/manifest.json")]
    public void The_gradient_of_a_tied_embedding_is_that_of_both_its_uses()
    {
        using var scope = NewDisposeScope();
        Tensor[] Gradients(TrainedModel trained)
        {
            trained.Parameters.ZeroGradient();
            trained.Backward(trained.ForgetNll(_golden.Batch));
            _ = trained.TakeNoted();
            return
            [
                .. trained
                    .Parameters.Slots.Where(s => s.Name is TensorNames.Embedding or TensorNames.LmHead)
                    .Select(s => trained.Parameters.Gradient.narrow(0, s.Offset, s.Count).clone()),
            ];
        }
        var parts = Gradients(_golden.UntiedAgainst("start"));
        Tensors.Near(parts.Aggregate((a, b) => a + b), Gradients(_golden.Against("start"))[0], 1e-5, "tied embedding");
    }

    [RealModelTheory(Part + "/manifest.json")]
    [MemberData(nameof(Runs))]
    public void Three_steps_agree(string name)
    {
        using var scope = NewDisposeScope();
        var run = RealUnlearnGolden.Manifest.GetProperty("steps").GetProperty(name);
        var losses = RealGoldens.Numbers(run.GetProperty("losses_before_each_step_and_after_the_last"));
        var norms = RealGoldens.Numbers(run.GetProperty("grad_norms"));
        var changes = Goldens.Json(Part, name + "_steps.change.json");
        var trained = _golden.Against("start");
        using var loop = new TrainingLoop(
            trained.Parameters,
            new AdamW.Options { WeightDecay = RealUnlearnGolden.Told(run, "decay") },
            null,
            trained.Reset
        );
        PassOutcome Pass(int step)
        {
            using var inner = NewDisposeScope();
            trained.Parameters.ZeroGradient();
            var loss = _golden.Loss(name, trained);
            trained.Backward(loss);
            _ = trained.TakeNoted();
            return new PassOutcome(loss.detach().ToDouble(), 0);
        }
        bool After(CurvePoint point)
        {
            if (changes.TryGetProperty($"step{point.Step}", out var stored))
                ChangesAgree(name, point.Step, stored, trained.Parameters, run.GetProperty("sensitivity"));
            return true;
        }
        _ = loop.Run(norms.Length, Pass, _ => run.GetProperty("lr").GetDouble(), After);
        var bound = 10 * Sensitivity(run, "losses");
        double[] ours = [.. loop.Curve.Select(c => c.Loss), LossNow(name, trained)];
        foreach (var (i, (e, a)) in losses.Zip(ours).Index())
            RealGoldens.Near(e, a, Math.Max(Least * Math.Max(1, Math.Abs(e)), bound), $"{name} loss {i}");
        // The trainer's preference loss has a softmax that costs a thousandth of its gradient.
        foreach (var (i, (e, a)) in norms.Zip(loop.Curve.Select(c => c.GradientNorm)).Index())
            RealGoldens.Near(e, a, 2e-3 * e, $"{name} gradient norm {i}");
        ProbesAgree(name, norms.Length, trained.Parameters, run.GetProperty("sensitivity"));
    }

    private double LossNow(string name, TrainedModel trained)
    {
        using var quiet = no_grad();
        using var loss = _golden.Loss(name, trained);
        _ = trained.TakeNoted();
        return loss.ToDouble();
    }

    // Adam moves entries of a gradient near 0 by whole steps either way; norms hold nevertheless.
    private static void ChangesAgree(
        string name,
        int step,
        JsonElement stored,
        FlatParameters parameters,
        JsonElement sensitivity
    )
    {
        using var quiet = no_grad();
        var median = 10 * sensitivity.GetProperty("change_rel_l2_median").GetDouble();
        var worst = 10 * sensitivity.GetProperty("change_rel_l2_worst").GetDouble();
        var values = Goldens.Values(Part, name + "_steps.safetensors");
        var total = 0.0;
        foreach (var slot in parameters.Slots)
        {
            using var scope = NewDisposeScope();
            var change =
                parameters.Weights.narrow(0, slot.Offset, slot.Count)
                - RealUnlearnGolden.Start.Weight(slot.Name).reshape(-1);
            var (l2, sum, _) = Split(stored.GetProperty(slot.Name));
            var actual = change.to(ScalarType.Float64).norm().ToDouble();
            total += actual * actual;
            var what = $"{name} change of {slot.Name} after {step}";
            RealGoldens.Near(l2, actual, median * l2, what);
            RealGoldens.Near(sum, Sum(change), worst * l2 * Math.Sqrt(slot.Count), what + ", sum");
            var key = $"step{step}.{slot.Name}";
            if (values.Entries.ContainsKey(key))
                Tensors.Near(
                    values.Read(key) - RealUnlearnGolden.Start.Weight(slot.Name),
                    change.view(slot.Shape),
                    worst,
                    what
                );
        }
        var run = RealUnlearnGolden.Manifest.GetProperty("steps").GetProperty(name);
        if (step == run.GetProperty("grad_norms").GetArrayLength())
            RealGoldens.Near(
                run.GetProperty("total_change_l2").GetDouble(),
                Math.Sqrt(total),
                1e-3 * Math.Sqrt(total),
                $"{name} change"
            );
    }

    private static void ProbesAgree(string name, int steps, FlatParameters parameters, JsonElement sensitivity)
    {
        var values = Goldens.Values(Part, name + "_steps.safetensors");
        var allowed = Math.Max(1e-3, 10 * sensitivity.GetProperty("probe_logits_max").GetDouble());
        var after = RealUnlearnGolden.Start.Over(parameters.Views);
        for (var i = 0; RealUnlearnGolden.Rows.Entries.ContainsKey($"probe{i}.input_ids"); i++)
        {
            int[] ids =
            [
                .. RealUnlearnGolden.Rows.Read($"probe{i}.input_ids").data<long>().ToArray().Select(x => (int)x),
            ];
            foreach (
                var (when, model) in ((string, CausalLm)[])[("before", RealUnlearnGolden.Start), ("after", after)]
            )
            {
                var logits = RealGoldens.Last(model, ids);
                var difference = values.Read($"probe{i}.{when}") - logits.index_select(0, values.Read($"probe{i}.ids"));
                RealGoldens.Near(0, difference.abs().max().ToDouble(), allowed, $"{name} probe {i} {when} {steps}");
            }
            var top = RealGoldens.Last(after, ids).topk(1).indexes.ToInt64();
            Assert.Equal(values.Read($"probe{i}.after_top_ids")[0].ToInt64(), top);
        }
    }

    [RealModelFact(Part + "/inputs.json")]
    public void Rows_of_the_template_and_their_probabilities_agree()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var (words, told) = (Goldens.Json(Part, "inputs.json"), RealUnlearnGolden.Manifest.GetProperty("rows"));
        var checkpoint = RealModels.Load();
        var trained = _golden.Against("other");
        var batch = _golden.Batch;
        string[] Words(string set, string what) =>
            [.. words.GetProperty(set).EnumerateArray().Select(r => r.GetProperty(what).GetString()!)];
        string[] refusals = [.. words.GetProperty("refusals").EnumerateArray().Select(r => r.GetString()!)];
        foreach (
            var (set, answers, rows) in ((string, string[], RowBatch)[])
                [
                    ("forget", Words("forget", "answer"), batch.Forget),
                    ("retain", Words("retain", "answer"), batch.Retain!),
                    ("refusal", refusals, batch.Refusals!),
                ]
        )
        {
            var questions = Words(set == "retain" ? set : "forget", "question");
            Assert.Equal(questions.Zip(answers, (q, a) => checkpoint.Row(q, a)), rows.Rows);
            Tensors.Near(
                -tensor(RealGoldens.Numbers(told.GetProperty(set).GetProperty("sum_log_probability"))),
                trained.RowNll(rows),
                Least,
                set
            );
            Tensors.Near(
                -tensor(RealGoldens.Numbers(told.GetProperty(set).GetProperty("under_other_reference"))),
                trained.ReferenceRowNll(rows),
                Least,
                set + ", other"
            );
        }
        var table = RealUnlearnGolden.Manifest.GetProperty("kl_per_position_other_reference");
        Tensors.Near(
            stack(table.EnumerateArray().Select(r => tensor(RealGoldens.Numbers(r))).ToArray()),
            RealUnlearnGolden.Padded(trained, "other"),
            1e-3,
            "divergence of every position"
        );
    }

    private static (double L2, double Sum, double[] First) Split(JsonElement stored)
    {
        var numbers = RealGoldens.Numbers(stored);
        return (numbers[0], numbers[1], numbers[2..]);
    }

    private static double Sum(Tensor t) => t.to(ScalarType.Float64).sum().ToDouble();

    private static double Sensitivity(JsonElement entry, string what) =>
        entry.TryGetProperty("sensitivity", out var s) ? s.GetProperty(what).GetDouble() : 0;

    private static double Bound(JsonElement cases, JsonElement entry, string what) =>
        Math.Max(
            Least,
            10
                * (
                    entry.TryGetProperty("sensitivity", out _)
                        ? Sensitivity(entry, what)
                        : cases.EnumerateObject().Max(c => Sensitivity(c.Value, what))
                )
        );

    /// <summary>One copy of the weights for all tests of the class.</summary>
    public sealed class Shared : IDisposable
    {
        internal RealUnlearnGolden Golden { get; } = new();

        /// <inheritdoc/>
        public void Dispose() => Golden.Dispose();
    }
}
