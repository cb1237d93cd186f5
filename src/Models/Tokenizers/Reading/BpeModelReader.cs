using System.Text.Json;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>Reads the part <c>model</c>: vocabulary and merges of a byte-pair encoding.</summary>
internal static class BpeModelReader
{
    // A damaged list has as many problems as entries; the first few say enough.
    private const int MostProblems = 5;

    /// <summary>The model, with what is wrong noted.</summary>
    /// <param name="model">The part.</param>
    /// <param name="added">Added tokens, whose ids must agree.</param>
    /// <param name="isByteLevel">Whether text comes in the letters that stand for bytes.</param>
    public static BpeFacts Read(JsonPart model, IReadOnlyList<AddedToken> added, bool isByteLevel)
    {
        var none = new BpeFacts(new Dictionary<string, int>(), []);
        if ((model.Find("type") is null ? "BPE" : model.Type) is var type && type != "BPE")
        {
            model.Refuse($"is of the type '{JsonPart.Shortened(type)}'; only BPE is read");
            return none;
        }
        if (
            model.Find("dropout") is { } dropout
            && !(dropout.Json.ValueKind == JsonValueKind.Number && dropout.Json.TryGetDouble(out var rate) && rate == 0)
        )
            dropout.Refuse("is set: ids would be drawn by chance");
        foreach (var name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.Find(name) is { } set && set.AsText() is not "")
                set.Refuse("is set: words would be spelt in another way");
        if (Words(model, added) is not { } words)
            return none;
        var facts = new BpeFacts(words, Merges(model, words))
        {
            WholeWordsFirst = model.Flag("ignore_merges"),
            ByteFallback = model.Flag("byte_fallback"),
            Unknown = model.Text("unk_token") is { } unknown && words.TryGetValue(unknown, out var id) ? id : null,
            FusesUnknown = model.Flag("fuse_unk"),
        };
        CheckCover(model, facts, isByteLevel);
        return facts;
    }

    private static Dictionary<string, int>? Words(JsonPart model, IReadOnlyList<AddedToken> added)
    {
        if (model.Object("vocab") is not { } stored)
        {
            if (model.Find("vocab") is null)
                model.Refuse("has no 'vocab'");
            return null;
        }
        var names = added.ToDictionary(t => t.Name, t => t.Id, StringComparer.Ordinal);
        var words = new Dictionary<string, int>(StringComparer.Ordinal);
        var taken = new HashSet<int>();
        var problems = 0;
        foreach (var word in stored.Json.EnumerateObject())
        {
            var name = JsonPart.Shortened(word.Name);
            var problem =
                Id(word.Value) is not { } id ? $"gives '{name}' the id {Raw(word.Value)}, which is none"
                : word.Name.Length == 0 ? "holds a word without letters"
                : !taken.Add(id) ? $"gives the id {id} to two words, one of them '{name}'"
                : names.TryGetValue(word.Name, out var other) && other != id
                    ? $"gives '{name}' the id {id}, and added_tokens the id {other}"
                : null;
            if (problem is null)
                words.Add(word.Name, Id(word.Value)!.Value);
            else if (++problems <= MostProblems)
                stored.Refuse(problem);
        }
        // Otherwise text could turn into a special token, and end a turn.
        foreach (var token in added.Where(t => taken.Contains(t.Id) && !words.ContainsKey(t.Name)).Take(MostProblems))
            stored.Refuse($"gives a word the id of the added token '{JsonPart.Shortened(token.Name)}'");
        return problems == 0 ? words : null;
    }

    // Of a merge that stands there twice, as converters write them, the later place counts.
    private static List<(int Left, int Right, int Whole)> Merges(JsonPart model, Dictionary<string, int> words)
    {
        var merges = new List<(int Left, int Right, int Whole)>();
        if (model.Find("merges") is not { } stored)
        {
            model.Refuse("has no 'merges'");
            return merges;
        }
        var problems = 0;
        foreach (var node in stored.Items())
        {
            string? problem;
            if (Parts(node.Json) is not var (left, right))
                problem = "does not have two parts";
            else if (
                !words.TryGetValue(left, out var l)
                || !words.TryGetValue(right, out var r)
                || !words.TryGetValue(left + right, out var whole)
            )
                problem = "joins what is not in the vocabulary";
            else
            {
                merges.Add((l, r, whole));
                continue;
            }
            if (++problems <= MostProblems)
                node.Refuse($"({node.Shown()}) {problem}");
        }
        merges.Reverse();
        merges = [.. merges.DistinctBy(m => (m.Left, m.Right))];
        merges.Reverse();
        return merges;
    }

    // Older files write "a b", newer ones ["a", "b"].
    private static (string, string)? Parts(JsonElement node)
    {
        if (node.ValueKind == JsonValueKind.Array)
            return
                node.GetArrayLength() == 2
                && node[0].ValueKind == JsonValueKind.String
                && node[1].ValueKind == JsonValueKind.String
                ? (node[0].GetString()!, node[1].GetString()!)
                : null;
        var text = node.ValueKind == JsonValueKind.String ? node.GetString()! : "";
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        return space <= 0 || space != text.LastIndexOf(' ') || space == text.Length - 1
            ? null
            : (text[..space], text[(space + 1)..]);
    }

    private static void CheckCover(JsonPart model, BpeFacts facts, bool isByteLevel)
    {
        if (isByteLevel)
        {
            if (
                facts.Unknown is null
                && ByteSymbols.All.Index().Any(b => IsOrdinary(b.Index) && !facts.Words.ContainsKey(b.Item.ToString()))
            )
                model.Refuse("lacks some of the bytes that text is made of, so text would be lost");
        }
        else if (!facts.ByteFallback && facts.Unknown is null)
            model.Refuse("has neither bytes nor an unknown token for what its vocabulary lacks, so text would be lost");
    }

    // Published vocabularies may lack what their training text did not hold: control characters, bytes of the far
    // planes and bytes that UTF-8 never has. The published encoders leave such bytes out of a text.
    private static bool IsOrdinary(int value) =>
        value is '\t' or '\n' or '\r' or (>= ' ' and < 0x7F) or (>= 0x80 and < 0xC0) or (>= 0xC2 and <= 0xF0);

    private static int? Id(JsonElement json) =>
        json.ValueKind == JsonValueKind.Number
        && json.TryGetInt32(out var id)
        && id is >= 0 and < TokenizerJson.HighestId
            ? id
            : null;

    private static string Raw(JsonElement json) => JsonPart.Shortened(json.GetRawText());
}
