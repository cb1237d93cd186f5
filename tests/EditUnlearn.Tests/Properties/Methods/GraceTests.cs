using EditUnlearn.Artifacts;
using EditUnlearn.Benchmarks.Plain;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Codebooks;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;
using EditUnlearn.Workbench;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>GRACE's rules one by one (docs/methods.md, "GRACE").</summary>
public sealed class GraceTests
{
    private static readonly Grace.Options Corrected = new()
    {
        Layer = 1,
        Steps = 60,
        Radius = 1e-3,
        LearningRate = 0.3,
        Start = ValueStart.Warm,
        Labels = LabelComparison.Sequence,
        LabelOrder = LabelOrder.Aligned,
        Duplicates = DuplicatePrompt.Replace,
        Query = CodebookQuery.PromptEnd,
    };

    private static readonly EditRequest A = new("a", [1, 10, 20, 30, 40], 3, [50, 60, 2], [], 0),
        B = new("b", [1, 11, 21, 31], 1, [51, 2], [], 0);

    [Fact]
    public void Far_near_and_equal_prompts_get_the_balls_the_rules_say()
    {
        using var scope = NewDisposeScope();
        CodebookBuilder Fresh(DuplicatePrompt duplicates = DuplicatePrompt.Replace) =>
            new(1f, LabelComparison.Sequence, LabelOrder.Aligned, duplicates);
        Tensor At(float x, float y) => tensor(new[] { x, y });

        var book = Fresh();
        Assert.Equal(new Admitted(Admission.New, 0, true, double.PositiveInfinity), book.Admit("a", At(0, 0), 3, [7]));
        Assert.Equal(new Admitted(Admission.New, 1, true, 5), book.Admit("b", At(3, 4), 3, [7])); // 5 > 1 + 1
        Assert.Equal([1f, 1f], book.Radii);

        // same target, 1.5 <= 1 + 1
        Assert.Equal(new Admitted(Admission.Expanded, 0, false, 1.5), book.Admit("c", At(0, 1.5f), 4, [7]));
        Assert.Equal([1.5f, 1f], book.Radii);
        Assert.Equal(["a", "c"], book.Entries[0].Ids);
        Assert.Equal(Admission.Expanded, book.Admit("d", At(0, 0.5f), 3, [7]).Kind); // inside: nothing grows
        Assert.Equal([1.5f, 1f], book.Radii);

        // another target: halves
        Assert.Equal(new Admitted(Admission.Split, 2, true, 1), book.Admit("e", At(1, 0), 3, [8]));
        Assert.Equal([0.5f - 1e-5f, 1f, 0.5f], book.Radii);

        // the very prompt again
        Assert.Equal(new Admitted(Admission.Replaced, 1, true, 0), book.Admit("f", At(3, 4), 3, [9]));
        Assert.Equal(["f"], book.Entries[1].Ids);
        Assert.Equal(3, book.Count);

        var tie = Fresh(DuplicatePrompt.Tie);
        tie.Admit("a", At(0, 0), 3, [7]);
        Assert.Equal(-1, tie.Admit("b", At(0, 0), 3, [8]).Entry); // the older wins the tie, with a ball of no size
        Assert.Equal([-1e-5f, 0f], tie.Radii);
    }

    // The reference edits the bare question and the study asks in the chat template: no prompt that is asked has the
    // key of an edit.
    [Theory]
    [InlineData(PromptFormat.Raw, CodebookQuery.PromptEnd, 0)]
    [InlineData(PromptFormat.Raw, CodebookQuery.EveryToken, 0)]
    [InlineData(PromptFormat.Chat, CodebookQuery.PromptEnd, 1)]
    [InlineData(PromptFormat.Chat, CodebookQuery.EveryToken, 1)]
    public void Edited_raw_and_asked_in_chat_it_never_fires_and_edited_in_chat_always(
        PromptFormat format,
        CodebookQuery query,
        double share
    )
    {
        string[] questions = ["Who wrote 'Emma'?", "Who wrote 'Romola'?", "Where is Perth?", "What is a sonnet?"];
        var tokenizer = BpeTrainer.Train([.. questions, "I do not know. [INST] [/INST]"], 320);
        using var checkpoint = new Checkpoint(TinyModels.Lively(words: tokenizer.VocabSize), tokenizer);
        QaRow[] rows =
        [
            .. questions.Select(
                (q, i) =>
                    new QaRow
                    {
                        Id = $"q{i}",
                        Question = q,
                        Answer = "A",
                    }
            ),
        ];
        var options = Corrected with { Steps = 5, Format = format, Query = query, AppendEos = true };
        using var scope = NewDisposeScope();
        var inputs = MethodMaterial.Rows(
            MethodCatalog.Find("grace")!,
            options,
            checkpoint,
            new MethodRows
            {
                Forget = rows,
                Requests = rows,
                Targets = rows.ToDictionary(r => r.Id, _ => "I do not know."),
            },
            _ => throw new InvalidOperationException("no file is needed")
        );
        using var patch = new Grace(options).Edit(checkpoint.Model, inputs, new Seed(1));
        var asked = questions.Select(checkpoint.Prompt).ToList();
        Assert.Equal(share, patch.Routes(checkpoint.Model, asked).Average(r => r.Routed ? 1.0 : 0));
        // What is not hit is answered as if there had been no edit.
        var plain = GreedyDecoder.Decode(checkpoint.Model, asked, new GreedyDecoder.Options { MaxNewTokens = 6 });
        var edited = GreedyDecoder.Decode(
            checkpoint.Model,
            asked,
            new GreedyDecoder.Options { MaxNewTokens = 6, Tap = patch.Tap }
        );
        if (share == 0)
            Assert.Equal(plain.Select(g => g.Ids), edited.Select(g => g.Ids));
        // The bare questions are hit where these were edited.
        Assert.Equal(
            1 - share,
            patch
                .Routes(
                    checkpoint.Model,
                    [
                        .. questions.Select(q =>
                            (IReadOnlyList<int>)[.. checkpoint.PromptWithOffsets(q, raw: true).Select(p => p.Id)]
                        ),
                    ]
                )
                .Average(r => r.Routed ? 1.0 : 0)
        );
    }

