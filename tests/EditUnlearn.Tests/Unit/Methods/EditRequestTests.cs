using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>Where a subject ends and which ids a target has, with both kinds of tokenizer. Source: editing specification, sections 1.2 to 1.4, invariant 1.</summary>
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
        Assert.EndsWith("\u00E9", checkpoint.Tokenizer.Decode(request.EssenceIds.Take(request.EssenceLast + 1)), StringComparison.Ordinal);
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
        var raw = Request(checkpoint, new EditRequests.Options { Subject = SubjectMode.WholePrompt, Format = PromptFormat.Raw }, "ab", 3);
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
            Assert.Equal(" ab aab", checkpoint.Tokenizer.Decode([.. request.PromptIds, .. request.TargetIds])[Question.Length..]);
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
            var request = Request(checkpoint, new EditRequests.Options { Format = PromptFormat.Raw, TargetIds = TargetIdsMode.TextRoundTrip }, "ab", 3);
            var row = request.PromptIds.Count + request.Continuation!.Count;
            Assert.Equal(place, row - request.TargetIds.Count - request.PromptIds.Count);
            Assert.Equal(checkpoint.Tokenizer.Encode(" ab aab"), request.TargetIds);
        }
    }

    [Fact]
    public void Spaces_before_a_target_are_the_joins_to_give()
    {
        using var checkpoint = Load("tokenizer.json");
        EditRequests.Options Raw(string? join) => new() { Format = PromptFormat.Raw, Join = join };
        EditRequest Of(string target, string? join) => EditRequests.FromText(checkpoint, "q", Question, "ab", 3, target, Raw(join));
        Assert.Equal(Of("ab", null).TargetIds, Of("  ab", null).TargetIds);
        Assert.Equal(" ab", checkpoint.Tokenizer.Decode(Of("ab", null).TargetIds));
        Assert.Equal("ab", checkpoint.Tokenizer.Decode(Of("ab", "").TargetIds));
        Assert.Throws<InputException>(() => Of("  ", null));
        Assert.Throws<InputException>(() => EditRequests.FromText(checkpoint, "q", Question, "ab", 4, "x", Raw(null)));
        Assert.Throws<InputException>(() => EditRequests.FromText(checkpoint, "q", Question, "ab", int.MaxValue, "x", Raw(null)));
    }

    private static EditRequest Request(Checkpoint checkpoint, EditRequests.Options options, string subject, int start) =>
        EditRequests.FromText(checkpoint, "q", Question, subject, start, "ab aab", options);

    private static Checkpoint Load(string file)
    {
        using var folder = new TemporaryFolder();
        // "▁▁" must not be what the two spaces become, as in the published vocabularies, whose pieces of spaces have the lowest scores.
        var words = TinyTokenizers.Words().Select(w => w.Text.All(c => c == '\u2581') ? (w.Text, -1e9f) : w);
        File.WriteAllBytes(folder[file], file == "tokenizer.model" ? TinyTokenizers.Model(TinyTokenizers.Pieces(words)) : TinyTokenizers.Bytes(TinyTokenizers.ByteLevel(TinyTokenizers.Merges)));
        var model = TinyModels.Llama();
        return new Checkpoint(model, TokenizerFolder.Load(folder.Path, model.Config with { VocabSize = 400 }), TemplateCatalog.Get(file == "tokenizer.model" ? "llama2" : "llama31"));
    }
}
