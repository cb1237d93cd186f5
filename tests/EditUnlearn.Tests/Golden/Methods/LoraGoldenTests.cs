using System.Reflection;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>
/// Low-rank adapters on tiny checkpoints against the adapter library: every loss, gradients, factors and logits, and
/// adapters that the library wrote.
/// </summary>
/// <remarks>The bounds are those of the goldens' README.</remarks>
[Trait("Category", "Golden")]
public sealed class LoraGoldenTests
{
    private const string Part = "lora",
        Manifest = "manifest.json";
    private const double Gradients = 1e-4,
        Logits = 3e-4;

    public static TheoryData<string> Cases() => Names("cases", c => c.EnumerateObject().Select(p => p.Name));

    public static TheoryData<string> Adapters() =>
        Names("adapters", a => a.EnumerateArray().Select(x => x.GetProperty("folder").GetString()!));

    private static TheoryData<string> Names(string what, Func<JsonElement, IEnumerable<string>> names) =>
        File.Exists(Goldens.At(Part, Manifest)) ? [.. names(Goldens.Json(Part, Manifest).GetProperty(what))] : [];

    [GoldenTheory(Part + "/" + Manifest)]
    [MemberData(nameof(Adapters))]
    public void An_adapter_that_the_library_wrote_gives_its_logits(string folder)
    {
        using var scope = NewDisposeScope();
        var entry = Goldens
            .Json(Part, Manifest)
            .GetProperty("adapters")
            .EnumerateArray()
            .Single(a => a.GetProperty("folder").GetString() == folder);
        using var model = Goldens.Model(entry);
        var expected = Goldens.Values(Part, folder, "expected.safetensors");
        using var patch = ModelPatch.Load(Goldens.At(Part, folder));
        using var written = new TemporaryFolder();
        PeftAdapter.Write(written["again"], (WeightPatch)patch, "base");
        using var again = ModelPatch.Load(written["again"]);
        var before = model.Weights.ToDictionary(w => w.Key, w => w.Value.clone());
        foreach (var one in (ModelPatch[])[patch, again])
            using (one.ApplyTo(model))
            using (no_grad())
                Tensors.Near(expected.Read("logits"), model.Forward(expected.Read("probes")), 1e-4, folder);
        // What if the adapter is removed: the model is as it was, bit for bit.
        Assert.All(before, w => Assert.True(Tensors.SameBits(w.Value, model.Weight(w.Key)), w.Key));
    }

    [GoldenTheory(Part + "/" + Manifest)]
    [MemberData(nameof(Cases))]
    public void Losses_gradients_factors_and_logits_agree(string name)
    {
        using var scope = NewDisposeScope();
        var entry = Goldens.Json(Part, Manifest).GetProperty("cases").GetProperty(name);
        using var run = new Run(name, entry);
        run.Train();
        run.LogitsAgree();
    }

    private sealed class Run : IDisposable
    {
        private readonly string _name;
        private readonly JsonElement _entry;
        private readonly SafetensorsFile _golden,
            _inputs;
        private readonly CausalLm _model;
        private readonly ReferenceModel _reference;
        private readonly TrainedModel _trained;
        private readonly double _change;

        public Run(string name, JsonElement entry)
        {
            (_name, _entry) = (name, entry);
            _golden = Goldens.Values(Part, name + ".safetensors");
            _inputs = Goldens.Values(Part, "inputs.safetensors");
            _model = Goldens.Model(entry);
            _reference = new ReferenceModel(_model, owns: false, 1 << 30);
            _trained = TrainedModel.Of(_model, Options(new GradientAscent.Options()), new Seed(0), _reference);
            _change = Math.Max(
                1.5e-4,
                5 * entry.GetProperty("sensitivity").GetProperty("adapter_change_rel").GetDouble()
            );
            Begin();
        }

        public void Dispose()
        {
            _trained.Dispose();
            _reference.Dispose();
            _model.Dispose();
        }

        public void Train()
        {
            var decay = _entry.GetProperty("weight_decay").GetDouble();
            var rates = RealGoldens.Numbers(_entry.GetProperty("lr_per_step"));
            double? clip =
                _entry.TryGetProperty("trainer", out var trainer)
                && trainer.GetProperty("max_grad_norm").GetDouble() is > 0 and var bound
                    ? bound
                    : null;
            using var loop = new TrainingLoop(
                _trained.Parameters,
                new AdamW.Options { WeightDecay = decay },
                clip,
                () => throw new InvalidOperationException("the run diverged")
            );
            var start = _trained.Parameters.Weights.clone();
            _ = loop.Run(
                rates.Length,
                Pass,
                step => rates[step],
                point =>
                {
                    Agree($"step{point.Step}", _trained.Parameters.Weights, start, _change);
                    return true;
                }
            );
            foreach (var (i, e) in RealGoldens.Numbers(_entry.GetProperty("losses")).Index())
                RealGoldens.Near(e, loop.Curve[i].Loss, 1e-5 * Math.Max(1, Math.Abs(e)), $"{_name} loss {i}");
            foreach (var (i, e) in RealGoldens.Numbers(_entry.GetProperty("grad_norms")).Index())
                RealGoldens.Near(e, loop.Curve[i].GradientNorm, NormBound * e, $"{_name} gradient norm {i}");
        }

