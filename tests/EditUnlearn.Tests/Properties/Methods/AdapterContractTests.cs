using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Codebooks;
using EditUnlearn.Methods.SideMemories;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>
/// What both adapters promise on every family: no weight changes, prompts they were not made for are answered bit for
/// bit as before, and no row's answer depends on its company.
/// </summary>
public sealed class AdapterContractTests
{
    public static TheoryData<string> Adapters => [.. Examples.Keys];

    /// <summary>Every adapter on random tiny models and on the checkpoints of the fixtures.</summary>
    public static TheoryData<string, string> AdaptersAndModels
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (var adapter in new[] { "grace corrected", "wise corrected" })
                foreach (var model in (string[])["llama", "mistral", .. TinyModels.CheckpointNames])
                    cases.Add(adapter, model);
            return cases;
        }
    }

    private static readonly Dictionary<string, Func<int?, IMethod>> Examples = new()
    {
        ["grace reference"] = steps => new Grace(
            new Grace.Options
            {
                Layer = 1,
                Steps = steps ?? 6,
                Radius = 0.05,
            }
        ),
        ["grace corrected"] = steps => new Grace(
            new Grace.Options
            {
                Layer = 1,
                Steps = steps ?? 30,
                Radius = 1e-3,
                LearningRate = 0.3,
                Start = ValueStart.Warm,
                Labels = LabelComparison.Sequence,
                LabelOrder = LabelOrder.Aligned,
                Duplicates = DuplicatePrompt.Replace,
                Query = CodebookQuery.PromptEnd,
                AppendEos = true,
            }
        ),
        ["grace all positions"] = steps => new Grace(
            new Grace.Options
            {
                Layer = 0,
                Steps = steps ?? 5,
                Radius = 0.05,
                Replacement = CodebookReplacement.All,
                Query = CodebookQuery.PromptEnd,
            }
        ),
        ["wise reference"] = steps => new Wise(
            new Wise.Options
            {
                Layer = 1,
                Steps = steps ?? 4,
                Alpha = 0.1,
                Beta = 0.6,
                Gamma = 0.3,
            }
        ),
        ["wise corrected"] = steps => new Wise(Corrected with { Steps = steps ?? 25 }),
        ["wise merged"] = steps => new Wise(
            Corrected with
            {
                Steps = steps ?? 25,
                SaveFrequency = 1,
                MergeFrequency = 2,
                Retrieve = false,
            }
        ),
    };

    private static Wise.Options Corrected =>
        new()
        {
            Layer = 1,
            Steps = 25,
            LearningRate = 3,
            Unit = MarginUnit.OutputNorm,
            Alpha = 0.1,
            Beta = 0.6,
            Gamma = 0.3,
            MaskDecay = true,
            Window = LabelWindow.Exact,
            Pooling = DistancePooling.PromptTokens,
            Scope = RouteScope.StickyPerRow,
            MaxBeyond = null,
            MergeRemainder = true,
            AppendEos = true,
        };

    [Theory]
    [MemberData(nameof(Adapters))]
    public void The_model_comes_back_bit_for_bit_and_the_same_seed_gives_the_same_patch_bytes(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var folder = new TemporaryFolder();
        var before = model.Weights.ToDictionary(w => w.Key, w => w.Value.clone());
        var files = new List<byte[][]>();
        foreach (var run in (string[])["one", "two"])
        {
            using var patch = Examples[name](null).Edit(model, Inputs(model), new Seed(11));
            patch.Save(folder[run]);
            using (patch.ApplyTo(model)) { }
            foreach (var (weight, value) in before)
                Assert.True(Tensors.SameBits(value, model.Weight(weight)), weight);
            files.Add([
                .. Directory.EnumerateFiles(folder[run]).Order(StringComparer.Ordinal).Select(File.ReadAllBytes),
            ]);
        }
        Assert.Equal(files[0], files[1]);
        using var other = Examples[name](null).Edit(model, Inputs(model), new Seed(12));
        other.Save(folder["three"]);
        // A warm start draws nothing.
        Assert.Equal(
            name == "grace corrected",
            File.ReadAllBytes(folder["three/patch.safetensors"])
                .AsSpan()
                .SequenceEqual(File.ReadAllBytes(folder["one/patch.safetensors"]))
        );
    }

    [Theory]
    [MemberData(nameof(Adapters))]
    public void A_saved_patch_answers_bit_for_bit_like_the_one_it_was_saved_from(string name)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama();
        using var folder = new TemporaryFolder();
        using var patch = Examples[name](null).Edit(model, Inputs(model), new Seed(11));
        patch.Save(folder.Path);
        using var loaded = ModelPatch.Load(folder.Path);
        Assert.Equal(patch.GetType(), loaded.GetType());
        Assert.Equal(patch.Health!.ToJsonString(), loaded.Health!.ToJsonString());
        foreach (var edit in Inputs(model).Edits)
        {
            var plain = model.Forward(Tensors.Ids(edit.PromptIds));
            var (expected, actual) = (Patched(model, patch, edit.PromptIds), Patched(model, loaded, edit.PromptIds));
            Assert.True(Tensors.SameBits(expected, actual));
            Assert.False(Tensors.SameBits(plain, expected), "the patch does nothing");
        }
    }

    [Theory]
    [InlineData("grace corrected")]
    [InlineData("wise corrected")]
    [InlineData("wise merged")]
    public void Two_hundred_edits_leave_no_tensor_behind(string name)
    {
        using var model = TinyModels.Llama();
        using var outer = NewDisposeScope();
        var few = Inputs(model);
        using (Examples[name](1).Edit(model, few, new Seed(11))) { } // first use fills caches
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var peak = 0L;
        var draw = new Seed(3).Stream("many");
        var many = few with
        {
            Edits =
            [
                .. Enumerable
                    .Range(0, 200)
                    .Select(i => new EditRequest(
                        $"{i}",
                        [1, .. Enumerable.Range(0, 4).Select(_ => 3 + draw.Below(90))],
                        2,
                        [5 + i % 7],
                        [],
                        0
                    )),
            ],
            Progress = _ => peak = Math.Max(peak, DisposeScopeManager.Statistics.ThreadTotalLiveCount - live),
        };
        using (Examples[name](1).Edit(model, many, new Seed(11))) { }
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        // While it works a method holds its codebook's keys at most.
        Assert.True(peak < 300, $"{peak} tensors while editing");
    }

    [Theory]
    [MemberData(nameof(AdaptersAndModels))]
    public void Edited_prompts_change_and_foreign_ones_do_not_whoever_shares_the_batch(string name, string which)
    {
        using var scope = NewDisposeScope();
        using var model = which switch
        {
            "llama" => TinyModels.Llama(),
            "mistral" => TinyModels.Llama(window: 4),
            _ => TinyModels.Checkpoint(which),
        };
        var inputs = Inputs(model);
        using var trained = Examples[name](null).Edit(model, inputs, new Seed(11));
        var draw = new Seed(7).Stream("foreign");
        List<IReadOnlyList<int>> prompts =
        [
            .. inputs.Edits.Select(e => e.PromptIds),
            .. Enumerable
                .Range(0, 12)
                .Select(_ =>
                    (IReadOnlyList<int>)
                        [
                            1,
                            .. Enumerable
                                .Range(0, 2 + draw.Below(9))
                                .Select(_ => 3 + draw.Below(model.Config.VocabSize - 3)),
                        ]
                ),
        ];
        using var patch = trained is SideMemoryPatch side ? HalfReached(model, side, prompts) : trained;
        var routed = patch.Routes(model, prompts).Select(r => r.Routed).ToList();
        if (patch is CodebookPatch)
            Assert.Equal(prompts.Select((_, i) => i < inputs.Edits.Count), routed);
        Assert.Contains(true, routed);
        Assert.Contains(false, routed);

        var options = new GreedyDecoder.Options { MaxNewTokens = 5, StopIds = [7, 8, 9] };
        var plain = GreedyDecoder.Decode(model, prompts, options);
        var tapped = options with { Tap = patch.Tap };
        var together = GreedyDecoder.Decode(model, prompts, tapped);
        var alone = GreedyDecoder.Decode(model, prompts, tapped with { BatchRows = 1 });
        var byFive = GreedyDecoder.Decode(model, prompts, tapped with { BatchRows = 5 });
        for (var i = 0; i < prompts.Count; i++)
        {
            Assert.Equal(alone[i].Ids, together[i].Ids);
            Assert.Equal(alone[i].Reason, together[i].Reason);
            Assert.Equal(alone[i].Ids, byFive[i].Ids);
            Assert.Equal(Uncached(model, patch, prompts[i], options), together[i].Ids);
            if (!routed[i])
                Assert.Equal(plain[i].Ids, together[i].Ids);
        }
        ScoresFollowTheRoute(model, patch, prompts, routed);
    }

    // Scores: those of the untouched model outside, independent of the answer's text and of the batch inside. Not by
    // bits: on some processors MKL rounds by where in memory an operand lies (docs/decisions/0003).
    private static void ScoresFollowTheRoute(
        CausalLm model,
        ModelPatch patch,
        List<IReadOnlyList<int>> prompts,
        List<bool> routed
    )
    {
        var rows = prompts.Select(p => new TokenRow([.. p, 11, 12, 13], p.Count)).ToList();
        var (before, after, single) = (
            Scorer.Score(model, rows),
            Scorer.Score(model, rows, tap: patch.Tap),
            Scorer.Score(model, rows, 1, patch.Tap)
        );
        for (var i = 0; i < rows.Count; i++)
        {
            var moved = before[i]
                .LogProbabilities.Zip(after[i].LogProbabilities)
                .Max(p => Math.Abs(p.First - p.Second));
            if (routed[i])
                Assert.True(moved > 1e-4, $"an edited prompt scores as before, to {moved}");
            else
                Assert.True(moved < 1e-5, $"a foreign prompt scores otherwise, by {moved}");
            for (var t = 0; t < 3; t++)
                Assert.Equal(single[i].LogProbabilities[t], after[i].LogProbabilities[t], 1e-4);
            var otherAnswer = Scorer.Score(
                model,
                [new TokenRow([.. prompts[i], 11, 40, 41, 42, 43], prompts[i].Count)],
                1,
                patch.Tap
            )[0];
            Assert.Equal(single[i].LogProbabilities[0], otherAnswer.LogProbabilities[0], 1e-4);
        }
    }

    [Theory]
    [InlineData("grace corrected", 9, "options.layer")]
    [InlineData("wise corrected", 9, "options.layer")]
    public void A_layer_the_model_lacks_an_empty_target_and_a_prompt_beyond_the_window_are_reported_at_once(
        string name,
        int layer,
        string expected
    )
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        IMethod method = name.StartsWith("grace", StringComparison.Ordinal)
            ? new Grace(new Grace.Options { Layer = layer })
            : new Wise(new Wise.Options { Layer = layer });
        var inputs = Inputs(model) with
        {
            Edits =
            [
                new EditRequest("empty", [1, 5], 1, [], [], 0),
                new EditRequest("long", [1, .. Enumerable.Repeat(5, 200)], 1, [6], [], 0),
                new EditRequest("foreign", [1, 5], 1, [1000], [], 0),
                new EditRequest("twice", [1, 5], 1, [6], [], 0),
                new EditRequest("twice", [1, 7], 1, [6], [], 0),
            ],
        };
        var problems = Assert
            .Throws<InputException>(() => method.Edit(model, inputs, new Seed(1)))
            .Problems.Select(p => p.File)
            .ToList();
        Assert.Equal([expected, "edit empty", "edit long", "edit foreign", "edit twice"], problems);
    }

    [Theory]
    [MemberData(nameof(Adapters))]
    public void A_loss_that_is_not_finite_names_the_edit(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using (no_grad())
            model.Weight("lm_head.weight")[50].fill_(float.NaN);
        Assert.Contains(
            "a, step 0",
            Assert
                .Throws<MethodFailedException>(() => Examples[name](null).Edit(model, Inputs(model), new Seed(1)))
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_damaged_or_foreign_patch_is_refused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Assert.Throws<InputException>(() => ModelPatch.Load(folder.Path));
        File.WriteAllText(folder["patch.json"], """{"format":"patch/1","kind":"mystery"}""");
        Assert.Contains(
            "mystery",
            Assert.Throws<DamagedFileException>(() => ModelPatch.Load(folder.Path)).Message,
            StringComparison.Ordinal
        );
        using var model = TinyModels.Llama();
        using var patch = Examples["grace corrected"](null).Edit(model, Inputs(model), new Seed(1));
        patch.Save(folder.Path);
        var json = File.ReadAllText(folder["patch.json"]);
        foreach (
            var damaged in (string[])
                [
                    json.Replace("\"last\"", "\"sideways\"", StringComparison.Ordinal),
                    json.Replace("\"entries\"", "\"exits\"", StringComparison.Ordinal),
                    json.Replace("\"layer\": 1", "\"layer\": \"one\"", StringComparison.Ordinal),
                    "[]",
                    "{",
                ]
        )
        {
            Assert.NotEqual(json, damaged);
            File.WriteAllText(folder["patch.json"], damaged);
            Assert.Throws<DamagedFileException>(() => ModelPatch.Load(folder.Path));
        }
        using var wide = CausalLm.Random(model.Config with { IntermediateSize = 60 }, new Seed(1));
        Assert.Contains(
            "[32, 56]",
            Assert.Throws<ArgumentException>(() => patch.ApplyTo(wide)).Message,
            StringComparison.Ordinal
        );
    }

    // Random models tell prompts apart too little for a trained threshold: here it lies in the widest gap between two
    // prompts' distances.
    private static SideMemoryPatch HalfReached(
        CausalLm model,
        SideMemoryPatch patch,
        IReadOnlyList<IReadOnlyList<int>> prompts
    )
    {
        var distances = patch.Routes(model, prompts).Select(r => r.Distance).Order().ToList();
        var (below, above) = distances.Zip(distances.Skip(1)).MaxBy(p => p.Second - p.First);
        return new SideMemoryPatch(
            patch.Layer,
            [new SideMemory(patch.Memories[0].Weight.clone(), (below + above) / 2 / patch.Routing.ActRatio)],
            patch.Routing
        );
    }

    [Fact]
    public void Weights_are_exported_as_a_checkpoint_and_adapters_by_themselves_with_a_word_why()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var checkpoint = new Checkpoint(
            TinyModels.Llama(),
            BpeTrainer.Train(Enumerable.Repeat("Who wrote 'Middlemarch'? George Eliot.", 30), 300)
        );
        var name = CausalLm.DownProjName(1);
        var before = checkpoint.Model.Weight(name).clone();
        using var merged = (WeightPatch)
            Examples["wise merged"](3).Edit(checkpoint.Model, Inputs(checkpoint.Model), new Seed(1));
        checkpoint.Save(folder["source"]);
        Assert.Null(PatchExport.Write(folder["source"], checkpoint.Model, merged, folder["merged"]).Note);
        using var whole = WeightFolder.Load(folder["merged"], CPU);
        Assert.True(File.Exists(folder["merged/tokenizer.json"]));
        Assert.True(Tensors.SameBits(((FullChange)merged.Changes[name]).Value, whole.Weight(name)));
        Assert.True(Tensors.SameBits(before, checkpoint.Model.Weight(name)));

        using var adapter = Examples["wise corrected"](3).Edit(checkpoint.Model, Inputs(checkpoint.Model), new Seed(1));
        Assert.Contains(
            "no change of weights",
            PatchExport.Write(folder["source"], checkpoint.Model, adapter, folder["adapter"]).Note,
            StringComparison.Ordinal
        );
        using var loaded = ModelPatch.Load(folder["adapter"]);
        Assert.False(File.Exists(folder["adapter/model.safetensors"]));
    }

    private static Tensor Patched(CausalLm model, ModelPatch patch, IReadOnlyList<int> prompt)
    {
        using var applied = patch.ApplyTo(model);
        return model.Forward(Tensors.Ids(prompt), new ForwardOptions { Tap = patch.Tap });
    }

    private static List<int> Uncached(
        CausalLm model,
        ModelPatch patch,
        IReadOnlyList<int> prompt,
        GreedyDecoder.Options options
    )
    {
        using var quiet = no_grad();
        var ids = prompt.ToList();
        for (var step = 0; step < options.MaxNewTokens; step++)
        {
            using var scope = NewDisposeScope();
            var tap = patch.Tap!.Begin(new BatchLayout([0], [prompt.Count - 1]));
            var next = (int)model.Forward(Tensors.Ids(ids), new ForwardOptions { Tap = tap })[0, -1].argmax().ToInt64();
            if (options.StopIds!.Contains(next))
                break;
            ids.Add(next);
        }
        return ids[prompt.Count..];
    }

    private static MethodInputs Inputs(CausalLm model) =>
        new()
        {
            Edits =
            [
                new EditRequest("a", [1, 10, 20, 30, 40], 3, [50, 60, 2], [], 0),
                new EditRequest("b", [1, 11, 21, 31], 1, [51, 2], [], 0),
                new EditRequest("c", [1, 12, 22, 32, 42, 52], 1, [53, 54], [], 0),
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
}
