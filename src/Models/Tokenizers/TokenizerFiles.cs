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

    private const long Largest = 1L << 29;
    private static readonly string[] Names =
    [
        Model,
        "tokenizer.model.v3",
        Json,
        Config,
        SpecialMap,
        Added,
        "chat_template.json",
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
            if (!file.Exists)
                continue;
            if (file.Length > Largest)
                throw new InputException(file.FullName, $"is {file.Length >> 20} MiB large; no tokenizer is");
            files._files.Add(name, File.ReadAllBytes(file.FullName));
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
    /// The chat template as its publisher wrote it, in Jinja: of the file of its own, else of
    /// <see cref="Config"/>, where several have names the one called <c>default</c>; null for none.
    /// </summary>
    public string? ChatTemplate()
    {
        if (Find(Chat) is { } own)
            return Encoding.UTF8.GetString(own);
        try
        {
            return Find(Config) is { } config ? Template(JsonNode.Parse(config)?["chat_template"]) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // who reads special tokens says what is wrong with the file
        }
    }

    private static string? Template(JsonNode? node) =>
        node switch
        {
            JsonValue v when v.TryGetValue<string>(out var text) => text,
            JsonArray named => named
                .Select(n => (Name: (string?)n?["name"], Text: (string?)n?["template"]))
                .FirstOrDefault(n => n.Name == "default")
                .Text,
            _ => null,
        };

    /// <summary>Writes all of them.</summary>
    public void Save(string folder)
    {
        foreach (var (name, bytes) in _files)
            File.WriteAllBytes(Path.Combine(folder, name), bytes);
    }
}
