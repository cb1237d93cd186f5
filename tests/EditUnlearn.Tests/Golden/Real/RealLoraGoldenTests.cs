using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Golden.Methods;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// A low-rank adapter on a real model against the adapter library: losses, gradients and factors of every step, and
/// what the model says before and after.
/// </summary>
/// <remarks>The bounds are those of the goldens' README.</remarks>
[Trait("Category", "RealModel")]
public sealed class RealLoraGoldenTests
{
    private const string Part = "lora/real";
    private const double Gradients = 1e-4,
        Logits = 3e-4;

    public static TheoryData<string> Cases() =>
        [.. Goldens.Cases(Part, ".safetensors").Where(c => Path.Exists(Goldens.At(Part, c + ".json")))];

    [RealModelTheory(Part + "/*.safetensors")]
    [MemberData(nameof(Cases))]
    public void Training_and_what_comes_of_it_agree(string name)
    {
        using var scope = NewDisposeScope();
        var manifest = Goldens.Json(Part, name + ".json");
        var golden = Goldens.Values(Part, name + ".safetensors");
        var checkpoint = RealModels.Load();
        QuestionsAgree(checkpoint, manifest, golden, checkpoint.Model, "before");
        using var trained = Begin(checkpoint.Model, manifest, golden);
        Train(name, trained, manifest, golden);
        using var patch = (WeightPatch)trained.ToPatch();
        foreach (var stored in manifest.GetProperty("delta_l2").EnumerateObject())
        {
            var change = (LowRankChange)patch.Changes[stored.Name + ".weight"];
            using (no_grad())
                RealGoldens.Near(
                    stored.Value.GetDouble(),
                    matmul(change.Left, change.Right.t()).norm().ToDouble(),
                    Change(manifest) * stored.Value.GetDouble(),
                    $"{name} change of {stored.Name}"
                );
        }
        QuestionsAgree(checkpoint, manifest, golden, RealGoldens.Edited(checkpoint.Model, patch), "after");
    }

    // Our names of factors follow those of the weights: q_proj.weight.lora_A, not q_proj.lora_A.weight.
    private static string NameOf(FlatParameters.Slot slot)
    {
        const string Weight = ".weight.";
        var at = slot.Name.LastIndexOf(Weight, StringComparison.Ordinal);
        return $"{slot.Name[..at]}.{slot.Name[(at + Weight.Length)..]}.weight";
    }

    private static TrainableModel Begin(CausalLm model, JsonElement manifest, SafetensorsFile golden)
    {
        var options = new LoraAdapter.Options
        {
            Rank = manifest.GetProperty("r").GetInt32(),
            Alpha = manifest.GetProperty("lora_alpha").GetDouble(),
            Dropout = manifest.GetProperty("dropout").GetDouble(),
            Targets = [.. manifest.GetProperty("target_modules").EnumerateArray().Select(m => m.GetString()!)],
        };
        var trained = TrainableModel.Of(model, new TrainableModel.Options { Lora = options }, new Seed(0));
        var parameters = trained.Parameters;
        Assert.Equal(manifest.GetProperty("trainable_parameters").GetInt64(), parameters.Weights.numel());
        parameters.CopyFrom(
            parameters.Slots.ToDictionary(
                s => s.Name,
                s =>
                    golden.Entries.ContainsKey("A." + NameOf(s))
                        ? golden.Read("A." + NameOf(s))
                        : zeros(s.Shape),
                StringComparer.Ordinal
            )
        );
        return trained;
    }

    private static void Train(string name, TrainableModel trained, JsonElement manifest, SafetensorsFile golden)
    {
        var stored = Goldens.Json(Part, name + ".stats.json");
        var batches = manifest.GetProperty("batch_of_step").EnumerateArray().Select(b => b[0].GetString()!).ToList();
        using var loop = new TrainingLoop(
            trained.Parameters,
            new AdamW.Options { WeightDecay = manifest.GetProperty("weight_decay").GetDouble() },
            null,
            () => throw new InvalidOperationException("the run diverged")
        );
        var start = trained.Parameters.Weights.clone();
        PassOutcome Pass(int step)
        {
            using var inner = NewDisposeScope();
            trained.Parameters.ZeroGradient();
            using var batch = RowBatch.Of(GradientGoldenTests.Rows(golden, batches[step]));
            var loss = LabelLosses.Mean(trained.Nll(batch), batch, LossNormalisation.TokenMean);
            trained.Backward(loss);
            Agree(name, $"grad_step{step + 1}", trained.Parameters.Gradient, null, Gradients);
            return new PassOutcome(loss.detach().ToDouble(), batch.TokenCount);
        }
        bool After(CurvePoint point)
        {
            Agree(name, $"step{point.Step}", trained.Parameters.Weights, start, Change(manifest));
            return true;
        }
        _ = loop.Run(batches.Count, Pass, _ => manifest.GetProperty("lr").GetDouble(), After);
        foreach (var (i, e) in RealGoldens.Numbers(manifest.GetProperty("losses")).Index())
            RealGoldens.Near(e, loop.Curve[i].Loss, 1e-5 * Math.Max(1, e), $"{name} loss {i}");
        foreach (var (i, e) in RealGoldens.Numbers(manifest.GetProperty("grad_norms")).Index())
            RealGoldens.Near(e, loop.Curve[i].GradientNorm, 2e-5 * e, $"{name} gradient norm {i}");

        void Agree(string name, string when, Tensor flat, Tensor? start, double bound)
        {
            using var quiet = no_grad();
            foreach (var slot in trained.Parameters.Slots)
            {
                using var inner = NewDisposeScope();
                Tensor Part(Tensor t) => t.narrow(0, slot.Offset, slot.Count).view(slot.Shape);
                var begin = start is null ? zeros(slot.Shape) : Part(start);
                var what = $"{name} {when}.{NameOf(slot)}";
                if (golden.Entries.ContainsKey($"{when}.{NameOf(slot)}"))
                    ChangeAgrees(golden.Read($"{when}.{NameOf(slot)}"), Part(flat), begin, bound, what);
                else if (
                    stored.TryGetProperty(when, out var all)
                    && all.TryGetProperty(NameOf(slot), out var numbers)
                )
                    StatisticsAgree(numbers, Part(flat), begin, bound, what);
            }
        }
    }

