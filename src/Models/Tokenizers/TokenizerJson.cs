using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>What a <c>tokenizer.json</c> of the byte-level kind says, checked.</summary>
/// <param name="Vocabulary">Ids by word, spelt in the letters that stand for bytes.</param>
/// <param name="Merges">Ids of the two parts, in order of rank.</param>
/// <param name="Patterns">Cut a text one after another.</param>
/// <param name="WholeWordsFirst">Whether a piece that is a word is taken whole, whatever the merges say
/// (<c>ignore_merges</c>).</param>
/// <param name="Added">Added tokens, special and plain.</param>
internal sealed record TokenizerJson(
    IReadOnlyDictionary<string, int> Vocabulary,
    IReadOnlyList<(int Left, int Right)> Merges,
    IReadOnlyList<string> Patterns,
    bool WholeWordsFirst,
    IReadOnlyList<AddedToken> Added
)
{
    /// <summary>Ids above this belong to no model that config.json can describe.</summary>
    public const int HighestId = 1 << 24;

    /// <summary>Reads a file.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="bytes">The file.</param>
    /// <exception cref="DamagedFileException">It is not a tokenizer.json, or contradicts itself.</exception>
    /// <exception cref="InputException">It says things that are not supported; all of them.</exception>
    public static TokenizerJson Read(string path, byte[] bytes)
    {
        try
        {
            using var document = JsonDocument.Parse(
                bytes,
                new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false }
            );
            var root = document.RootElement;
            if (
                root.ValueKind != JsonValueKind.Object
                || Part(root, "model") is not { ValueKind: JsonValueKind.Object } model
            )
                throw new JsonException("there is no object 'model'");
            var problems = new List<string>();
            var patterns = TokenizerJsonRules.Check(root, model, problems);
            if (problems.Count > 0)
                throw new InputException([
                    .. problems.Select(p => new InputProblem(path, 0, 0, p, TokenizerJsonRules.Hint)),
                ]);
            var added = ReadAdded(root);
            var vocabulary = ReadVocabulary(model, added);
            return new TokenizerJson(
                vocabulary,
                ReadMerges(model, vocabulary),
                patterns,
                Part(model, "ignore_merges") is { ValueKind: JsonValueKind.True },
                added
            );
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new DamagedFileException(
                path,
                "is not a tokenizer this program can use: " + e.Message,
                "download it again",
                e
            );
        }
    }

    /// <summary>The ids that text can become: bytes, and what merges make.</summary>
    public HashSet<int> Reachable()
    {
        var words = Vocabulary.ToDictionary(p => p.Value, p => p.Key);
        HashSet<int> ids =
        [
            .. ByteSymbols.All.Select(b => b.ToString()).Where(Vocabulary.ContainsKey).Select(b => Vocabulary[b]),
        ];
        foreach (var (left, right) in Merges)
            ids.Add(Vocabulary[words[left] + words[right]]);
        return ids;
    }

    /// <summary>A property, or null where it is absent or null.</summary>
    public static JsonElement? Part(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(name, out var part)
        && part.ValueKind != JsonValueKind.Null
            ? part
            : null;

    private static List<AddedToken> ReadAdded(JsonElement root)
    {
        var added = new List<AddedToken>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        if (Part(root, "added_tokens") is not { } list)
            return added;
        foreach (var token in list.EnumerateArray())
        {
            if (Part(token, "content") is not { } content || Part(token, "id") is not { } number)
                throw new JsonException("an added token has no content or no id");
            var (name, id) = (content.GetString(), Id(number));
            if (string.IsNullOrEmpty(name))
                throw new JsonException("an added token has no content");
            if (!names.Add(name))
                throw new JsonException($"the added token '{name}' stands twice");
            added.Add(new AddedToken(name, id, Part(token, "special") is { ValueKind: JsonValueKind.True }));
        }
        return added;
    }

    private static Dictionary<string, int> ReadVocabulary(JsonElement model, List<AddedToken> added)
    {
        if (Part(model, "vocab") is not { ValueKind: JsonValueKind.Object } stored)
            throw new JsonException("there is no object model.vocab");
        var names = added.ToDictionary(t => t.Name, t => t.Id, StringComparer.Ordinal);
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var taken = new HashSet<int>();
        foreach (var word in stored.EnumerateObject())
        {
            var id = Id(word.Value);
            if (!taken.Add(id))
                throw new JsonException($"two words have the id {id}");
            if (names.TryGetValue(word.Name, out var other) && other != id)
                throw new JsonException($"'{word.Name}' is {id} in model.vocab and {other} in added_tokens");
            if (!names.ContainsKey(word.Name) && (word.Name.Length == 0 || !ByteSymbols.Spells(word.Name)))
                throw new JsonException($"the word '{word.Name}' is not spelt in the letters that stand for bytes");
            vocabulary.Add(word.Name, id);
        }
        // Otherwise text could turn into a special token, and end a turn.
        if (added.FirstOrDefault(t => taken.Contains(t.Id) && !vocabulary.ContainsKey(t.Name)) is { Name: { } thief })
            throw new JsonException($"the added token '{thief}' has the id of a word");
        if (ByteSymbols.All.Index().Any(b => IsOrdinary(b.Index) && !vocabulary.ContainsKey(b.Item.ToString())))
            throw new JsonException("model.vocab lacks some of the bytes that text is made of, so text would be lost");
        return vocabulary;
    }

    // Published vocabularies may lack what their training text did not hold: control characters, bytes of the far
    // planes and bytes that UTF-8 never has. The published encoders leave such bytes out of a text.
    private static bool IsOrdinary(int value) =>
        value is '\t' or '\n' or '\r' or (>= ' ' and < 0x7F) or (>= 0x80 and < 0xC0) or (>= 0xC2 and <= 0xF0);

    private static List<(int, int)> ReadMerges(JsonElement model, Dictionary<string, int> vocabulary)
    {
        if (Part(model, "merges") is not { ValueKind: JsonValueKind.Array } stored)
            throw new JsonException("there is no list model.merges");
        var merges = new List<(int, int)>(stored.GetArrayLength());
        var seen = new HashSet<(int, int)>();
        foreach (var node in stored.EnumerateArray())
        {
            var (left, right) = Parts(node);
            if (
                !vocabulary.TryGetValue(left, out var l)
                || !vocabulary.TryGetValue(right, out var r)
                || !vocabulary.ContainsKey(left + right)
            )
                throw new JsonException($"the merge of '{left}' and '{right}' is not in the vocabulary");
            if (!seen.Add((l, r)))
                throw new JsonException($"the merge of '{left}' and '{right}' stands twice");
            merges.Add((l, r));
        }
        return merges;
    }

    // Older files write "a b", newer ones ["a", "b"].
    private static (string, string) Parts(JsonElement node)
    {
        if (node.ValueKind == JsonValueKind.Array && node.GetArrayLength() == 2)
            return (node[0].GetString() ?? "", node[1].GetString() ?? "");
        var text = node.ValueKind == JsonValueKind.String ? node.GetString()! : "";
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space <= 0 || space != text.LastIndexOf(' ') || space == text.Length - 1)
            throw new JsonException($"the merge {Shown(node)} does not have two parts");
        return (text[..space], text[(space + 1)..]);
    }

    private static int Id(JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out var id) && id is >= 0 and < HighestId
            ? id
            : throw new JsonException($"{Shown(element)} is not a token id");

    private static string Shown(JsonElement element) =>
        element.GetRawText() is { Length: > 60 } text ? text[..60] + "..." : element.GetRawText();
}