        public void LogitsAgree()
        {
            var last = _entry.GetProperty("steps").GetInt32();
            using var patch = (WeightPatch)_trained.ToPatch();
            foreach (var stored in _entry.GetProperty("delta_l2").EnumerateObject())
            {
                var change = (LowRankChange)patch.Changes[stored.Name + ".weight"];
                using (no_grad())
                    RealGoldens.Near(
                        stored.Value.GetDouble(),
                        matmul(change.Left, change.Right.t()).norm().ToDouble(),
                        _change * stored.Value.GetDouble(),
                        $"{_name} change of {stored.Name}"
                    );
            }
            // Variants keep less: what another case shows is left out.
            if (!_golden.Entries.ContainsKey($"step{last}.probe_logits"))
                return;
            using (patch.ApplyTo(_model))
            using (no_grad())
                Tensors.Near(
                    _golden.Read($"step{last}.probe_logits"),
                    _model.Forward(_inputs.Read("probes")),
                    Logits,
                    $"{_name} probes"
                );
        }

        private double NormBound =>
            Math.Max(2e-5, 5 * _entry.GetProperty("sensitivity").GetProperty("grad_norms_rel").GetDouble());

        private T Options<T>(T options)
            where T : TrainingOptions =>
            options with
            {
                Trainable = Trainable.Lora,
                Normalisation =
                    _entry.GetProperty("loss").GetString() == "finetune_sample_mean"
                        ? LossNormalisation.SampleMean
                        : LossNormalisation.TokenMean,
                Lora = new LoraAdapter.Options
                {
                    Rank = _entry.GetProperty("r").GetInt32(),
                    Alpha = _entry.GetProperty("lora_alpha").GetDouble(),
                    Rslora = _entry.GetProperty("use_rslora").GetBoolean(),
                    Dropout = _entry.GetProperty("dropout").GetDouble(),
                    Targets = [.. _entry.GetProperty("target_modules").EnumerateArray().Select(m => m.GetString()!)],
                },
            };

        private void Begin()
        {
            var init = Goldens.Values(Part, _entry.GetProperty("init").GetString()!);
            var b = _entry.GetProperty("initial_B").GetString()!;
            Tensor Of(FlatParameters.Slot slot) =>
                init.Entries.ContainsKey("A." + NameOf(slot)) ? init.Read("A." + NameOf(slot))
                : init.Entries.ContainsKey($"{b}.{NameOf(slot)}") ? init.Read($"{b}.{NameOf(slot)}")
                : zeros(slot.Shape);
            _trained.Parameters.CopyFrom(
                _trained.Parameters.Slots.ToDictionary(s => s.Name, Of, StringComparer.Ordinal)
            );
        }

        // Of one update: gradients of its passes are added up.
        private PassOutcome Pass(int step)
        {
            using var inner = NewDisposeScope();
            _trained.Parameters.ZeroGradient();
            var (loss, tokens) = (0.0, 0L);
            foreach (var part in Parts(step))
            {
                _trained.Backward(part);
                loss += part.detach().ToDouble();
                tokens++;
            }
            if (step == 0)
                Agree("grad_step1", _trained.Parameters.Gradient, null, Gradients);
            return new PassOutcome(loss, tokens);
        }

