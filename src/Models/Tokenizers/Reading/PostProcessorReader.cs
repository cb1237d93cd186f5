using System.Text.Json;
using EditUnlearn.Models.Tokenizers.Steps;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>Reads the part <c>post_processor</c>, as far as it speaks of a single text.</summary>
internal static class PostProcessorReader
{
    /// <summary>The step; one that does nothing where a problem is noted.</summary>
    public static PostProcessing Read(JsonPart part)
    {
        switch (part.Type)
        {
            case "Sequence":
                return part.List("processors").Select(Read).Aggregate(PostProcessing.None, Join);
            case "ByteLevel":
                return Trimming(part);
            case "TemplateProcessing":
                return Template(part);
            case "RobertaProcessing":
                return Join(Trimming(part), Pair(part));
            case "BertProcessing":
                return Pair(part);
            default:
                part.RefuseType("a post-processor");
                return PostProcessing.None;
        }
    }

    private static PostProcessing Trimming(JsonPart part) =>
        PostProcessing.None with
        {
            Trims = part.Flag("trim_offsets", whenAbsent: true),
            KeepsFirstSpace = part.Flag("add_prefix_space", whenAbsent: true),
        };

    // The later one puts its tokens around those of the earlier one. Tokens are trimmed in the way that the first of
    // them asks for.
    private static PostProcessing Join(PostProcessing first, PostProcessing second) =>
        new(
            [.. second.Before, .. first.Before],
            [.. first.After, .. second.After],
            first.Trims || second.Trims,
            first.Trims ? first.KeepsFirstSpace : second.KeepsFirstSpace
        );

    // "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [1]}}.
    private static PostProcessing Template(JsonPart part)
    {
        var (before, after) = (new List<int>(), new List<int>());
        var texts = 0;
        foreach (var piece in part.List("single"))
            if (piece.Object("Sequence") is not null)
                texts++;
            else if (piece.Object("SpecialToken") is { } token)
                (texts == 0 ? before : after).AddRange(Ids(part, token));
            else
                piece.Refuse($"is {piece.Shown()}, neither a text nor a special token");
        if (texts != 1)
            part.Refuse($"has {texts} places for the text in 'single'");
        return new PostProcessing(before, after);
    }

    private static IEnumerable<int> Ids(JsonPart template, JsonPart token)
    {
        var name = token.Needed("id");
        if (template.Object("special_tokens")?.Object(name) is { } held)
            return held.List("ids").Select(i => i.AsCount(TokenizerJson.HighestId, "a token id")).OfType<int>();
        token.Refuse($"names '{JsonPart.Shortened(name)}', which 'special_tokens' does not hold");
        return [];
    }

    // "cls": ["<s>", 0], "sep": ["</s>", 2].
    private static PostProcessing Pair(JsonPart part)
    {
        IReadOnlyList<int> Of(string name)
        {
            if (
                part.List(name) is [{ Json.ValueKind: JsonValueKind.String }, var id]
                && id.AsCount(TokenizerJson.HighestId, "a token id") is { } found
            )
                return [found];
            part.Refuse($"has no token and id as '{name}'");
            return [];
        }
        return new PostProcessing(Of("cls"), Of("sep"));
    }
}
