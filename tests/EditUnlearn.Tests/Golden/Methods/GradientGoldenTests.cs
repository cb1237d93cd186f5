using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>Gradient methods against the public trainers: losses and gradient norms of every step, changes of the weights, logits afterwards.</summary>
/// <remarks>The goldens ask for 1e-3 on the change of a parameter; losses agree to 1e-4 where the manifest's sensitivity is smaller.</remarks>
[Trait("Category", "Golden")]
public sealed class GradientGoldenTests
{
    private static string Folder => Path.Combine(Checkout.Goldens, "unlearn");

    public static TheoryData<string> Cases()
    {
        TheoryData<string> cases = [];
        if (!File.Exists(Path.Combine(Folder, "manifest.json"))) return cases;
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "manifest.json")));
        foreach (var entry in manifest.RootElement.EnumerateObject())
            if (entry.Value.ValueKind == JsonValueKind.Object && entry.Value.TryGetProperty("loss_type", out var type) && Losses.ContainsKey(type.GetString()!)
                && entry.Value.GetProperty("reference_model").GetString() == "the starting model") cases.Add(entry.Name);
        return cases;
    }

    // The manifest's loss names and the method that has that loss.
    private static readonly Dictionary<string, Func<Setting, GradientMethod>> Losses = new()
    {
        ["grad_ascent"] = s => new GradientAscent(s.Apply(new GradientAscent.Options())) { Observer = s.Observer, Places = s.Places },
        ["grad_diff"] = s => new GradientDifference(s.Apply(new GradientDifference.Options())) { Observer = s.Observer, Places = s.Places },
        ["idk"] = s => new RefusalTraining(s.Apply(new RefusalTraining.Options { Union = true })) { Observer = s.Observer, Places = s.Places },
        ["dpo"] = s => new PreferenceOptimisation(s.Apply(new PreferenceOptimisation.Options())) { Observer = s.Observer, Places = s.Places },
    };

    [GoldenTheory("unlearn")]
    [MemberData(nameof(Cases))]
    public void Losses_norms_and_weights_agree_step_for_step(string name)
    {
        using var scope = NewDisposeScope();
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "manifest.json")));
        var entry = manifest.RootElement.GetProperty(name);
        var golden = SafetensorsFile.Open(Path.Combine(Folder, name + ".safetensors"));
        var rowsFile = SafetensorsFile.Open(Path.Combine(Folder, "inputs.safetensors"));
        using var model = WeightFolder.Load(Path.Combine(Checkout.Goldens, "models", "tiny-llama2"), CPU);
        var forget = Rows(rowsFile, "forget");
        var inputs = new MethodInputs { Forget = forget, Retain = Rows(rowsFile, entry.GetProperty("retain").GetString()!), Refusals = [.. Rows(rowsFile, "idk").Select(r => new[] { r })] };
        var expected = entry.GetProperty("losses").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        var norms = entry.GetProperty("grad_norms").EnumerateArray().Select(x => x.GetDouble()).ToArray();

        // The change after one step comes from a run of one step, that after all from the whole run.
        foreach (var steps in (int[])[1, expected.Length])
        {
            var updates = new List<CurvePoint>();
            var method = Losses[entry.GetProperty("loss_type").GetString()!](new Setting(entry, forget.Count, steps, updates.Add));
            using var patch = (WeightPatch)method.Edit(model, inputs, new Seed(3));
            Assert.Equal(steps, updates.Count);
            for (var i = 0; i < steps; i++)
            {
                Assert.Equal(expected[i], updates[i].Loss, 1e-4 * Math.Max(1, Math.Abs(expected[i])));
                Assert.Equal(norms[i], updates[i].GradientNorm, 1e-3 * norms[i]);
            }
            foreach (var key in golden.Entries.Keys.Where(k => k.StartsWith($"step{steps}.", StringComparison.Ordinal) && model.Weights.ContainsKey(k[(k.IndexOf('.', StringComparison.Ordinal) + 1)..])))
            {
                var weight = key[(key.IndexOf('.', StringComparison.Ordinal) + 1)..];
                var before = model.Weight(weight);
                Tensors.Near(golden.Read(key) - before, ((FullChange)patch.Changes[weight]).Value - before, 1e-3, $"{name} change of {weight} after {steps}");
            }
            var probes = $"step{steps}.probe_logits";
            Assert.True(golden.Entries.ContainsKey(probes), $"keys of {name}: {string.Join(", ", golden.Entries.Keys)}");
            using (patch.ApplyTo(model))
            using (no_grad())
                Tensors.Near(golden.Read(probes), model.Forward(rowsFile.Read("probes")), 1e-3, $"{name} probes after {steps}");
        }
    }

    private static IReadOnlyList<TokenRow> Rows(SafetensorsFile file, string name)
    {
        using var scope = NewDisposeScope();
        var (ids, labels) = (file.Read(name + ".input_ids"), file.Read(name + ".labels"));
        var rows = new List<TokenRow>();
        for (var b = 0; b < ids.shape[0]; b++)
        {
            var row = ids[b].data<long>().ToArray();
            var label = labels[b].data<long>().ToArray();
            var first = Array.FindIndex(label, l => l != -100);
            var last = Array.FindLastIndex(label, l => l != -100);
            rows.Add(new TokenRow([.. row.Take(last + 1).Select(i => (int)i)], first));
        }
        return rows;
    }

    // The trainer's settings: one batch of all rows, every step; AdamW without a schedule.
    private sealed record Setting(JsonElement Entry, int Rows, int Steps, Action<CurvePoint> Observer)
    {
        // Every step sees the whole batch, row by row.
        public IReadOnlyList<PairedRow> Places => [.. Enumerable.Range(0, Steps * Rows).Select(i => new PairedRow(i % Rows, i % Rows, 0))];

        public T Apply<T>(T options) where T : TrainingOptions => options with
        {
            LearningRate = Entry.GetProperty("lr").GetDouble(),
            WeightDecay = Entry.GetProperty("weight_decay").GetDouble(),
            DecayNormGains = Entry.GetProperty("decay_on_norm_gains").GetBoolean(),
            ClipNorm = Entry.GetProperty("clip").ValueKind == JsonValueKind.Null ? null : Entry.GetProperty("clip").GetDouble(),
            BatchSize = Rows,
            Steps = Steps,
            WarmupShare = 0,
            Schedule = LearningRateDecay.None,
            Trainable = Trainable.Full,
        };
    }
}
