using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;
using EditUnlearn.Workbench;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>
/// Where a subject ends and which ids a target has, with both kinds of tokenizer. See docs/methods.md,
/// "Requests".
/// </summary>
public sealed class EditRequestTests
{
    private const string Question = "bc ab cd\u00E9 dd?";

    [Theory]
    [InlineData("tokenizer.model")]
    [InlineData("tokenizer.json")]
    public void The_lookup_is_the_token_that_ends_the_subject(string file)
    {
        using var checkpoint = Load(file);
        var request = Request(checkpoint, new EditRequests.Options(), "cd\u00E9", 6);
        var prompt = checkpoint.PromptWithOffsets(Question);
        var place = checkpoint.Template.QuestionStart + 8;
        Assert.Equal(prompt.Select(p => p.Id), request.PromptIds);
        Assert.True(prompt[request.SubjectLast].Start <= place && place < prompt[request.SubjectLast].End);
        // An accented letter is two bytes here: the second completes it.
        Assert.True(prompt[request.SubjectLast + 1].Start > place);
        Assert.Equal("cd\u00E9 is a", checkpoint.Tokenizer.Decode(request.EssenceIds));
        Assert.EndsWith(
            "\u00E9",
            checkpoint.Tokenizer.Decode(request.EssenceIds.Take(request.EssenceLast + 1)),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("tokenizer.model")]
    [InlineData("tokenizer.json")]
    public void The_whole_prompt_and_the_last_token_can_stand_in_for_a_subject(string file)
    {
        using var checkpoint = Load(file);
        var prompt = checkpoint.PromptWithOffsets(Question);
        var whole = Request(checkpoint, new EditRequests.Options { Subject = SubjectMode.WholePrompt }, "ab", 3);
        var unknown = Request(checkpoint, new EditRequests.Options(), "", 0);
        var last = Request(checkpoint, new EditRequests.Options { Subject = SubjectMode.LastToken }, "ab", 3);
        Assert.True(prompt[whole.SubjectLast].End >= checkpoint.Template.QuestionStart + Question.Length);
        Assert.Equal(Question + " is a", checkpoint.Tokenizer.Decode(whole.EssenceIds));
        Assert.Equal((whole.SubjectLast, whole.EssenceLast), (unknown.SubjectLast, unknown.EssenceLast));
        Assert.Equal(prompt.Count - 1, last.SubjectLast);
        Assert.Equal(whole.EssenceIds, last.EssenceIds);
        var raw = Request(
            checkpoint,
            new EditRequests.Options { Subject = SubjectMode.WholePrompt, Format = PromptFormat.Raw },
            "ab",
            3
        );
        Assert.Equal(raw.PromptIds.Count - 1, raw.SubjectLast);
    }

    [Fact]
    public void A_target_cut_in_context_begins_after_the_last_prompt_token_in_both_kinds()
    {
        foreach (var file in new[] { "tokenizer.model", "tokenizer.json" })
        {
            using var checkpoint = Load(file);
            var request = Request(checkpoint, new EditRequests.Options { Format = PromptFormat.Raw }, "ab", 3);
            Assert.Null(request.Continuation);
            Assert.Equal(
                " ab aab",
                checkpoint.Tokenizer.Decode([.. request.PromptIds, .. request.TargetIds])[Question.Length..]
            );
            var chat = Request(checkpoint, new EditRequests.Options { AppendEos = true }, "ab", 3);
            Assert.Equal(checkpoint.Row(Question, "ab aab").Ids, [.. chat.PromptIds, .. chat.TargetIds]);
        }
    }

    [Fact]
    public void Encoded_by_itself_a_target_opens_with_a_lone_space_in_sentencepiece_and_is_scored_one_place_early()
    {
        // t0 at P - 2 with a metaspace, at P - 1 without: positions E - n, of E tokens in the row and n in the target.
        foreach (var (file, place) in new[] { ("tokenizer.model", -2), ("tokenizer.json", -1) })
        {
            using var checkpoint = Load(file);
            var request = Request(
                checkpoint,
                new EditRequests.Options { Format = PromptFormat.Raw, TargetIds = TargetIdsMode.TextRoundTrip },
                "ab",
                3
            );
            var row = request.PromptIds.Count + request.Continuation!.Count;
            Assert.Equal(place, row - request.TargetIds.Count - request.PromptIds.Count);
            Assert.Equal(checkpoint.Tokenizer.Encode(" ab aab"), request.TargetIds);
            // What stands in text holds no lone space, however the target is scored.
            Assert.Equal(Question + " ab aab", checkpoint.Tokenizer.Decode([.. request.PromptIds, .. request.Answer]));
        }
    }

    [Theory]
    [InlineData("rome")]
    [InlineData("memit")]
    [InlineData("alphaedit")]
    public void The_reference_preset_scores_targets_by_their_own_text_and_the_corrected_one_in_context(string method)
    {
        using var checkpoint = Load("tokenizer.model");
        EditRequest Made(string preset, string? targetIds)
        {
            var given = new JsonObject { ["contexts"] = 0 };
            if (targetIds is not null)
                given["targetIds"] = targetIds;
            var (entry, options) =
                MethodCatalog.Bind(method, preset, given, out var problems)
                ?? throw new InvalidOperationException(string.Join(", ", problems));
            QaRow row = new()
            {
                Id = "q",
                Question = Question,
                Answer = "dd",
                Subject = "ab",
                SubjectStart = 3,
            };
            var rows = new MethodRows
            {
                Forget = [row],
                Requests = [row],
                Targets = new Dictionary<string, string> { ["q"] = "ab aab" },
            };
            return Assert.Single(
                MethodMaterial
                    .Rows(
                        entry,
                        options,
                        checkpoint,
                        rows,
                        _ => throw new InvalidOperationException("no file is needed")
                    )
                    .Edits
            );
        }
        var (reference, corrected) = (Made("reference", null), Made("corrected", null));
        Assert.Equal(checkpoint.Tokenizer.Encode(" ab aab"), reference.TargetIds);
        Assert.NotNull(reference.Continuation);
        Assert.Equal([.. checkpoint.Row(Question, "ab aab").Ids.Skip(corrected.PromptIds.Count)], corrected.TargetIds);
        Assert.Null(corrected.Continuation);
        // One switch each way.
        Assert.Null(Made("reference", "offsets").Continuation);
        Assert.Equal([.. reference.TargetIds, checkpoint.EndId], Made("corrected", "textRoundTrip").TargetIds);
    }

    [Fact]
    public void Whose_last_token_is_looked_up_is_an_option_of_the_methods_that_look_up()
    {
        using var checkpoint = Load("tokenizer.json");
        EditRequest Made(string subject)
        {
            var (entry, options) = MethodCatalog
                .Bind("memit", "corrected", new JsonObject { ["subject"] = subject, ["contexts"] = 0 }, out _)!
                .Value;
            QaRow row = new()
            {
                Id = "q",
                Question = Question,
                Answer = "dd",
                Subject = "ab",
                SubjectStart = 3,
            };
            return MethodMaterial
                .Rows(
                    entry,
                    options,
                    checkpoint,
                    new MethodRows
                    {
                        Forget = [row],
                        Requests = [row],
                        Targets = new Dictionary<string, string> { ["q"] = "ab" },
                    },
                    _ => ""
                )
                .Edits[0];
        }
        Assert.True(Made("annotated").SubjectLast < Made("wholePrompt").SubjectLast);
        Assert.Equal(Made("lastToken").PromptIds.Count - 1, Made("lastToken").SubjectLast);
        foreach (
            var (option, value) in (ReadOnlySpan<(string, JsonNode)>)
                [("subject", "first"), ("targetIds", 7), ("targetIds", "both"), ("format", "plain"), ("join", 7)]
        )
        {
            Assert.Null(
                MethodCatalog.Bind(
                    "memit",
                    "corrected",
                    new JsonObject { [option] = value.DeepClone() },
                    out var problems
                )
            );
            Assert.Equal("options." + option, Assert.Single(problems).Path);
        }
        Assert.Null(MethodCatalog.Bind("grace", "corrected", new JsonObject { ["targetIds"] = "offsets" }, out _));
    }

    [Theory]
    [InlineData("tokenizer.model")]
    [InlineData("tokenizer.json")]
    public void A_context_prefix_stands_in_the_users_turn_right_before_the_question(string file)
    {
        using var checkpoint = Load(file);
        foreach (var raw in new[] { true, false })
        {
            var request = Request(
                checkpoint,
                new EditRequests.Options { Format = raw ? PromptFormat.Raw : PromptFormat.Chat },
                "ab",
                3
            );
            var start = raw ? 0 : checkpoint.Template.QuestionStart;
            var prompt = checkpoint.PromptWithOffsets(Question, raw);
            Assert.True(
                (prompt[request.PrefixAt].End > start || prompt[request.PrefixAt].Start >= start)
                    && prompt.Take(request.PrefixAt).All(p => p.End <= start)
            );
            Assert.True(request.PrefixAt <= request.SubjectLast);
            if (raw)
                Assert.Equal(checkpoint.BosId is null ? 0 : 1, request.PrefixAt);
            else
                Assert.True(request.PrefixAt > 1);
            Assert.Equal(
                [.. request.PromptIds.Take(request.PrefixAt), 7, 8, .. request.PromptIds.Skip(request.PrefixAt)],
                Prompts.WithPrefix(request, [7, 8])
            );
        }
    }

    [Theory]
    [InlineData("tokenizer.model", "bc.", false)]
    [InlineData("tokenizer.model", "bc.", true)]
    [InlineData("tokenizer.json", "bc.", false)]
    [InlineData("tokenizer.json", "bc.", true)]
    [InlineData("tokenizer.json", "ab cd", true)]
    public void Behind_a_prefix_a_question_has_the_tokens_it_has_in_that_text(string file, string prefix, bool raw)
    {
        using var checkpoint = Load(file);
        var request = Request(
            checkpoint,
            new EditRequests.Options
            {
                Format = raw ? PromptFormat.Raw : PromptFormat.Chat,
                Prefixes = [ContextPrefix.None, new ContextPrefix(prefix, checkpoint.Tokenizer.Encode(prefix))],
            },
            "ab",
            3
        );
        var joined = checkpoint.PromptWithOffsets($"{prefix} {Question}", raw);
        var prefixed = request.Prefixed![1];
        Assert.Equal(joined.Select(p => p.Id), prefixed.Ids);
        Assert.Equal(request.PromptIds, request.Prefixed[0].Ids);
        Assert.Equal(request.SubjectLast, request.Prefixed[0].SubjectLast);
        // The lookup is the subject's last token here as there, and never a "b" of the prefix.
        var start = (raw ? 0 : checkpoint.Template.QuestionStart) + prefix.Length + 1;
        var end = start + 4;
        Assert.True(joined[prefixed.SubjectLast].Start <= end && end < joined[prefixed.SubjectLast].End);
        // Word and space are parted in the text that the ids say.
        Assert.Contains($"{prefix} {Question}", checkpoint.Tokenizer.Decode(prefixed.Ids), StringComparison.Ordinal);
        if (file == "tokenizer.json")
            Assert.Contains(joined, p => p.Start == start - 1 && checkpoint.Tokenizer.Decode([p.Id]).StartsWith(' '));
        // Rows of a value search are these prompts and the target.
        var rows = ValueRows
            .Of(
                [request],
                [
                    [],
                    [7, 7, 7],
                ],
                essence: false
            )
            .Rows;
        Assert.Equal([.. prefixed.Ids, .. request.TargetIds.SkipLast(1)], rows[1].Ids);
        Assert.Equal(prefixed.SubjectLast, rows[1].Lookup);
        Assert.Throws<InputException>(() =>
            EditChecks.Check(TinyModels.Llama(words: 400), new MethodInputs { Edits = [request] }, [1])
        );
    }

    public static TheoryData<string> EditingMethods =>
        [.. MethodCatalog.All.Where(m => m.IsEditing).Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(EditingMethods))]
    public void Format_and_join_are_options_of_every_editing_method(string method)
    {
        using var checkpoint = Load("tokenizer.json");
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["l.jsonl"], """{"question":"dd bc?","answer":"ab","id":"l"}""" + "\n");
        QaRow row = new()
        {
            Id = "q",
            Question = Question,
            Answer = "dd",
            Subject = "ab",
            SubjectStart = 3,
        };
        MethodInputs Made(params (string Name, string Value)[] options)
        {
            var given = new JsonObject(options.Select(o => KeyValuePair.Create(o.Name, (JsonNode?)o.Value)));
            if (method != "grace")
                given["contexts"] = 0;
            var (entry, bound) = MethodCatalog.Bind(method, "corrected", given, out _)!.Value;
            var rows = new MethodRows
            {
                Forget = [row],
                Requests = [row],
                Retain = [row],
                Targets = new Dictionary<string, string> { ["q"] = "ab aab" },
            };
            return MethodMaterial.Rows(entry, bound, checkpoint, rows, _ => folder["l.jsonl"]);
        }
        string Said(EditRequest edit) => checkpoint.Tokenizer.Decode(edit.TargetIds);
        var chat = Made().Edits[0];
        Assert.Equal(checkpoint.Prompt(Question), chat.PromptIds);
        Assert.Equal("ab aab", Said(chat));
        var raw = Made(("format", "raw")).Edits[0];
        Assert.Equal(checkpoint.PromptWithOffsets(Question, raw: true).Select(p => p.Id), raw.PromptIds);
        Assert.Equal(" ab aab", Said(raw));
        Assert.Equal(" ab aab", Said(Made(("join", " ")).Edits[0]));
        Assert.Equal("ab aab", Said(Made(("format", "raw"), ("join", "")).Edits[0]));
        // What is trained on stays as it is asked: only edits are put otherwise.
        Assert.Equal(checkpoint.Row(Question, "dd").Ids, Made(("format", "raw")).Forget[0].Ids);
        if (method != "wise")
            return;
        Assert.Equal(checkpoint.Row("dd bc?", "ab", end: false).Ids, Made().Locality[0]);
        Assert.Equal(checkpoint.Row("dd bc?", " ab", end: false, raw: true).Ids, Made(("format", "raw")).Locality[0]);
        Assert.Equal(
            checkpoint.Row(Question, " dd", end: true, raw: true).Ids,
            Made(("format", "raw"), ("locality", "retain")).Retain[0].Ids
        );
    }

    [Fact]
    public void Spaces_before_a_target_are_the_joins_to_give()
    {
        using var checkpoint = Load("tokenizer.json");
        EditRequests.Options Raw(string? join) => new() { Format = PromptFormat.Raw, Join = join };
        EditRequest Of(string target, string? join) =>
            EditRequests.FromText(checkpoint, "q", Question, "ab", 3, target, Raw(join));
        Assert.Equal(Of("ab", null).TargetIds, Of("  ab", null).TargetIds);
        Assert.Equal(" ab", checkpoint.Tokenizer.Decode(Of("ab", null).TargetIds));
        Assert.Equal("ab", checkpoint.Tokenizer.Decode(Of("ab", "").TargetIds));
        Assert.Throws<InputException>(() => Of("  ", null));
        Assert.Throws<InputException>(() => EditRequests.FromText(checkpoint, "q", Question, "ab", 4, "x", Raw(null)));
        Assert.Throws<InputException>(() =>
            EditRequests.FromText(checkpoint, "q", Question, "ab", int.MaxValue, "x", Raw(null))
        );
    }

    private static EditRequest Request(
        Checkpoint checkpoint,
        EditRequests.Options options,
        string subject,
        int start
    ) => EditRequests.FromText(checkpoint, "q", Question, subject, start, "ab aab", options);

    private static Checkpoint Load(string file)
    {
        using var folder = new TemporaryFolder();
        // "▁▁" must not be what the two spaces become, as in the published vocabularies, whose pieces of spaces have
        // the lowest scores.
        var words = TinyTokenizers.Words().Select(w => w.Text.All(c => c == '\u2581') ? (w.Text, -1e9f) : w);
        File.WriteAllBytes(
            folder[file],
            file == "tokenizer.model"
                ? TinyTokenizers.Model(TinyTokenizers.Pieces(words))
                : TinyTokenizers.Bytes(TinyTokenizers.ByteLevel(TinyTokenizers.Merges))
        );
        var model = TinyModels.Llama();
        return new Checkpoint(
            model,
            TokenizerFolder.Load(folder.Path, model.Config with { VocabSize = 400 }),
            TemplateCatalog.Get(file == "tokenizer.model" ? "llama2" : "llama31")
        );
    }
}
