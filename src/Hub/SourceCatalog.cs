using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// The published files the study is about, each pinned by commit and SHA-256, and the checkpoints by name:
/// <c>data/sources.json</c>.
/// </summary>
/// <param name="Sources">In file order.</param>
public sealed record SourceCatalog(IReadOnlyList<PullSource> Sources)
{
    /// <summary>Where it stands in a checkout.</summary>
    public const string FileName = "data/sources.json";

    private const string Format = "sources/1";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        MaxDepth = 16,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    private sealed record Document(string Format, IReadOnlyList<PullSource> Sources);

    /// <summary>Reads the catalogue.</summary>
    /// <exception cref="InputException">It is absent or wrong.</exception>
    public static SourceCatalog Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException(path, "there is no such file", "it comes with the checkout");
        Document document;
        try
        {
            document =
                JsonSerializer.Deserialize<Document>(File.ReadAllBytes(path), Json)
                ?? throw new JsonException("it is empty");
            if (document.Sources.Any(s => s is null || s.Files?.Any(f => f is null) == true))
                throw new JsonException("a source or a file of one is null");
        }
        catch (JsonException e)
        {
            throw new InputException(
                new InputProblem(
                    path,
                    (int)(e.LineNumber ?? -1) + 1,
                    (int)(e.BytePositionInLine ?? -1) + 1,
                    "not a valid list of sources: " + e.Message.Split(" Path:")[0]
                )
            );
        }
        var problems = new List<InputProblem>();
        if (document.Format != Format)
            problems.Add(new InputProblem(path, 0, 0, $"has the format '{document.Format}', not {Format}"));
        foreach (var source in document.Sources)
        {
            void Complain(string message) => problems.Add(new InputProblem(path, 0, 0, $"{source.Name}: {message}"));
            if ((source.Repository is null) == (source.Files is null or { Count: 0 }))
                Complain("needs either a repository or files");
            if (
                source.Repository is not null
                && (source.Folder is null || RelativeName.Complaint(source.Folder) is not null)
            )
                Complain("a repository needs a folder inside inputs");
            foreach (var (file, hash) in source.Pins ?? new Dictionary<string, string>())
                if (ContentDigest.Parse(hash) is not { IsSha256: true })
                    Complain($"the pin of {file} is no SHA-256");
            if (source.Pins is not null && source.Revision is null)
                Complain("pins hold at one commit, and there is no revision");
            foreach (var file in source.Files ?? [])
            {
                if (RelativeName.Complaint(file.Path) is { } complaint)
                    Complain($"the path '{file.Path}' {complaint}");
                if (ContentDigest.Parse(file.Sha256) is not { IsSha256: true })
                    Complain($"{file.Path} has no SHA-256");
                if (!file.Url.IsAbsoluteUri || file.Url.Scheme is not ("http" or "https"))
                    Complain($"{file.Path} has no address");
                if (file.Bytes < 0)
                    Complain($"{file.Path} has a negative length");
            }
        }
        return problems.Count > 0 ? throw new InputException(problems) : new SourceCatalog(document.Sources);
    }

    /// <summary>The source of that name, or null.</summary>
    public PullSource? Find(string name) => Sources.FirstOrDefault(s => s.Name == name);
}

/// <summary>One thing that can be pulled by name.</summary>
/// <param name="Name">As in <c>pull tofu</c>.</param>
/// <param name="Title">What it is.</param>
/// <param name="Purpose">What the study needs it for.</param>
/// <param name="Licence">Under which it is published.</param>
/// <param name="Repository">A repository of the hub, or null.</param>
/// <param name="Revision">Of the repository; null for its main branch.</param>
/// <param name="Folder">Where the repository's files go, below the folder of inputs.</param>
/// <param name="Files">Single pinned files, where there is no repository.</param>
/// <param name="Shape">Of a checkpoint, so that its memory can be estimated before it is there.</param>
/// <param name="Pins">SHA-256 of files of the repository at its revision, by path.</param>
public sealed record PullSource(
    string Name,
    string Title,
    string Purpose,
    string Licence,
    string? Repository = null,
    string? Revision = null,
    string? Folder = null,
    IReadOnlyList<PinnedFile>? Files = null,
    PublishedShape? Shape = null,
    IReadOnlyDictionary<string, string>? Pins = null
);

/// <summary>Shape of a published checkpoint.</summary>
/// <param name="Width">D.</param>
/// <param name="MlpWidth">F.</param>
/// <param name="Layers">L.</param>
/// <param name="Heads">H.</param>
/// <param name="KvHeads">K.</param>
/// <param name="Vocabulary">V.</param>
/// <param name="Bytes">Of one stored value.</param>
/// <param name="Tied">Whether the output map is the embedding itself.</param>
public sealed record PublishedShape(
    int Width,
    int MlpWidth,
    int Layers,
    int Heads,
    int KvHeads,
    int Vocabulary,
    int Bytes,
    bool Tied = false
);

/// <summary>A published file of which every byte is known.</summary>
/// <param name="Path">Where it goes, below the folder of inputs.</param>
/// <param name="Url">Where it is served, at one commit.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Of its content.</param>
public sealed record PinnedFile(string Path, Uri Url, long Bytes, string Sha256);
