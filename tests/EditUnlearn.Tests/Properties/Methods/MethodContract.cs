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
/// What every method promises, as checks of one method under some options: for the methods of the catalogue, for
/// variants of them, and for methods that only a test has.
/// </summary>
internal static class MethodContract
{
    // What fits a model of three blocks and a run of a second, by the name of the option.
    private static readonly JsonObject Small = new()
    {
        ["trainable"] = "full",
        ["learningRate"] = 1e-2,
        ["epochs"] = 2,
        ["steps"] = 4,
        ["layer"] = 1,
        ["layers"] = new JsonArray(1),
        ["radius"] = 0.05,
        ["alpha"] = 0.1,
        ["beta"] = 0.6,
        ["gamma"] = 0.3,
        ["lambda"] = 1,
        ["ridge"] = 0.1,
        ["nullSpaceThreshold"] = 1,
        ["nullSpaceUnit"] = "mean",
        ["value"] = new JsonObject { ["steps"] = 4 },
    };

    // Contexts have a default, the model's own; without forget rows there is nothing to do for anybody.
    private static readonly Needs[] Missed =
    [
        Needs.RetainSet,
        Needs.Refusals,
        Needs.SecondMoments,
        Needs.NullSpaces,
        Needs.Locality,
        Needs.Reference,
    ];

    /// <summary>A method of that entry, small enough for tests.</summary>
    /// <param name="entry">Its declaration.</param>
    /// <param name="options">What differs from the small options, or null.</param>
    public static IMethod Make(MethodEntry entry, JsonObject? options = null)
    {
        var stack = OptionStack.Of(
            entry,
            MethodPreset.Reference,
            null,
            new OptionLayer("small", Known(entry, Small)),
            new OptionLayer("case", options)
        );
        return entry.Create(stack.Bind(out var problems) ?? throw new ArgumentException(string.Join(", ", problems)));
    }

    /// <summary>Of some options those that the method has.</summary>
    public static JsonObject Known(MethodEntry entry, JsonObject options)
    {
        var known = OptionStack.Of(entry, MethodPreset.Reference).InForce;
        return new JsonObject(
            options.Where(o => known.ContainsKey(o.Key)).Select(o => KeyValuePair.Create(o.Key, o.Value?.DeepClone()))
        );
    }

    /// <summary>The model comes back, the seed decides, and the patch does something and comes off again.</summary>
    public static void RestoresAndRepeats(IMethod method, bool changes = true)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var folder = new TemporaryFolder();
        var before = model.Weights.ToDictionary(w => w.Key, w => w.Value.clone());
        void Same(string when)
        {
            foreach (var (weight, value) in before)
                Assert.True(Tensors.SameBits(value, model.Weight(weight)), $"{weight} {when}");
        }
        var inputs = Inputs(model, method.Needs);
        using var first = method.Edit(model, inputs, new Seed(11));
        Same("after the edit");
        using var second = method.Edit(model, inputs, new Seed(11));
        first.Save(folder["one"]);
        second.Save(folder["two"]);
        Assert.Equal(Files(folder["one"]), Files(folder["two"]));

