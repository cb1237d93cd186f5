using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Workbench;

/// <summary>One file of a model folder that matters to a result.</summary>
/// <param name="Name">Inside the folder.</param>
/// <param name="Bytes">Its length, of the file behind it where it is a link.</param>
public sealed record ModelFile(string Name, long Bytes);

/// <summary>
/// What lies in a Hugging Face model folder, seen without opening a weight: whether a load can work, and which files
/// make the model what it is.
/// </summary>
/// <param name="Files">Settings, tokenizer and weights, in order of name.</param>
/// <param name="Problems">What is missing; empty for a folder that is complete.</param>
public sealed record ModelFolder(IReadOnlyList<ModelFile> Files, IReadOnlyList<InputProblem> Problems)
{
    private const string Config = "config.json",
        Single = "model.safetensors",
        Index = "model.safetensors.index.json";
    private static readonly string[] Carried =
    [
        Config,
        "generation_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
    ];

    /// <summary>Length of all weights.</summary>
    public long WeightBytes =>
        Files.Where(f => f.Name.EndsWith(".safetensors", StringComparison.Ordinal)).Sum(f => f.Bytes);

    /// <summary>Looks at a folder.</summary>
    /// <param name="folder">Exists.</param>
    /// <param name="hint">What to do where something is missing.</param>
    public static ModelFolder Look(string folder, string hint)
    {
        var problems = new List<InputProblem>();
        void Missing(string message) => problems.Add(new InputProblem(folder, 0, 0, message, hint));
        var names = new List<string>();
        names.AddRange(Carried.Where(n => File.Exists(Path.Combine(folder, n))));
        if (!names.Contains(Config))
            Missing($"there is no {Config}");
        if (!names.Contains("tokenizer.json") && !names.Contains("tokenizer.model"))
            Missing("there is neither tokenizer.json nor tokenizer.model");
        if (File.Exists(Path.Combine(folder, Index)))
        {
            names.Add(Index);
            var shards = Shards(Path.Combine(folder, Index));
            var absent = shards.Where(s => !File.Exists(Path.Combine(folder, s))).ToList();
            if (absent.Count > 0)
                Missing(
                    $"{absent.Count} of {shards.Count} weight files that {Index} names are not there, the first is "
                        + $"{absent[0]}"
                );
            names.AddRange(shards.Except(absent));
        }
        else if (File.Exists(Path.Combine(folder, Single)))
        {
            names.Add(Single);
        }
        else
        {
            Missing(
                Directory.EnumerateFiles(folder, "*.bin").Any()
                    ? "the weights are there only as .bin, which is pickle and can run code; safetensors are needed"
                    : $"there is neither {Single} nor {Index}"
            );
        }
        return new ModelFolder(
            [.. names.Order(StringComparer.Ordinal).Select(n => new ModelFile(n, LengthOf(Path.Combine(folder, n))))],
            problems
        );
    }

    // Hostile like everything from outside: a shard is a plain name inside the folder.
    private static List<string> Shards(string index)
    {
        const string Hint = "download it again";
        try
        {
            var map =
                JsonNode
                    .Parse(
                        File.ReadAllBytes(index),
                        documentOptions: new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false }
                    )
                    ?["weight_map"] as JsonObject
                ?? throw new JsonException("there is no object weight_map");
            var shards = map.Select(p => p.Value is JsonValue v && v.TryGetValue<string>(out var s) ? s : "")
                .Distinct()
                .Order(StringComparer.Ordinal)
                .ToList();
            if (
                shards.Find(s =>
                    s.Length == 0
                    || Path.GetFileName(s) != s
                    || s is "." or ".."
                    || s.Contains('\\', StringComparison.Ordinal)
                ) is
                { } bad
            )
                throw new JsonException($"'{bad}' is not a file name inside the folder");
            return shards;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DamagedFileException(index, "not a valid index: " + e.Message, Hint, e);
        }
    }

    private static long LengthOf(string path) =>
        (new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? new FileInfo(path)).Length;
}