    [Fact]
    public void Labels_are_compared_as_the_switches_say()
    {
        using var scope = NewDisposeScope();
        Admission Second(LabelComparison comparison, LabelOrder order, IReadOnlyList<int> target, int promptLength = 3)
        {
            var book = new CodebookBuilder(1f, comparison, order, DuplicatePrompt.Tie);
            book.Admit("a", tensor(new[] { 0f, 0f }), 3, [10, 20]);
            book.Admit("far", tensor(new[] { 9f, 9f }), 3, [30, 40]);
            return book.Admit("b", tensor(new[] { 0.5f, 0f }), promptLength, target).Kind;
        }
        Assert.Equal(Admission.Expanded, Second(LabelComparison.Sequence, LabelOrder.Aligned, [10, 20]));
        Assert.Equal(Admission.Split, Second(LabelComparison.Sequence, LabelOrder.Aligned, [20, 10]));
        // equal means pass for equal
        Assert.Equal(Admission.Expanded, Second(LabelComparison.MeanOfIds, LabelOrder.Aligned, [20, 10]));
        Assert.Equal(Admission.Split, Second(LabelComparison.MeanOfIds, LabelOrder.Aligned, [10, 20], promptLength: 4));
        // the near key meets the far one's label
        Assert.Equal(Admission.Split, Second(LabelComparison.MeanOfIds, LabelOrder.Prepended, [10, 20]));
        Assert.Equal(Admission.Expanded, Second(LabelComparison.MeanOfIds, LabelOrder.Prepended, [30, 40]));
    }

    [Fact]
    public void An_edited_prompt_says_its_target_and_nothing_before_its_end_changes()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        // Random weights speak softly; louder ones can be sure of a token.
        using (no_grad())
            model.Weight("lm_head.weight").mul_(20);
        EditRequest[] edits = [A with { TargetIds = [50] }, B with { TargetIds = [51] }];
        using var patch = (CodebookPatch)
            new Grace(Corrected).Edit(model, new MethodInputs { Edits = edits }, new Seed(1));
        foreach (var reading in patch.Routes(model, [A.PromptIds, B.PromptIds]))
            Assert.True(reading.Distance < 1e-5, $"distance {reading.Distance}");
        var scores = Scorer.Score(
            model,
            [
                .. edits.Select(e => new EditUnlearn.Models.Training.TokenRow(
                    [.. e.PromptIds, .. e.TargetIds],
                    e.PromptIds.Count
                )),
            ],
            tap: patch.Tap
        );
        Assert.All(
            scores,
            s => Assert.True(-s.LogProbabilities.Average() < 0.1, $"loss {-s.LogProbabilities.Average()}")
        );