        // The losses whose sum is the update's.
        private IEnumerable<Tensor> Parts(int step)
        {
            var batches = _entry.TryGetProperty("trainer", out var trainer)
                ? trainer.GetProperty("batch_of_step")[step].EnumerateArray()
                : _entry.GetProperty("batches").EnumerateArray();
            List<string> names = [.. batches.Select(b => b.GetString()!)];
            var kind = _entry.GetProperty("loss").GetString()!;
            if (kind is "finetune" or "finetune_sample_mean")
            {
                var parts = MicroBatches(names);
                var all = parts.Sum(p => p.Sum(r => r.LabelCount));
                var mode = _entry.GetProperty("accumulation").GetString();
                foreach (var rows in parts)
                {
                    var batch = RowBatch.Of(rows, labelDivisor: mode == "exact" ? all : null);
                    var mean = _trained.MeanNll(batch);
                    yield return mode == "meanOfMicroBatches" ? mean / parts.Count : mean;
                }
                yield break;
            }
            var kept = names.Find(n => n.StartsWith("retain", StringComparison.Ordinal)) ?? "retain";
            var unlearn = new UnlearnBatch(
                RowBatch.Of(Rows("forget")),
                RowBatch.Of(Rows(kept)),
                RowBatch.Of(Rows("idk"))
            );
            if (kind is "kl" or "kl_real_positions")
            {
                yield return Divergence(kind, unlearn, names);
                yield break;
            }
            yield return (Tensor)
                typeof(GradientMethod)
                    .GetMethod("Loss", BindingFlags.Instance | BindingFlags.NonPublic)!
                    .Invoke(Method(kind), [_trained, unlearn])!;
        }

        private List<IReadOnlyList<TokenRow>> MicroBatches(List<string> names)
        {
            var rows = names.Select(n => (IReadOnlyList<TokenRow>)[.. Rows(n)]).ToList();
            var split =
                _entry.TryGetProperty("trainer", out var trainer)
                && trainer.GetProperty("gradient_accumulation_steps").GetInt32() is > 1 and var parts
                    ? parts
                    : 1;
            return split == 1
                ? rows
                : [.. rows[0].Chunk(rows[0].Count / split).Select(c => (IReadOnlyList<TokenRow>)c)];
        }

        // Rows of a full window have no EOS, which the method would take from them: here the rule is given.
        private Tensor Divergence(string kind, UnlearnBatch batch, List<string> names)
        {
            var rule =
                kind == "kl"
                    ? new KlRule(
                        KlPositions.PaddedCompat,
                        (int)_inputs.Entries[names[^1] + ".input_ids"].Shape[1],
                        _model.Config.EosIds[0]
                    )
                    : new KlRule(KlPositions.WithoutEnd, null, _model.Config.EosIds[0]);
            return -_trained.ForgetNll(batch) + _trained.RetainKl(batch, rule);
        }

        private GradientMethod Method(string kind) =>
            kind switch
            {
                "ga" => new GradientAscent(Options(new GradientAscent.Options())),
                "gd" => new GradientDifference(Options(new GradientDifference.Options())),
                "idk_union" => new RefusalTraining(Options(new RefusalTraining.Options { Union = true })),
                "idk_sum" => new RefusalTraining(Options(new RefusalTraining.Options { Union = false })),
                "dpo" => new PreferenceOptimisation(Options(new PreferenceOptimisation.Options())),
                _ => throw new InvalidOperationException($"{_name}: the loss {kind} is not known"),
            };

        // All rows of a batch, or some: retain.rows01.
        private List<TokenRow> Rows(string name)
        {
            var parts = name.Split(".rows");
            var rows = GradientGoldenTests.Rows(_inputs, parts[0]);
            return parts.Length == 1 ? [.. rows] : [.. parts[1].Select(c => rows[c - '0'])];
        }

        private void Agree(string when, Tensor flat, Tensor? start, double bound)
        {
            using var quiet = no_grad();
            foreach (var slot in _trained.Parameters.Slots)
            {
                using var inner = NewDisposeScope();
                var key = $"{when}.{NameOf(slot)}";
                if (!_golden.Entries.ContainsKey(key))
                    continue;
                Tensor Of(Tensor t) => t.narrow(0, slot.Offset, slot.Count).view(slot.Shape);
                var begin = start is null ? zeros(slot.Shape) : Of(start);
                var (expected, actual) = (_golden.Read(key), Of(flat));
                var moved = (expected - begin).norm().ToDouble() > 1e-3 * begin.norm().ToDouble();
                if (expected.norm().ToDouble() == 0)
                    Assert.Equal(0, actual.norm().ToDouble(), 1e-7);
                else if (moved)
                    Tensors.Near(expected - begin, actual - begin, bound, $"{_name} {key}");
                else
                    // Moved by decay alone, in its last bits.
                    Tensors.Near(expected, actual, 1e-6, $"{_name} {key}");
            }
        }

        // Our names of factors follow those of the weights: q_proj.weight.lora_A, not q_proj.lora_A.weight.
        private static string NameOf(FlatParameters.Slot slot)
        {
            const string Weight = ".weight.";
            var at = slot.Name.LastIndexOf(Weight, StringComparison.Ordinal);
            return $"{slot.Name[..at]}.{slot.Name[(at + Weight.Length)..]}.weight";
        }
    }
}
