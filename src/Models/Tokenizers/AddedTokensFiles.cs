using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers.Reading;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// Reads what <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c> say beside a
/// vocabulary: added tokens, BOS and EOS.
/// </summary>
internal sealed class AddedTokensFiles
{
    private readonly List<InputProblem> _problems = [];
    private readonly Dictionary<string, AddedToken> _tokens = new(StringComparer.Ordinal);
    private readonly IReadOnlyDictionary<string, int> _vocabulary;
    private readonly HashSet<int> _words,
        _own = [];
    private readonly int _limit;
    private readonly bool _honoursStrips;

    private AddedTokensFiles(IReadOnlyDictionary<string, int> vocabulary, int limit, bool honoursStrips) =>
        (_vocabulary, _words, _limit, _honoursStrips) = (vocabulary, [.. vocabulary.Values], limit, honoursStrips);

    /// <summary>All added and special tokens.</summary>
    /// <param name="files">The folder's.</param>
    /// <param name="limit">Ids from here on have no embedding.</param>
    /// <param name="own">What the vocabulary itself calls added or special.</param>
    /// <param name="vocabulary">Ids of its words.</param>
    /// <param name="bos">Its own BOS; the folder's files may name another.</param>
    /// <param name="eos">Its own EOS.</param>
    /// <param name="honoursStrips">Whether the tokenizer lets a token take the text around it along.</param>
    /// <exception cref="InputException">Files contradict each other or say what is not supported; everything at
    /// once.</exception>
    public static AddedTokens Read(
        TokenizerFiles files,
        int limit,
        IEnumerable<AddedToken> own,
        IReadOnlyDictionary<string, int> vocabulary,
        string? bos,
        string? eos,
        bool honoursStrips = false
    )
    {
        var reader = new AddedTokensFiles(vocabulary, limit, honoursStrips);
        foreach (var token in own)
        {
            reader._tokens[token.Name] = token;
            reader._own.Add(token.Id);
        }
        var config = reader.Open(files, TokenizerFiles.Config);
        var map = reader.Open(files, TokenizerFiles.SpecialMap);
        reader.AddList(reader.Open(files, TokenizerFiles.Added));
        reader.AddDecoder(config);
        bos = reader.Name(config, "bos_token") ?? reader.Name(map, "bos_token") ?? bos;
        eos = reader.Name(config, "eos_token") ?? reader.Name(map, "eos_token") ?? eos;
        if (reader._problems.Count > 0)
            throw new InputException(reader._problems);
        return new AddedTokens([.. reader._tokens.Values.Where(t => t.Id < limit)], bos, eos);
    }

    private PlacedJson? Open(TokenizerFiles files, string name)
    {
        if (files.Find(name) is null)
            return null;
        try
        {
            return PlacedJson.Read(files.PathOf(name));
        }
        catch (InputException e)
        {
            _problems.AddRange(e.Problems);
            return null;
        }
    }

    // added_tokens.json: {"<pad>": 32000}. It does not say which are special; those it adds stand for no text as a
    // rule.
    private void AddList(PlacedJson? file)
    {
        if (file is null)
            return;
        foreach (var (name, node) in file.Root)
            if (
                node is JsonValue v
                && v.GetValueKind() == JsonValueKind.Number
                && v.TryGetValue<int>(out var id)
                && id is >= 0 and < TokenizerJson.HighestId
            )
                Add(file, name, name, id, null);
            else
                _problems.Add(file.Problem(name, $"{name} is {node?.ToJsonString() ?? "null"}, not a token id"));
    }