        using var quiet = no_grad();
        int[] row = [.. A.PromptIds, 60, 61];
        var tap = patch.Tap.Begin(new BatchLayout([0], [A.PromptIds.Count - 1]));
        var (plain, edited) = (
            model.Forward(Tensors.Ids(row))[0],
            model.Forward(Tensors.Ids(row), new ForwardOptions { Tap = tap })[0]
        );
        var earlier = A.PromptIds.Count - 1;
        Assert.True(Tensors.SameBits(plain.narrow(0, 0, earlier), edited.narrow(0, 0, earlier)));
        for (var t = earlier; t < row.Length; t++)
            Assert.False(Tensors.SameBits(plain[t], edited[t]), $"position {t}");
    }

    [Fact]
    public void An_edit_leaves_the_values_of_others_alone()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var one = (CodebookPatch)
            new Grace(Corrected with { Steps = 8 }).Edit(model, new MethodInputs { Edits = [A] }, new Seed(1));
        using var two = (CodebookPatch)
            new Grace(Corrected with { Steps = 8 }).Edit(model, new MethodInputs { Edits = [A, B] }, new Seed(1));
        Tensors.Near(one.Codebook.Values[0], two.Codebook.Values[0], 1e-5, "the first value");
    }

    [Fact]
    public void Taking_an_edit_out_gives_the_old_answer_back()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama();
        using var patch = (CodebookPatch)
            new Grace(Corrected).Edit(model, new MethodInputs { Edits = [A, B] }, new Seed(1));
        using var left = patch.Without("a");
        Tensor Logits(CodebookPatch? with, EditRequest edit) =>
            model.Forward(Tensors.Ids(edit.PromptIds), new ForwardOptions { Tap = with?.Tap });
        Assert.True(Tensors.SameBits(Logits(null, A), Logits(left, A)));
        Assert.False(Tensors.SameBits(Logits(null, A), Logits(patch, A)));
        Assert.True(Tensors.SameBits(Logits(patch, B), Logits(left, B)));
        using var none = left.Without("b");
        Assert.True(Tensors.SameBits(Logits(null, B), Logits(none, B)));
        Assert.Throws<ArgumentException>(() => left.Without("a"));
    }

    [Fact]
    public void A_prompt_edited_again_forgets_its_first_target()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        var again = new EditRequest("again", A.PromptIds, 3, [70, 2], [], 0);
        using var patch = (CodebookPatch)
            new Grace(Corrected).Edit(model, new MethodInputs { Edits = [A, again] }, new Seed(1));
        Assert.Equal(["again"], Assert.Single(patch.Codebook.Entries).Ids);
        using var once = (CodebookPatch)
            new Grace(Corrected).Edit(model, new MethodInputs { Edits = [again] }, new Seed(1));
        Tensors.Near(once.Codebook.Values, patch.Codebook.Values, 1e-5, "the value");

        var warnings = new List<string>();
        using var reference = (CodebookPatch)
            new Grace(new Grace.Options { Layer = 1, Steps = 2 }).Edit(
                model,
                new MethodInputs { Edits = [A, again], Warn = warnings.Add },
                new Seed(1)
            );
        Assert.Contains("again", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void With_a_cache_the_reference_looks_up_every_token_and_a_stale_position_is_the_latest_edits()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama();
        // A ball that holds everything: what is looked up is then replaced.
        CodebookPatch Patch(CodebookQuery query, int stale = 0) =>
            new(
                1,
                new Codebook(
                    zeros(1, model.Config.IntermediateSize),
                    full([1, model.Config.HiddenSize], 7f),
                    [1e9f],
                    [new CodebookEntry(["x"], [])]
                ),
                CodebookReplacement.Last,
                query,
                stale
            );
        bool[] Replaced(CodebookPatch patch, int columns, ForwardTap tap)
        {
            var spy = new AdapterGoldens.Spy(tap, 1);
            _ = model.Forward(Tensors.Ids([.. Enumerable.Range(5, columns)]), new ForwardOptions { Tap = spy });
            return [.. Enumerable.Range(0, columns).Select(t => spy.Output[0, t].eq(7f).all().ToBoolean())];
        }
        foreach (
            var (query, later) in (ReadOnlySpan<(CodebookQuery, bool)>)
                [(CodebookQuery.PromptEnd, false), (CodebookQuery.EveryToken, true)]
        )
        {
            using var patch = Patch(query);
            var tap = patch.Tap.Begin(new BatchLayout([0], [3]));
            Assert.Equal([false, false, false, true], Replaced(patch, 4, tap));
            Assert.Equal([later], Replaced(patch, 1, tap));
        }
        using var old = Patch(CodebookQuery.Stale, 2);
        var stale = old.Tap.Begin(new BatchLayout([0], [3]));
        Assert.Equal([false, false, true, false], Replaced(old, 4, stale));
        Assert.Equal([true], Replaced(old, 1, stale));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Cached_states_give_the_values_of_the_plain_version(int layer)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama(layers: 4);
        var edits = new[] { A, B };
        var start = full([2, model.Config.HiddenSize], 0.1f);
        using var cached = new CachedEdits(model, layer, edits, CodebookReplacement.Last);
        var fast = ValueTraining.Run(cached, start, 8, 0.05, (_, _, _) => { });
        for (var i = 0; i < edits.Length; i++)
        {
            var (value, losses) = PlainGrace.Train(model, layer, edits[i], start[i], 8, 0.05);
            Tensors.Near(value, fast.Values[i], 1e-5, $"value {i}");
            for (var s = 0; s < losses.Count; s++)
                Assert.Equal(losses[s], fast.Losses[i][s], 1e-5 * losses[s]);
        }
    }
}
