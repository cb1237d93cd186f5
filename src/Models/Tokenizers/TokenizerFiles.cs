using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>The tokenizer's files of a model folder, kept so that a saved model carries them unchanged.</summary>
internal sealed class TokenizerFiles
{
    /// <summary>SentencePiece vocabulary.</summary>
    public const string Model = "tokenizer.model";

    /// <summary>Vocabulary, merges and rules of a tokenizer.</summary>
    public const string Json = "tokenizer.json";

    /// <summary>Which tokens begin and end a text, and added tokens.</summary>
    public const string Config = "tokenizer_config.json";

    /// <summary>The older place for the same.</summary>
    public const string SpecialMap = "special_tokens_map.json";

    /// <summary>The older place for added tokens.</summary>
    public const string Added = "added_tokens.json";

    /// <summary>The chat template, where it is a file of its own.</summary>
    public const string Chat = "chat_template.jinja";

    /// <summary>The same in an object, as processors keep it.</summary>
    public const string ChatJson = "chat_template.json";

    private const long Largest = 1L << 29;
    private static readonly string[] Names =
    [
        Model,
        "tokenizer.model.v3",
        Json,
        Config,
        SpecialMap,
        Added,
        ChatJson,
        Chat,
        "vocab.json",
        "merges.txt",
    ];
    private readonly SortedDictionary<string, byte[]> _files = new(StringComparer.Ordinal);

    private TokenizerFiles(string folder) => Folder = folder;

    /// <summary>Where they were read; empty for a tokenizer that was made here.</summary>
    public string Folder { get; }

    /// <summary>Reads what there is.</summary>
    /// <exception cref="InputException">A file is too large to be what its name says.</exception>
    public static TokenizerFiles Read(string folder)
    {
        var files = new TokenizerFiles(folder);
        foreach (var name in Names)
        {
            var file = new FileInfo(Path.Combine(folder, name));
            // A link to nothing is there, and a word is due.
            if (!file.Exists && file.LinkTarget is null)
                continue;
            var path = Path.Combine(folder, name);
            UserFile.Check(path);
            if (file.Length > Largest)
                throw new InputException(path, $"is {file.Length >> 20} MiB large; no tokenizer is");
            var bytes = UserFile.Bytes(path);
            if (UserFile.Stranger(bytes) is var (what, hint))
                throw new InputException(path, what, hint);
            files._files.Add(name, bytes);
        }
        return files;
    }

    /// <summary>The files of a tokenizer that was made here.</summary>
    public static TokenizerFiles Made(string name, byte[] bytes)
    {
        var files = new TokenizerFiles("");
        files._files.Add(name, bytes);
        return files;
    }

    /// <summary>The bytes of a file, or null.</summary>
    public byte[]? Find(string name) => _files.GetValueOrDefault(name);

    /// <summary>The path of a file, for messages.</summary>
    public string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>
    /// The chat template as its publisher wrote it, in Jinja, and the file it stands in: a file of its own, else
    /// <see cref="Config"/>, else <see cref="ChatJson"/>; of several with names the one called <c>default</c>, or the
    /// only one. Null for none.
    /// </summary>
    public (string Text, string Path)? ChatTemplate()
    {
        if (Find(Chat) is { } own)
            return (Encoding.UTF8.GetString(own), PathOf(Chat));
        foreach (var name in new[] { Config, ChatJson })
            try
            {
                if (Find(name) is { } file && Template(JsonNode.Parse(file)?["chat_template"]) is { } text)
                    return (text, PathOf(name));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                return null; // who reads special tokens says what is wrong with the file
            }
        return null;
    }

    private static string? Template(JsonNode? node)
    {
        if (node is JsonValue v && v.TryGetValue<string>(out var text))
            return text;
        if (node is not JsonArray list)
            return null;
        var named = list.Select(n => (Name: (string?)n?["name"], Text: (string?)n?["template"])).ToList();
        return named.Count == 1 ? named[0].Text : named.FirstOrDefault(n => n.Name == "default").Text;
    }

    /// <summary>Writes all of them.</summary>
    public void Save(string folder)
    {
        foreach (var (name, bytes) in _files)
            File.WriteAllBytes(Path.Combine(folder, name), bytes);
    }
}
