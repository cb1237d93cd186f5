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
/// Compares a method with the reference values of <c>modern</c>: the first gradient, losses and gradient norms of every
/// step, the trained weights and the logits afterwards.
/// </summary>
/// <remarks>
/// All names come from the manifest. Bounds follow its sensitivities, which say what a change of the last bit does:
/// three times those, and no less than 1e-4 for losses, 1e-3 for changes and logits.
/// </remarks>
internal static class ModernGolden
{
    /// <summary>The folder below the golden folder.</summary>
    public const string Name = "modern";

    private static string Folder => Path.Combine(Checkout.Goldens, Name);

    private static string Batches => Path.Combine(Checkout.Goldens, "unlearn");

    /// <summary>The manifest's cases of a method: its name, and names that begin with it.</summary>
    public static TheoryData<string> CasesOf(string method)
    {
        TheoryData<string> cases = [];
        if (!File.Exists(Path.Combine(Folder, "manifest.json")))
            return cases;
        using var manifest = Manifest();
        foreach (var entry in manifest.RootElement.GetProperty("cases").EnumerateObject())
            if (entry.Name == method || entry.Name.StartsWith(method + "_", StringComparison.Ordinal))
                cases.Add(entry.Name);
        return cases;
    }

    /// <summary>Runs one step and all steps of a case, and compares.</summary>
    /// <param name="name">Of the case.</param>
    /// <param name="make">The method under the case's options, which it takes from the setting.</param>
    public static void Agrees(string name, Func<Setting, GradientMethod> make)
    {
        using var scope = NewDisposeScope();
        using var manifest = Manifest();
        var entry = manifest.RootElement.GetProperty("cases").GetProperty(name);
        var golden = SafetensorsFile.Open(Path.Combine(Folder, name + ".safetensors"));
        var batches = SafetensorsFile.Open(Path.Combine(Batches, "inputs.safetensors"));
        using var model = WeightFolder.Load(
            Path.Combine(Checkout.Goldens, "models", manifest.RootElement.GetProperty("model").GetString()!),
            CPU
        );
        var inputs = Inputs(batches, entry, model);
        var losses = Numbers(entry, "losses");
        var norms = Numbers(entry, "grad_norms");
        var sensitivity = entry.GetProperty("sensitivity");
        double Bound(string what, double least) => Math.Max(least, 3 * sensitivity.GetProperty(what).GetDouble());
        Gradient(name, golden, model, inputs, make(new Setting(entry, inputs.Forget.Count, 1, _ => { })));
        foreach (var steps in (int[])[1, losses.Length])
        {
            var updates = new List<CurvePoint>();
            using var patch = (WeightPatch)
                make(new Setting(entry, inputs.Forget.Count, steps, updates.Add)).Edit(model, inputs, new Seed(3));
            Assert.Equal(steps, updates.Count);
            for (var i = 0; i < steps; i++)
            {
                Assert.Equal(losses[i], updates[i].Loss, Bound("losses", 1e-4) * Math.Max(1, Math.Abs(losses[i])));
                Assert.Equal(norms[i], updates[i].GradientNorm, Bound("change_rel", 1e-3) * norms[i]);
            }
            if (entry.TryGetProperty("trained", out var trained))
                Assert.Equal(
                    trained.EnumerateArray().Select(t => t.GetString()!).Order(StringComparer.Ordinal),
                    patch.Changes.Keys.Order(StringComparer.Ordinal)
                );
            var prefix = $"step{steps}.";
            foreach (var key in golden.Entries.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)))
                if (model.Weights.TryGetValue(key[prefix.Length..], out var before))
                    Tensors.Near(
                        golden.Read(key) - before,
                        ((FullChange)patch.Changes[key[prefix.Length..]]).Value - before,
                        Bound("change_rel", 1e-3),
                        $"{name} change of {key}"
                    );
            if (!golden.Entries.ContainsKey(prefix + "probe_logits"))
                continue;
            using var applied = patch.ApplyTo(model);
            using var quiet = no_grad();
            var distance = golden.Read(prefix + "probe_logits") - model.Forward(batches.Read("probes"));
            Assert.True(distance.abs().max().ToDouble() <= Bound("probe_logits_max", 1e-3), $"{name} probes");
        }
    }

    // A gradient is compared before Adam divides it by itself: there an entry of size 0 is as good as any other.
    private static void Gradient(
        string name,
        SafetensorsFile golden,
        CausalLm model,
        MethodInputs inputs,
        GradientMethod method
    )
    {
        using var other = method.Needs.HasFlag(Needs.Reference) ? inputs.OpenReference!() : null;
        using var reference = new ReferenceModel(other ?? model, owns: false, 1 << 30);
        object? Call(string what, params object[] given) =>
            method.GetType().GetMethod(what, BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(method, given);
        using var constant = (Tensor?)Call("Constant", model, inputs, new Seed(3));
        using var trained = TrainedModel.Of(model, method.Training, new Seed(3), reference, constant);
        using var batch = UnlearnBatch.Of(inputs, method.Places!, CPU, null);
        trained.Backward((Tensor)Call("Loss", trained, batch)!);
        const string Prefix = "grad_step1.";
        var keys = golden.Entries.Keys.Where(k => k.StartsWith(Prefix, StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(keys);
        foreach (var key in keys)
        {
            var slot = trained.Parameters.Slots.Single(s => s.Name == key[Prefix.Length..]);
            Tensors.Near(
                golden.Read(key),
                trained.Parameters.Gradient.narrow(0, slot.Offset, slot.Count).view(slot.Shape),
                5e-5,
                $"{name} gradient of {slot.Name}"
            );
        }
    }

    private static MethodInputs Inputs(SafetensorsFile batches, JsonElement entry, CausalLm model)
    {
        var draws = SafetensorsFile.Open(Path.Combine(Folder, "inputs.safetensors"));
        return new MethodInputs
        {
            Forget = Rows(batches, "forget"),
            Retain = Rows(batches, "retain"),
            Draws = new Dictionary<string, Tensor> { ["control"] = draws.Read("rmu.u") },
            OpenReference = () =>
                CausalLm.Create(
                    model.Config,
                    SafetensorsFile
                        .Open(Path.Combine(Checkout.Goldens, entry.GetProperty("reference").GetString()!))
                        .ReadAll()
                ),
        };
    }

    private static IReadOnlyList<TokenRow> Rows(SafetensorsFile file, string name)
    {
        using var scope = NewDisposeScope();
        var (ids, labels) = (file.Read(name + ".input_ids"), file.Read(name + ".labels"));
        var rows = new List<TokenRow>();
        for (var b = 0; b < ids.shape[0]; b++)
        {
            var label = labels[b].data<long>().ToArray();
            rows.Add(
                new TokenRow(
                    [
                        .. ids[b]
                            .data<long>()
                            .ToArray()
                            .Take(Array.FindLastIndex(label, l => l != -100) + 1)
                            .Select(i => (int)i),
                    ],
                    Array.FindIndex(label, l => l != -100)
                )
            );
        }
        return rows;
    }

    private static JsonDocument Manifest() =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "manifest.json")));

    private static double[] Numbers(JsonElement entry, string name) =>
        [.. entry.GetProperty(name).EnumerateArray().Select(x => x.GetDouble())];

    /// <summary>A case's options: the manifest's optimiser, one batch of all rows in every step.</summary>
    internal sealed record Setting(JsonElement Entry, int Rows, int Steps, Action<CurvePoint> Observer)
    {
        /// <summary>Every step sees the whole batch, row by row.</summary>
        public IReadOnlyList<PairedRow> Places =>
            [.. Enumerable.Range(0, Steps * Rows).Select(i => new PairedRow(i % Rows, i % Rows, -1))];

        /// <summary>With which model the case compares.</summary>
        public ReferenceSource Reference =>
            Entry.GetProperty("reference").GetString() == "start" ? ReferenceSource.Start : ReferenceSource.Folder;

        /// <summary>A number of the manifest.</summary>
        public double Number(string name) => Entry.GetProperty(name).GetDouble();

        /// <summary>Sets optimiser and schedule.</summary>
        public T Apply<T>(T options)
            where T : TrainingOptions =>
            options with
            {
                LearningRate = 1e-3,
                WeightDecay = 0.01,
                DecayNormGains = true,
                ClipNorm = null,
                BatchSize = Rows,
                Steps = Steps,
                WarmupShare = 0,
                Schedule = LearningRateDecay.None,
                Trainable = Trainable.Full,
            };
    }
}