        using var quiet = no_grad();
        var plain = Answer(model, null);
        Assert.NotEqual(changes, Tensors.SameBits(plain, Answer(model, first)));
        Same("after the patch was taken off");
    }

    /// <summary>A patch that was saved and read answers like the one it was saved from, bit for bit.</summary>
    public static void SavesAndLoads(IMethod method)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var folder = new TemporaryFolder();
        using var patch = method.Edit(model, Inputs(model, method.Needs), new Seed(11));
        patch.Save(folder.Path);
        using var loaded = ModelPatch.Load(folder.Path);
        Assert.Equal(patch.GetType(), loaded.GetType());
        using var quiet = no_grad();
        Assert.True(Tensors.SameBits(Answer(model, patch), Answer(model, loaded)));
    }

    /// <summary>
    /// Stopped after any edit or update, the next attempt goes on behind it and ends with the same bytes; a state of
    /// other inputs is not used.
    /// </summary>
    /// <param name="method">Keeps a state.</param>
    /// <param name="edits">So many, with different prompts.</param>
    public static void GoesOn(IMethod method, int edits = 5)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var folder = new TemporaryFolder();
        var inputs = Inputs(model, method.Needs) with
        {
            Edits =
            [
                .. Enumerable
                    .Range(0, edits)
                    .Select(i => new EditRequest(
                        $"e{i}",
                        [1, 10 + i, 20, 30, 40],
                        3,
                        [50 + i % 3, 60],
                        [1, 10 + i, 20, 7, 8],
                        2
                    )),
            ],
        };
        using (var whole = method.Edit(model, inputs, new Seed(11)))
            whole.Save(folder["whole"]);
        var stops = 0;
        while (Stopped(method, model, inputs, folder, stops + 1))
            stops++;
        Assert.True(stops > 0, "nothing was stopped");
    }

    // Stops an attempt after so many edits or updates; false where it ended before.
    private static bool Stopped(
        IMethod method,
        CausalLm model,
        MethodInputs inputs,
        TemporaryFolder folder,
        int stopAt
    )
    {
        var notes = new List<string>();
        using var stop = new CancellationTokenSource();
        TrainingStore Store(string identity) =>
            new(folder["state"], identity, new TrainingStore.Interval(1, 0), notes.Add);
        var stopped = inputs with
        {
            Store = Store("run"),
            Cancelled = stop.Token,
            Progress = p =>
            {
                if (p.Done >= stopAt)
                    stop.Cancel();
            },
        };
        var cut = false;
        try
        {
            method.Edit(model, stopped, new Seed(11)).Dispose();
        }
        catch (OperationCanceledException)
        {
            cut = true;
        }
        notes.Clear();
        using var patch = method.Edit(model, inputs with { Store = Store("run") }, new Seed(11));
        patch.Save(folder[$"after-{stopAt}"]);
        Assert.Equal(Files(folder["whole"]), Files(folder[$"after-{stopAt}"]));
        if (cut)
            Assert.Contains(notes, n => n.StartsWith("going on after ", StringComparison.Ordinal));
        notes.Clear();
        method.Edit(model, inputs with { Store = Store("another") }, new Seed(11)).Dispose();
        Assert.Contains(notes, n => n.Contains("it belongs to another run", StringComparison.Ordinal));
        Directory.Delete(folder["state"], recursive: true);
        return cut;
    }

    /// <summary>No tensor outlives the edit but those of the patch.</summary>
    public static void LeavesNoTensor(IMethod method)
    {
        using var model = TinyModels.Llama();
        using var outer = NewDisposeScope();
        var inputs = Inputs(model, method.Needs);
        using (method.Edit(model, inputs, new Seed(11))) { } // first use fills caches
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (method.Edit(model, inputs, new Seed(11))) { }
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    /// <summary>With what it says it needs it works, as the other checks show; without any of it, it says so.</summary>
    public static void NeedsWhatItSays(IMethod method)
    {
        using var model = TinyModels.Llama();
        foreach (var need in Missed.Where(n => method.Needs.HasFlag(n)))
        {
            using var scope = NewDisposeScope();
            var thrown = Record.Exception(() =>
                method.Edit(model, Inputs(model, method.Needs & ~need), new Seed(11)).Dispose()
            );
            Assert.True(
                thrown is ArgumentException or MethodFailedException or InputException,
                $"without {need}: {thrown}"
            );
        }
    }

    /// <summary>What a method is given that needs this.</summary>
    public static MethodInputs Inputs(CausalLm model, Needs needs)
    {
        bool Asked(Needs need) => needs.HasFlag(need);
        var moments = Asked(Needs.SecondMoments) || Asked(Needs.NullSpaces) ? Moments(model) : [];
        return new MethodInputs
        {
            Forget = TinyModels.Rows(6),
            Edits =
            [
                new EditRequest("a", [1, 10, 20, 30, 40], 3, [50, 60, 2], [1, 20, 30, 7, 8], 2),
                new EditRequest("b", [1, 11, 21, 31], 1, [51], [1, 11, 7, 8], 1),
            ],
            Retain = Asked(Needs.RetainSet) ? TinyModels.Rows(9, 8) : [],
            Refusals = Asked(Needs.Refusals) ? [.. TinyModels.Rows(6, 9).Select(r => new[] { r })] : [],
            Contexts = Asked(Needs.Contexts)
                ?
                [
                    [],
                    [70, 71],
                    [72],
                ]
                :
                [
                    [],
                ],
            Locality = Asked(Needs.Locality)
                ?
                [
                    [1, 80, 81, 82, 83],
                    [1, 84, 85, 86],
                ]
                : [],
            SecondMoments = Asked(Needs.SecondMoments) ? moments : [],
            NullSpaces = Asked(Needs.NullSpaces)
                ? moments.ToDictionary(m => m.Key, m => NullSpace.Of(m.Value, 1, EigenvalueUnit.Mean))
                : [],
            OpenReference = Asked(Needs.Reference) ? () => TinyModels.Llama(seed: 5) : null,
        };
    }

    // Logits after the prompts that editing methods write.
    private static Tensor Answer(CausalLm model, ModelPatch? patch)
    {
        using var applied = patch?.ApplyTo(model);
        var prompts = Inputs(model, Needs.None).Edits.Select(e => e.PromptIds);
        return cat([
            .. prompts.Select(p => model.Forward(Tensors.Ids(p), new ForwardOptions { Tap = patch?.Tap }).flatten()),
        ]);
    }

    private static Dictionary<int, Tensor> Moments(CausalLm model)
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
        return moments;
    }

    private static List<byte[]> Files(string folder) =>
        [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
}