    // A moved by decay alone, in its last bits, is compared itself.
    private static void ChangeAgrees(Tensor expected, Tensor actual, Tensor start, double bound, string what)
    {
        var moved = (expected - start).norm().ToDouble() > 1e-3 * start.norm().ToDouble();
        if (moved)
            Tensors.Near(expected - start, actual - start, bound, what);
        else
            Tensors.Near(expected, actual, 1e-6, what);
    }

    private static void StatisticsAgree(JsonElement stored, Tensor actual, Tensor start, double bound, string what)
    {
        var a = actual.to(ScalarType.Float64);
        Assert.Equal(stored.GetProperty("shape").EnumerateArray().Select(x => x.GetInt64()), a.shape);
        double Number(string name) => stored.GetProperty(name).GetDouble();
        var l2 = Number("l2");
        var moved = stored.TryGetProperty("delta_l2", out var delta) ? delta.GetDouble() : l2;
        var allowed = bound * moved + 1e-6 * l2;
        RealGoldens.Near(l2, a.norm().ToDouble(), allowed, what + " norm");
        if (moved > 1e-3 * l2)
            RealGoldens.Near(moved, (a - start).norm().ToDouble(), allowed, what + " change");
        var roots = Math.Sqrt(a.numel());
        RealGoldens.Near(Number("sum"), a.sum().ToDouble(), allowed * roots, what + " sum");
        RealGoldens.Near(Number("abs_sum"), a.abs().sum().ToDouble(), allowed * roots, what + " absolute sum");
        var all = a.reshape(-1).data<double>().ToArray();
        var (first, last) = (
            RealGoldens.Numbers(stored.GetProperty("first")),
            RealGoldens.Numbers(stored.GetProperty("last"))
        );
        foreach (var (e, f) in first.Zip(all).Concat(last.Zip(all[^last.Length..])))
            RealGoldens.Near(e, f, allowed, what + " entries");
    }

    private static void QuestionsAgree(
        Checkpoint checkpoint,
        JsonElement manifest,
        SafetensorsFile golden,
        CausalLm model,
        string when
    )
    {
        var answers = new List<RealGoldens.Answer>();
        var first = golden.Entries.Keys.Single(k =>
            k.StartsWith("first_logits_" + when, StringComparison.Ordinal)
        );
        var expected = golden.Read(first);
        foreach (var (i, question) in manifest.GetProperty("questions").EnumerateArray().Index())
        {
            var prompt = checkpoint.Prompt(question.GetProperty("question").GetString()!);
            Assert.Equal(golden.Read($"question{i}.input_ids").data<long>().ToArray().Select(x => (int)x), prompt);
            var stored = question.GetProperty(when);
            answers.Add(RealGoldens.Answer.Of(prompt, stored, "output_ids", "top2_gap"));
            var logits = RealGoldens.Last(model, prompt);
            var what = $"question {i} {when}";
            Tensors.Near(expected[i], logits.narrow(0, 0, expected.shape[1]), Logits, what + " logits");
            var told = stored.GetProperty("first_logits");
            var pairs = told.GetProperty("top20").EnumerateArray().ToList();
            Tensors.Near(
                tensor(pairs.Select(p => p[1].GetDouble()).ToArray()),
                logits.index_select(0, tensor(pairs.Select(p => p[0].GetInt64()).ToArray())),
                Logits,
                what + " largest logits"
            );
            var (sum, l2) = (told.GetProperty("logsumexp").GetDouble(), told.GetProperty("l2").GetDouble());
            var wide = logits.to(ScalarType.Float64);
            RealGoldens.Near(sum, wide.logsumexp(0).ToDouble(), Logits * sum, what + " log-sum-exp");
            RealGoldens.Near(l2, wide.norm().ToDouble(), Logits * l2, what + " norm");
        }
        _ = RealGoldens.Said(checkpoint, model, answers, $"question {when}");
    }

    private static double Change(JsonElement manifest) =>
        Math.Max(
            1.5e-4,
            5 * manifest.GetProperty("sensitivity").GetProperty("adapter_change_rel").GetDouble()
        );
}
