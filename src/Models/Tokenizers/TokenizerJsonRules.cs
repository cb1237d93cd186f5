using System.Text.Json;
using static EditUnlearn.Models.Tokenizers.TokenizerJson;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// What a <c>tokenizer.json</c> may ask for. Everything that would change ids is honoured or refused by name.
/// </summary>
internal static class TokenizerJsonRules
{
    /// <summary>What to do about a refusal.</summary>
    public const string Hint =
        "only byte-level BPE is read from tokenizer.json, as Llama-3 has it; for Llama-2 and Mistral put the "
        + "checkpoint's own tokenizer.model beside it";

    /// <summary>The patterns that cut a text, and what is not supported.</summary>
    public static IReadOnlyList<string> Check(JsonElement root, JsonElement model, List<string> problems)
    {
        if ((Text(model, "type") ?? "BPE") is var type && type != "BPE")
            problems.Add($"model.type is '{type}'");
        if (Flag(model, "byte_fallback"))
            problems.Add("model.byte_fallback is true: this is the SentencePiece kind");
        if (
            Part(model, "dropout") is { } dropout
            && !(dropout.ValueKind == JsonValueKind.Number && dropout.TryGetDouble(out var rate) && rate == 0)
        )
            problems.Add("model.dropout is set: ids would be drawn by chance");
        foreach (var name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (Part(model, name) is { } set && !(set.ValueKind == JsonValueKind.String && set.GetString() == ""))
                problems.Add($"model.{name} is set");
        if (Part(root, "normalizer") is { } normalizer)
            problems.Add($"normalizer is {Text(normalizer, "type") ?? "set"}: the text would be rewritten");
        if (Part(root, "decoder") is { } decoder && Text(decoder, "type") != "ByteLevel")
            problems.Add($"decoder is {Text(decoder, "type") ?? "of an unknown kind"}");
        if (Part(root, "added_tokens") is { ValueKind: JsonValueKind.Array } added)
            foreach (var token in added.EnumerateArray())
                foreach (var name in (string[])["lstrip", "rstrip", "single_word"])
                    // A special token is put in by id, where these have no say; one that is read out of text would take its
                    // neighbours along.
                    if (Flag(token, name) && !Flag(token, "special"))
                        problems.Add($"the added token '{Text(token, "content")}' has {name}");
        var patterns = new List<string>();
        if (Part(root, "pre_tokenizer") is { } cutter)
            Cutter(cutter, patterns, problems);
        else
            problems.Add("there is no pre_tokenizer");
        return patterns;
    }

    private static void Cutter(JsonElement cutter, List<string> patterns, List<string> problems)
    {
        var steps =
            Text(cutter, "type") == "Sequence"
            && Part(cutter, "pretokenizers") is { ValueKind: JsonValueKind.Array } list
                ? [.. list.EnumerateArray()]
                : new List<JsonElement> { cutter };
        var bytes = false;
        foreach (var step in steps)
        {
            if (bytes)
                problems.Add("pre_tokenizer goes on after ByteLevel");
            switch (Text(step, "type"))
            {
                case "ByteLevel":
                    bytes = true;
                    if (!Says(step, "add_prefix_space", false, whenAbsent: true))
                        problems.Add("pre_tokenizer ByteLevel has add_prefix_space");
                    if (!Says(step, "use_regex", false, whenAbsent: true))
                        patterns.Add(PiecePattern.Gpt2);
                    break;
                case "Split"
                    when Text(step, "behavior") == "Isolated"
                        && !Flag(step, "invert")
                        && Part(step, "pattern") is { } pattern
                        && Text(pattern, "Regex") is { } regex:
                    patterns.Add(regex);
                    break;
                case "Digits":
                    patterns.Add(Flag(step, "individual_digits") ? @"\p{N}" : @"\p{N}+");
                    break;
                case var other:
                    problems.Add($"pre_tokenizer has a step {other ?? "of an unknown kind"} that is not supported");
                    break;
            }
        }
        if (!bytes)
            problems.Add("pre_tokenizer has no step ByteLevel");
    }

    private static bool Flag(JsonElement element, string name) =>
        Part(element, name) is { ValueKind: JsonValueKind.True };

    private static bool Says(JsonElement element, string name, bool value, bool whenAbsent) =>
        (Part(element, name) is { } set ? set.ValueKind == JsonValueKind.True : whenAbsent) == value;

    private static string? Text(JsonElement element, string name) =>
        Part(element, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}