    // tokenizer_config.json: {"added_tokens_decoder": {"32000": {"content": "<pad>", "special": true, ...}}}.
    private void AddDecoder(PlacedJson? file)
    {
        if (file?.Root["added_tokens_decoder"] is not { } node)
            return;
        const string Field = "added_tokens_decoder";
        if (node is not JsonObject list)
        {
            _problems.Add(file.Problem(Field, $"{Field} is not an object"));
            return;
        }
        foreach (var (key, value) in list)
        {
            var place = $"{Field}.{key}";
            if (
                !int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                || id >= TokenizerJson.HighestId
                || value is not JsonObject token
                || Content(token) is not { Length: > 0 } name
            )
            {
                _problems.Add(file.Problem(place, $"{place} is not a token with an id and a content"));
                continue;
            }
            var special = Flag(token, "special");
            if (
                !_honoursStrips
                && !special
                && (Flag(token, "lstrip") || Flag(token, "rstrip") || Flag(token, "single_word"))
            )
                _problems.Add(
                    file.Problem(
                        place,
                        $"{place} ('{name}') takes the text around it along (lstrip, "
                            + "rstrip or single_word), which is not supported"
                    )
                );
            Add(file, place, name, id, special);
            // The vocabulary's own file knows better how its tokens stand in a text.
            if (_tokens.TryGetValue(name, out var added) && !_own.Contains(id))
                _tokens[name] = added with
                {
                    StripsLeft = Flag(token, "lstrip"),
                    StripsRight = Flag(token, "rstrip"),
                    WordOnly = Flag(token, "single_word"),
                    Normalized = token["normalized"] is null ? !special : Flag(token, "normalized"),
                };
        }
    }

    private void Add(PlacedJson file, string place, string name, int id, bool? special)
    {
        if (name.Length == 0)
            _problems.Add(file.Problem(place, "a token has no name"));
        else if (
            _tokens.TryGetValue(name, out var known)
                ? known.Id != id
                : _vocabulary.TryGetValue(name, out var word) && word != id
        )
            _problems.Add(
                file.Problem(
                    place,
                    $"{place} gives '{name}' the id {id}, but elsewhere it is "
                        + $"{(_tokens.TryGetValue(name, out var k) ? k.Id : _vocabulary[name])}",
                    "the tokenizer's files come from different models"
                )
            );
        // A reserved mark may get another name. A word of the text may not: text would turn into the token.
        else if (!_vocabulary.ContainsKey(name) && _words.Contains(id) && !_own.Contains(id))
            _problems.Add(
                file.Problem(
                    place,
                    $"{place} gives '{name}' the id {id}, which is a word of the vocabulary",
                    "the tokenizer's files come from different models"
                )
            );
        // Who says nothing about "special" changes nothing about a token that is known already; a vocabulary's own
        // marks stay marks.
        else
            _tokens[name] = (known.Name is null ? new AddedToken(name, id, special ?? true) : known) with
            {
                Special = known.Name is null ? special ?? true : known.Special || special == true,
            };
    }

    // A token's name stands alone or in an object: "</s>" or {"content": "</s>", ...}.
    private string? Name(PlacedJson? file, string field)
    {
        if (file?.Root[field] is not { } node)
            return null;
        var name =
            node is JsonObject o ? Content(o)
            : node is JsonValue v && v.TryGetValue<string>(out var text) ? text
            : null;
        if (name is null)
            _problems.Add(file.Problem(field, $"{field} is {Short(node)}, not a token"));
        else if (!_tokens.ContainsKey(name) && _vocabulary.TryGetValue(name, out var id))
            _tokens[name] = new AddedToken(name, id, true);
        else if (_tokens.TryGetValue(name, out var known) && known.Id >= _limit)
            _problems.Add(
                file.Problem(field, $"{field} is '{name}' with the id {known.Id}, beyond the vocabulary of {_limit}")
            );
        else if (!_tokens.ContainsKey(name))
            _problems.Add(file.Problem(field, $"{field} is '{name}', which the vocabulary does not hold"));
        return name;
    }

    private static string? Content(JsonObject token) =>
        token["content"] is JsonValue v && v.TryGetValue<string>(out var text) ? text : null;

    private static bool Flag(JsonObject token, string name) =>
        token[name] is JsonValue v && v.TryGetValue<bool>(out var set) && set;

    private static string Short(JsonNode node) =>
        node.ToJsonString() is { Length: > 60 } text ? text[..60] + "..." : node.ToJsonString();
}
